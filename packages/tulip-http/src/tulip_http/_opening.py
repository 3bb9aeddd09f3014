"""Opening a connection: find the address, connect, agree on TLS; and what went wrong, in words."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from tulip_http._errors import CertificateError, ConnectError
from tulip_net import CertificateError as NetCertificateError
from tulip_net import Gen, NetError, Transport, coroutine, create_transport

if TYPE_CHECKING:
    import ssl

    from tulip_http._url import Origin

TlsTypes: TypeAlias = "ssl.SSLContext | bool"
"""What is accepted as ``tls``: True to verify against the system's trust store, False to verify
nothing, or a context of one's own."""


@coroutine
def open_transport(origin: Origin, tls: TlsTypes) -> Gen[Transport]:
    """Connect to an origin.

    Raises:
        CertificateError: The server's certificate does not verify.
        ConnectError: Anything else; the message says where it failed.
    """
    if not origin.port:
        raise ConnectError(f"port 0 of {origin} cannot be connected to")
    ssl = None if origin.scheme == "http" else tls or _unverified()
    try:
        return (yield from create_transport(origin.host, origin.port, ssl=ssl))
    except NetCertificateError as error:
        raise CertificateError(str(error)) from error
    except NetError as error:
        raise ConnectError(str(error)) from error


@functools.cache
def _unverified() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
