"""Opening a connection: find the address, connect, agree on TLS; and what went wrong, in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, final

from tulip_http._errors import CertificateError, ConnectError, HTTPError
from tulip_http._info import ConnectionInfo
from tulip_net import CertificateError as NetCertificateError
from tulip_net import (
    Coroutine,
    Gen,
    NetError,
    SocketTransport,
    SslTransport,
    Transport,
    client_context,
    coroutine,
    create_connection,
    current_context,
    getaddrinfo,
    start_tls,
)

if TYPE_CHECKING:
    import ssl

    from tulip_http._url import Origin
    from tulip_net import AddressInfo

TlsTypes: TypeAlias = "ssl.SSLContext | bool"
"""What is accepted as ``tls``: True to verify against the system's trust store, False to verify
nothing, or a context of one's own."""

Connect: TypeAlias = "Callable[[Origin], Coroutine[Transport]]"
"""Opens a connection to an origin, TLS included."""


@coroutine
def open_transport(
    origin: Origin, tls: TlsTypes, connect: Connect | None
) -> Gen[tuple[Transport, ConnectionInfo]]:
    """Connect to an origin, and say whom that led to.

    Raises:
        CertificateError: The server's certificate does not verify.
        ConnectError: Anything else; the message says where it failed.
    """
    try:
        if connect is not None:
            transport = yield from connect(origin)
            return transport, ConnectionInfo(getattr(transport, "peer_address", None))
        if not origin.port:
            raise ConnectError(f"port 0 of {origin} cannot be connected to")
        return (yield from _Opening().run(origin, tls))
    except HTTPError:  # of a caller's own way to connect; some are an OSError, too
        raise
    except NetCertificateError as error:
        raise CertificateError(str(error)) from error
    except (NetError, OSError) as error:  # OSError: of a caller's own way to connect
        raise ConnectError(f"{origin}: {error}" if connect else str(error)) from error


def checked_tls(tls: TlsTypes) -> TlsTypes:
    """Return what was given as ``tls``; a mistake must not be found by the first connection.

    Raises:
        TypeError: It is neither. None in particular could be taken for "no verification".
    """
    if isinstance(tls, bool) or hasattr(tls, "wrap_bio"):  # without importing ssl
        return tls
    raise TypeError(f"tls is True, False or an SSLContext, got {tls!r}")


@final
class _Opening:
    """The way to one connection, with the time each step took."""

    def __init__(self) -> None:
        self._time = current_context().eventloop.time
        self._name = 0.0

    @coroutine
    def run(self, origin: Origin, tls: TlsTypes) -> Gen[tuple[Transport, ConnectionInfo]]:
        began = self._time()
        sock = yield from create_connection(origin.host, origin.port, resolver=self._resolve)
        connected = self._time()
        transport = SocketTransport(sock)
        connect = connected - began - self._name
        if origin.scheme == "http":
            peer = transport.peer_address
            return transport, ConnectionInfo(peer, name=self._name, connect=connect)
        context = client_context() if tls is True else tls or _unverified()
        name = origin.host.partition("%")[0]  # an address' zone is nobody's certificate's business
        try:
            secured: SslTransport = yield from start_tls(transport, context, server_hostname=name)
        except BaseException:
            transport.close()
            raise
        return secured, ConnectionInfo(
            secured.peer_address,
            secured.peer_certificate,
            secured.version,
            name=self._name,
            connect=connect,
            tls=self._time() - connected,
        )

    @coroutine
    def _resolve(self, host: str, port: int, **options: Any) -> Gen[list[AddressInfo]]:
        began = self._time()
        answers = yield from getaddrinfo(host, port, **options)
        self._name = self._time() - began
        return answers


@functools.cache
def _unverified() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
