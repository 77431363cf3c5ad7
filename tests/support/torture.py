"""The messages of RFC 4475 and RFC 5118, and what each of them must lead to.

`status` is the verdict of the grammar (`parse`, `check_request`, `check_response`). `core_status` is
what a stranger gets from a proxy and registrar for `example.com` that asks for no credentials and
where nobody is registered: 404 for the users of that domain, 403 for other domains, and where the
message itself decides, what its section asks. None where nothing may be answered: to responses.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"


class Verdict(Enum):
    REQUEST = "accepted as a request"
    RESPONSE = "accepted as a response"
    REFUSED = "a request refused with a status"
    DROPPED = "a response dropped"


@dataclass(frozen=True, slots=True)
class Torture:
    """One message."""

    name: str
    rfc: int
    section: str
    """Section of its RFC."""
    verdict: Verdict
    status: int = 0
    """The status a refusal is owed; 0 where nothing is refused by the grammar."""
    core_status: int | None = None
    why: str = ""

    @property
    def data(self) -> bytes:
        return (DATA / f"rfc{self.rfc}" / f"{self.name}.dat").read_bytes()


def _request(name: str, section: str, core: int | None = None, why: str = "") -> Torture:
    return Torture(name, 4475, section, Verdict.REQUEST, 0, core, why)


def _refused(name: str, section: str, status: int = 400, why: str = "") -> Torture:
    return Torture(name, 4475, section, Verdict.REFUSED, status, status, why)


def _ipv6(name: str, section: str, core: int = 403) -> Torture:
    return Torture(name, 5118, section, Verdict.REQUEST, 0, core)


RFC4475 = (
    _request("wsinv", "3.1.1.1", 403),
    _request("intmeth", "3.1.1.2", 404),
    _request("esc01", "3.1.1.3", 403),
    _request("escnull", "3.1.1.4", 200, "two contacts for a user with a NUL in the name"),
    _request("esc02", "3.1.1.5", 403),
    _request("lwsdisp", "3.1.1.6", 404),
    _request("longreq", "3.1.1.7", 404),
    _request("dblreq", "3.1.1.8", 200, "what follows Content-Length is cut off"),
    _request("semiuri", "3.1.1.9", 404),
    _request("transports", "3.1.1.10", 404),
    _request("mpart01", "3.1.1.11", 403),
    Torture("unreason", 4475, "3.1.1.12", Verdict.RESPONSE),
    Torture("noreason", 4475, "3.1.1.13", Verdict.RESPONSE),
    _refused("badinv01", "3.1.2.1"),
    _refused("clerr", "3.1.2.2"),
    _refused("ncl", "3.1.2.3"),
    _refused("scalar02", "3.1.2.4", why="the CSeq; the expiry values alone would be defaulted"),
    Torture("scalarlg", 4475, "3.1.2.5", Verdict.DROPPED, why="the CSeq"),
    _refused("quotbal", "3.1.2.6"),
    _refused("ltgtruri", "3.1.2.7"),
    _refused("lwsruri", "3.1.2.8"),
    _refused("lwsstart", "3.1.2.9"),
    _refused("trws", "3.1.2.10"),
    _refused("escruri", "3.1.2.11"),
    _request("baddate", "3.1.2.12", 404, "a proxy has no use for Date and should not refuse it"),
    _refused("regbadct", "3.1.2.13"),
    _refused("badaspec", "3.1.2.14"),
    _refused("baddn", "3.1.2.15"),
    _refused("badvers", "3.1.2.16", 505),
    _refused("mismatch01", "3.1.2.17"),
    _refused("mismatch02", "3.1.2.18", 501, "the method is unknown besides"),
    Torture("bigcode", 4475, "3.1.2.19", Verdict.DROPPED),
    _refused("badbranch", "3.2.1"),
    _refused("insuf", "3.3.1", why="the 400 has no From, To, Call-ID either"),
    _request("unkscm", "3.3.2", 416),
    _request("novelsc", "3.3.3", 416),
    _request("unksm2", "3.3.4", 400, "a registrar needs SIP in To"),
    _request("bext01", "3.3.5", 420),
    _request("invut", "3.3.6", 404),
    _request("regaut01", "3.3.7", 200, "401 from a registrar that authenticates"),
    _refused("multi01", "3.3.8"),
    _refused("mcl01", "3.3.9"),
    Torture("bcast", 4475, "3.3.10", Verdict.DROPPED, why="proxies should drop it"),
    _request("zeromf", "3.3.11", 483),
    _request("cparam01", "3.3.12", 200, "unknownparam is none of the URI's"),
    _request("cparam02", "3.3.13", 200, "unknownparam is the URI's"),
    _request("regescrt", "3.3.14", 200, "the URI keeps its header"),
    _request("sdp01", "3.3.15", 404),
    _request("inv2543", "3.4.1", 404),
)

RFC5118 = (
    _ipv6("ipv6-good", "4.1"),
    Torture("ipv6-bad", 5118, "4.2", Verdict.REFUSED, 400, 400),
    _ipv6("port-ambiguous", "4.3"),
    _ipv6("port-unambiguous", "4.4"),
    _ipv6("via-received-param-with-delim", "4.5"),
    _ipv6("via-received-param-no-delim", "4.5"),
    _ipv6("ipv6-in-sdp", "4.6"),
    _ipv6("mult-ip-in-header", "4.7"),
    _ipv6("mult-ip-in-sdp", "4.8"),
    _ipv6("ipv4-mapped-ipv6", "4.9", 404),
    _ipv6("ipv6-bug-abnf-3-colons", "4.10"),
    _ipv6("ipv6-correct-abnf-2-colons", "4.10"),
)

ALL = RFC4475 + RFC5118
