"""The certificates: TLS contexts for both directions, and whose name a peer's certificate bears.

Knows how to load a certificate with its key and say in words why that failed, how to load it again
when the files change, and the identity rules of RFC 5922. Certificates of servers we call are
always verified: there is no switch to turn that off. It opens no connection.
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from centrex.base import ConfigError, Problem

_CERTIFICATE_KEY: Final = "network.tls_certificate"
_PRIVATE_KEY: Final = "network.tls_key"

_Stamp = tuple[int, int, int]


class TlsContexts:
    """The contexts for new connections; those that stand keep the ones they began with.

    Args:
        certificate: The PEM file with our certificate and its chain; "" where we have none, and
            then only call others.
        key: The PEM file with the private key; "" where the certificate's file holds it too.
        authorities: A PEM file of certificate authorities trusted besides the system's; "" for none.
        config_file: The configuration that names these files, for problems.

    Attributes:
        server: For connections others open; None without a certificate. Phones need none.
        client: For connections we open: chain verified against the system's authorities, name
            left to `check_identity`. Shows our certificate where the far side asks (RFC 5922 §4).

    Raises:
        ConfigError: A file cannot be used; holds every problem found.
    """

    def __init__(
        self,
        certificate: Path | str = "",
        key: Path | str = "",
        *,
        authorities: Path | str = "",
        config_file: str = "",
    ) -> None:
        self._certificate, self._key = str(certificate), str(key or certificate)
        self._authorities, self._config_file = str(authorities), config_file
        self.server: ssl.SSLContext | None
        self.client: ssl.SSLContext
        self._stamps = self._read_stamps()
        self.server, self.client = self._load()

    def reload_if_changed(self) -> bool:
        """Load the files again if they changed since; returns whether they did.

        Raises:
            ConfigError: They changed and cannot be used; the contexts stay as they were.
        """
        stamps = self._read_stamps()
        if stamps == self._stamps:
            return False
        self.server, self.client = self._load()
        self._stamps = stamps
        return True

    def _read_stamps(self) -> tuple[_Stamp | None, ...]:
        paths = (self._certificate, self._key, self._authorities)
        return tuple(_stamp(path) for path in paths)

    def _load(self) -> tuple[ssl.SSLContext | None, ssl.SSLContext]:
        problems = [
            Problem(file=self._config_file, key=key, message=why)
            for key, path in ((_CERTIFICATE_KEY, self._certificate), (_PRIVATE_KEY, self._key))
            if path and (why := _why_unreadable(path))
        ]
        if problems:
            raise ConfigError(tuple(problems))
        client = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        client.check_hostname = False  # RFC 5922 has its own rules: see `check_identity`
        client.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._authorities:
            self._trust(client)
        if not self._certificate:
            return None, client
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.minimum_version = ssl.TLSVersion.TLSv1_2
        for context in (server, client):
            self._present(context)
        return server, client

    def _present(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except _EncryptedKey as error:
            why = f"the key in {self._key} is protected by a password; store it without one"
            raise self._refuse(_PRIVATE_KEY, why) from error
        except ssl.SSLError as error:
            raise self._refuse(*self._explain(error)) from error
        except OSError as error:
            raise self._refuse(_CERTIFICATE_KEY, str(error.strerror)) from error

    def _trust(self, context: ssl.SSLContext) -> None:
        try:
            context.load_verify_locations(self._authorities)
        except OSError as error:
            why = f"{self._authorities}: no usable list of certificate authorities"
            raise self._refuse("network.tls_authorities", why) from error

    def _explain(self, error: ssl.SSLError) -> tuple[str, str]:
        """Return the key at fault and the reason in words, for what OpenSSL says in one constant."""
        if error.reason == "KEY_VALUES_MISMATCH":
            return _PRIVATE_KEY, f"the key in {self._key} does not belong to {self._certificate}"
        if not _holds(self._certificate, b"-----BEGIN CERTIFICATE-----"):
            return _CERTIFICATE_KEY, f"{self._certificate} holds no certificate in PEM form"
        if not _holds(self._key, b"PRIVATE KEY-----"):
            return _PRIVATE_KEY, f"{self._key} holds no private key in PEM form"
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return _CERTIFICATE_KEY, f"{self._certificate} and {self._key} cannot be used: {reason}"

    def _refuse(self, key: str, why: str) -> ConfigError:
        return ConfigError((Problem(file=self._config_file, key=key, message=why),))


def check_identity(certificate: Mapping[str, Any], name: str) -> str:
    """Decide whether a certificate, its chain already verified, belongs to a SIP domain.

    Args:
        certificate: As `ssl.SSLSocket.getpeercert` gives it.
        name: The domain of the URI that was asked for, or a numeric address.

    Returns:
        "" where it does; otherwise the reason in words.
    RFC: 5922 §7.1 (a `sip:` URI in subjectAltName goes before any DNS name), §7.2 (no wildcards).
    """
    kind, identities = _identities(certificate, name)
    wanted = _canonical(name)
    if any(_canonical(identity) == wanted for identity in identities):
        return ""
    if not identities:
        return f"the certificate bears no {kind}, so not {name}"
    shown = ", ".join(identities[:4])
    hint = "; wildcards are not accepted (RFC 5922 §7.2)" if "*" in shown else ""
    return f"the certificate is for {shown}, not for {name}{hint}"


def _identities(certificate: Mapping[str, Any], name: str) -> tuple[str, list[str]]:
    """Return which kind of identity counts for that name, and those the certificate bears."""
    alternatives: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())
    if _is_numeric(name):
        return "IP address", [value for kind, value in alternatives if kind == "IP Address"]
    uris = [
        value[4:]
        for kind, value in alternatives
        if kind == "URI" and value[:4].lower() == "sip:" and "@" not in value
    ]
    names = uris or [value for kind, value in alternatives if kind == "DNS"]
    if not names and not alternatives:
        names = [
            value
            for entry in certificate.get("subject", ())
            for kind, value in entry
            if kind == "commonName"
        ]
    return "domain name", names


def _canonical(name: str) -> str:
    if _is_numeric(name):
        return str(ipaddress.ip_address(name.strip("[]")))
    return name.rstrip(".").lower()


def _is_numeric(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class _EncryptedKey(Exception):
    """OpenSSL asked for a password."""


def _no_password() -> str:
    """Refuse, instead of asking on the terminal as OpenSSL would."""
    raise _EncryptedKey


def _stamp(path: str) -> _Stamp | None:
    """Return what changes when a file is replaced or rewritten; None where it cannot be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _why_unreadable(path: str) -> str:
    try:
        with Path(path).open("rb"):
            return ""
    except OSError as error:
        return f"{path}: {error.strerror}"


def _holds(path: str, marker: bytes) -> bool:
    return marker in Path(path).read_bytes()
