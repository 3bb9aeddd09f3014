"""Certificates made on the spot: an authority of our own, and servers that it vouches for."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """An authority, its certificate as a file, and a server's key and chain in one PEM file."""

    authority: trustme.CA
    authority_file: Path
    server_file: Path

    def client_context(self) -> ssl.SSLContext:
        """Return a verifying context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.authority_file))

    def server_context(
        self, *names: str, expires: datetime.datetime | None = None
    ) -> ssl.SSLContext:
        """Return a server's context, for the loopback names unless others are given.

        Args:
            names: Host names and addresses of the certificate.
            expires: When it ends; a moment in the past makes an expired certificate.
        """
        started = None if expires is None else expires - datetime.timedelta(days=1)
        certificate = self.authority.issue_cert(
            *(names or LOOPBACK_NAMES), not_before=started, not_after=expires
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One authority and one loopback server certificate for the whole run."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority_file, server_file = folder / "authority.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(authority_file))
    server = authority.issue_cert(*LOOPBACK_NAMES)
    server.private_key_and_cert_chain_pem.write_to_path(str(server_file))
    return Certificates(authority, authority_file, server_file)
