"""When our certificate ends: reads the dates of a PEM file, and says in time what will happen.

It knows just enough of X.509 (RFC 5280 §4.1) to find one field, because Python's `ssl` tells the
dates of other people's certificates only. It verifies nothing; OpenSSL does that.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

DAYS: Final = 14
"""How long before its end a certificate is complained about."""
_DAY_S: Final = 86_400.0
_PEM: Final = re.compile(
    rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.+?)-----END (?:TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0


class CertificateAge:
    """Watches when the certificate in use ends.

    Args:
        file: Its file; "" for none.
        tell: Told what is to be said, when it begins to be true and then once a day.
        utc: Tells seconds since 1970.

    Attributes:
        complaint: What is to be said now; "" while there is time.
    """

    __slots__ = ("_ends", "_file", "_tell", "_utc", "complaint")

    def __init__(
        self, file: str, tell: Callable[[str], None], utc: Callable[[], float] = time.time
    ) -> None:
        self._file, self._tell, self._utc = file, tell, utc
        self._ends: float | None = None
        self.complaint = ""

    def renewed(self) -> None:
        """Read the file, again where it has changed."""
        self._ends = ends_at(self._file) if self._file else None
        self.look()

    def look(self) -> None:
        """Reckon anew what is to be said."""
        before, self.complaint = self.complaint, complaint(self._ends, self._utc())
        if self.complaint not in ("", before):
            self._tell(self.complaint)


def ends_at(path: Path | str) -> float | None:
    """Return when the first of a file's certificates ends, in seconds since 1970.

    None where the file cannot be read or holds no certificate that is understood.
    """
    try:
        blocks = _PEM.findall(Path(path).read_bytes())
        return min((_not_after(base64.b64decode(block)) for block in blocks), default=None)
    except (OSError, ValueError, IndexError, binascii.Error):
        return None


def complaint(ends: float | None, utc: float) -> str:
    """Return what is to be said about a certificate that ends then; "" while there is time.

    Args:
        ends: As `ends_at` gives it.
        utc: The present moment in seconds since 1970.
    """
    if ends is None or ends - utc > DAYS * _DAY_S:
        return ""
    date = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if ends <= utc:
        return f"the TLS certificate ended on {date}: phones refuse it; renew it"
    days = int((ends - utc) // _DAY_S)
    return f"the TLS certificate ends on {date}, in {days} days: renew it"


def _not_after(der: bytes) -> float:
    """Return the end of a certificate: Certificate, tbsCertificate, validity, notAfter."""
    at, _ = _into(der, 0)
    at, _ = _into(der, at)
    if der[at] == _VERSION:
        at = _past(der, at)
    for _ in ("serialNumber", "signature", "issuer"):
        at = _past(der, at)
    at, _ = _into(der, at)
    return _time(der, _past(der, at))


def _into(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of an element begins and how long it is (X.690 §8.1)."""
    length = der[at + 1]
    if length < 0x80:
        return at + 2, length
    octets = length & 0x7F
    return at + 2 + octets, int.from_bytes(der[at + 2 : at + 2 + octets])


def _past(der: bytes, at: int) -> int:
    begin, length = _into(der, at)
    return begin + length


def _time(der: bytes, at: int) -> float:
    """Read a Time; two digits of a year from 50 on are of the last century (RFC 5280 §4.1.2.5)."""
    begin, length = _into(der, at)
    text = der[begin : begin + length].decode("ascii")
    if der[at] == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif der[at] != _GENERALIZED_TIME:
        raise ValueError("a certificate's validity holds no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
