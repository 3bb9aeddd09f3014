"""From a host and a port to a transport: plain, over TLS, through a proxy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

from tulip_net._address import check_host, check_port
from tulip_net._connect import ATTEMPT_DELAY, create_connection
from tulip_net._resolve import Resolver, getaddrinfo
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls import client_context, start_tls
from tulip_net.tls._start import CLOSING_TIMEOUT
from tulip_sched import Coroutine, Gen, coroutine

if TYPE_CHECKING:
    import ssl as _ssl

__all__ = ["Connector", "create_transport"]


class Connector(Protocol):
    """Whatever makes a connection to a host and a port.

    `create_transport` is one, and so is a `functools.partial` of it with some of its options. A
    proxy is one that was made from another, so proxies can be chained.
    """

    def __call__(self, host: str, port: int, /) -> Coroutine[Transport]:
        """Connect, and return a transport.

        Raises:
            NetError: It could not.

        Cancelling closes what was opened.
        """
        ...


@coroutine
def create_transport(
    host: str,
    port: int,
    *,
    ssl: bool | _ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    session: _ssl.SSLSession | None = None,
    proxy: Connector | None = None,
    family: int = socket.AF_UNSPEC,
    local_address: tuple[str, int] | None = None,
    attempt_delay: float = ATTEMPT_DELAY,
    resolver: Resolver = getaddrinfo,
    closing_timeout: float | None = CLOSING_TIMEOUT,
    truncation_ok: bool = False,
) -> Gen[Transport]:
    """Connect to a host and return a transport, with TLS if asked for.

    Args:
        host: As for `create_connection`.
        port: Likewise.
        ssl: ``True`` for TLS verified against the system's trust store, or a context of one's
            own. ``None`` or ``False`` for none.
        server_hostname: The name the certificate must be good for; default: ``host``.
        session: As for `start_tls`.
        proxy: Makes the connection, such as a `Socks5Proxy`; the four options that follow then
            have no effect, as it is the proxy that looks the name up and connects.
        family: As for `create_connection`.
        local_address: Likewise.
        attempt_delay: Likewise.
        resolver: Likewise.
        closing_timeout: As for `start_tls`.
        truncation_ok: Likewise.

    Raises:
        ResolveError, ConnectError, CertificateError, TlsError, ValueError, TypeError: As for
            `create_connection` and `start_tls`.
        ProxyError: The proxy did not make the connection.

    Cancelling closes every socket that was opened.
    """
    if server_hostname is not None and not ssl:
        raise ValueError(f"server_hostname={server_hostname!r} is of no use without ssl")
    check_host(host)
    check_port(port, lowest=1)
    transport: Transport
    if proxy is not None:
        if not callable(proxy):  # and a URL may have a password, which is nothing to show
            raise TypeError(
                "a proxy is a connector, such as proxy_from_url() makes of a URL, "
                f"got a {type(proxy).__name__}"
            )
        transport = yield from proxy(host, port)
    else:
        sock = yield from create_connection(
            host,
            port,
            family=family,
            local_address=local_address,
            attempt_delay=attempt_delay,
            resolver=resolver,
        )
        transport = SocketTransport(sock)
    if not ssl:
        return transport
    try:
        return (
            yield from start_tls(
                transport,
                client_context() if ssl is True else ssl,
                server_hostname=server_hostname or host.partition("%")[0],
                session=session,
                closing_timeout=closing_timeout,
                truncation_ok=truncation_ok,
            )
        )
    except BaseException:
        transport.close()
        raise
