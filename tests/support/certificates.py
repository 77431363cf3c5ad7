"""A certificate authority of the test's own, and the server certificate it has signed."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Paths of PEM files."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, *names: str) -> "Certificates":
        """Write an authority and a certificate for some host names and addresses."""
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        server = authority.issue_cert(*names, common_name=names[0])
        made = cls(
            authority=folder / "authority.pem",
            certificate=folder / "server.pem",
            key=folder / "server.key",
        )
        authority.cert_pem.write_to_path(made.authority)
        server.private_key_pem.write_to_path(made.key)
        for number, blob in enumerate(server.cert_chain_pems):
            blob.write_to_path(made.certificate, append=number > 0)
        made.key.chmod(0o600)
        return made

    def client_context(self) -> ssl.SSLContext:
        """Return what a client needs to trust the server."""
        return ssl.create_default_context(cafile=str(self.authority))
