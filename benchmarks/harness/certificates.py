"""A certificate for loopback, made on the spot."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: an authority, and a server's key and chain."""

    authority: Path
    server: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make new ones in a folder: elliptic curve keys, which is what trustme makes."""
        made = cls(folder / "authority.pem", folder / "server.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(made.authority))
        server = authority.issue_cert("localhost", "127.0.0.1")
        server.private_key_and_cert_chain_pem.write_to_path(str(made.server))
        return made


def server_context(file: str | None) -> ssl.SSLContext | None:
    """Return the context of a server, the same for all competitors; none without a file."""
    if file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def client_context(authority: str | None) -> ssl.SSLContext | None:
    """Return the context of a client that trusts only our authority; none without a file."""
    return None if authority is None else ssl.create_default_context(cafile=authority)
