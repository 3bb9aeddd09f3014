"""Whom to trust: TLS contexts.

Loading the system's certificates takes some 25 ms, so one client context serves the process (one
for each list of ALPN protocols that is asked for).
"""

from __future__ import annotations

import functools
import ssl
import sys
import threading
from pathlib import Path
from typing import Final

import truststore

__all__ = ["client_context", "server_context", "verifies_after_handshake"]

CA_FILES: Final = (
    "/etc/ssl/cert.pem",  # Alpine, Arch, the BSDs
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/cert.pem",  # their older releases
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""Where systems keep their certificates when OpenSSL was built to look elsewhere.

The same list as truststore's, which does not offer it."""

_making = threading.Lock()


def client_context(*alpn: str) -> ssl.SSLContext:
    """Return the process's shared client context: it verifies against the system's trust store.

    Args:
        alpn: Application protocols to offer, the preferred one first, such as ``"h2"``.

    The context is shared: whoever wants to change one makes their own.

    Source: RFC 7301 (ALPN).
    """
    with _making:  # two threads must not both pay for the loading
        return _client_context(alpn)


def server_context(
    certificate: str | Path, key: str | Path | None = None, *, alpn: tuple[str, ...] = ()
) -> ssl.SSLContext:
    """Make a server context.

    Args:
        certificate: A PEM file with the certificate, followed by its intermediates.
        key: A PEM file with the private key; default: the same file.
        alpn: Application protocols to accept, the preferred one first.

    Raises:
        OSError: A file cannot be read, or the key does not belong to the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    _harden(context, alpn)
    return context


def verifies_after_handshake(context: ssl.SSLContext) -> bool:
    """Whether a context does its verifying outside of OpenSSL, once the handshake is over.

    truststore does so on macOS and Windows, and older versions of it only for memory buffers.
    """
    return isinstance(context, truststore.SSLContext) and sys.platform in {"darwin", "win32"}


@functools.cache
def _client_context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    context: ssl.SSLContext
    if sys.platform in {"darwin", "win32"}:
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        # Elsewhere the store is a file that OpenSSL reads. truststore would read it again for
        # each connection, which takes 35 ms.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_system_store(context)
    _harden(context, alpn)
    return context


def _load_system_store(context: ssl.SSLContext) -> None:
    context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).glob("*.[0-9]"))):
        return
    for file in CA_FILES:
        if Path(file).is_file():
            context.load_verify_locations(file)
            return


def _harden(context: ssl.SSLContext, alpn: tuple[str, ...]) -> None:
    # Renegotiation has brought attacks and no use (RFC 9325 section 3.4); TLS 1.3 removed it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
