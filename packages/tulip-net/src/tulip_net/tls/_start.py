"""The handshake, and the choice between the two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tulip_net._errors import BrokenError
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls._context import client_context, verifies_after_handshake
from tulip_sched import Gen, coroutine

if TYPE_CHECKING:
    import ssl

    from tulip_net.tls._on_descriptor import DescriptorTls
    from tulip_net.tls._over_transport import LayeredTls
    from tulip_net.tls._transport import SslTransport

__all__ = ["CLOSING_TIMEOUT", "start_tls"]

CLOSING_TIMEOUT = 2.0
"""Seconds: a few round trips of the slowest paths; a peer that is longer about it has gone."""


@coroutine
def start_tls(
    transport: Transport,
    context: ssl.SSLContext | None = None,
    *,
    server_hostname: str | None = None,
    server_side: bool = False,
    session: ssl.SSLSession | None = None,
    closing_timeout: float | None = CLOSING_TIMEOUT,
    truncation_ok: bool = False,
    half_close: bool = False,
) -> Gen[SslTransport]:
    """Speak TLS from now on, over a transport on which nobody is waiting.

    Args:
        transport: What to run over. The new transport owns it; it is closed if the handshake
            fails or is cancelled.
        context: Default for a client: `client_context`, which verifies. A server needs one.
        server_hostname: The name, or address, that the server's certificate must be good for.
        server_side: Answer the handshake instead of opening it.
        session: A session of an earlier connection to the same server, to resume.
        closing_timeout: Seconds that ``aclose`` waits for the peer at most; ``None``: no limit.
        truncation_ok: Take a stream cut short for an end. Only right if what runs inside says
            where its messages end.
        half_close: Support ``send_eof``. It costs about a quarter more CPU per message.

    Raises:
        CertificateError: The peer's certificate does not verify.
        TruncatedError: The peer left during the handshake.
        TlsError: The handshake failed otherwise.
        BrokenError: The connection failed.
        BusyError: A task is waiting on ``transport``; both are unharmed.
        ValueError: The arguments do not fit together, or ``server_hostname`` can be no name.
        TypeError: ``server_hostname`` is no text.

    Source: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 6066 section 3 (server name).
    """
    context = _check(context, server_side, server_hostname)
    tls: DescriptorTls | LayeredTls
    if (
        isinstance(transport, SocketTransport)
        and not half_close
        and not verifies_after_handshake(context)
    ):
        from tulip_net.tls._on_descriptor import DescriptorTls

        peer_address = transport.peer_address
        tls = DescriptorTls(
            _wrap(transport, context, server_side, server_hostname, session),
            peer_address=peer_address,
            closing_timeout=closing_timeout,
            truncation_ok=truncation_ok,
        )
    else:
        from tulip_net.tls._over_transport import LayeredTls

        try:
            tls = LayeredTls(
                transport,
                context,
                server_side=server_side,
                server_hostname=server_hostname,
                session=session,
                closing_timeout=closing_timeout,
                truncation_ok=truncation_ok,
            )
        except BaseException:
            transport.close()
            raise
    try:
        yield from tls.handshake()
    except BaseException:
        tls.close()
        raise
    return tls


def _wrap(
    transport: SocketTransport,
    context: ssl.SSLContext,
    server_side: bool,
    server_hostname: str | None,
    session: ssl.SSLSession | None,
) -> ssl.SSLSocket:
    sock = transport._let_go()
    try:
        return context.wrap_socket(  # detaches it
            sock,
            server_side=server_side,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            session=session,
        )
    except BaseException as error:
        sock.close()
        _close_half_made(error)
        if isinstance(error, OSError):  # the peer has reset the connection already
            raise BrokenError(f"the TLS handshake on {transport!r} failed: {error}") from error
        raise


def _close_half_made(error: BaseException) -> None:
    """Close the SSL socket that a failed ``wrap_socket`` has begun to make.

    It has the descriptor by then, but for some errors CPython does not close it: of a connection
    that was reset, of a name that cannot be encoded. Only the traceback still leads to it.
    """
    import ssl

    trace = error.__traceback__
    while trace is not None:
        half_made = trace.tb_frame.f_locals.get("self")
        if isinstance(half_made, ssl.SSLSocket):
            half_made.close()
        trace = trace.tb_next


def _check(
    context: ssl.SSLContext | None, server_side: bool, server_hostname: str | None
) -> ssl.SSLContext:
    if context is None:
        if server_side:
            raise ValueError("a TLS server needs a context with a certificate")
        context = client_context()
    if not server_side and context.check_hostname and not server_hostname:
        raise ValueError("verifying needs the server_hostname that the certificate must be for")
    if server_hostname is not None and not isinstance(server_hostname, str):
        raise TypeError(f"server_hostname must be a str, got {server_hostname!r}")
    if server_hostname:
        try:  # as `ssl` itself will, but only when it has the descriptor already
            name = server_hostname.encode("idna")
        except UnicodeError as error:
            raise ValueError(f"server_hostname={server_hostname!r} is no name ({error})") from error
        if b"\0" in name:
            raise ValueError(f"server_hostname={server_hostname!r} is no name")
    return context
