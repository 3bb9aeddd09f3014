"""The beginning of TLS on a transport."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tulip_net._errors import BrokenError
from tulip_net._seconds import check_seconds
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net.tls._context import client_context
from tulip_net.tls._failures import translate, wants_input
from tulip_net.tls._transport import SslTransport
from tulip_sched import Gen, coroutine

if TYPE_CHECKING:
    import ssl

__all__ = ["CLOSING_TIMEOUT", "check_context", "start_tls"]

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
) -> Gen[SslTransport]:
    """Speak TLS from now on, over a transport on which nobody is waiting.

    Args:
        transport: What to run over. The new transport owns it; it is closed if the handshake
            fails or is cancelled.
        context: Default for a client: `client_context`, which verifies. A server needs one.
        server_hostname: The name, or address, that the server's certificate must be good for. A
            dot at its end is not sent, and not looked for in the certificate.
        server_side: Answer the handshake instead of opening it.
        session: A session of an earlier connection to the same server, to resume.
        closing_timeout: Seconds that ``aclose`` waits for the peer at most; ``None``: no limit.
        truncation_ok: Take a stream cut short for an end. Only right if what runs inside says
            where its messages end.

    Raises:
        CertificateError: The peer's certificate does not verify.
        TruncatedError: The peer left during the handshake.
        TlsError: The handshake failed otherwise.
        BrokenError: The connection failed.
        BusyError: A task is waiting on ``transport``, a socket's or one of TLS; both are unharmed.
        ValueError: The arguments do not fit together, ``server_hostname`` can be no name, or
            ``closing_timeout`` is negative. ``transport`` is left as it is.
        TypeError: ``server_hostname`` is no text, ``context`` none, or ``closing_timeout`` no
            number; likewise.

    Source: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 6066 section 3 (server name).
    """
    check_seconds("closing_timeout", closing_timeout)
    server_hostname = _checked_name(server_hostname)
    context = _checked_context(context, server_side, server_hostname)
    import ssl

    if isinstance(transport, SocketTransport | SslTransport):
        transport._check_idle()

    try:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
    except BaseException:
        transport.close()
        raise
    made = SslTransport(
        transport,
        incoming,
        outgoing,
        tls,
        closing_timeout=closing_timeout,
        truncation_ok=truncation_ok,
    )
    try:
        yield from _shake_hands(made, tls)
    except BaseException:
        made.close()
        raise
    return made


@coroutine
def _shake_hands(transport: SslTransport, tls: ssl.SSLObject) -> Gen[None]:
    if tls.server_side:
        yield from transport._fill()  # the client speaks first
    done = False
    while not done:
        try:
            tls.do_handshake()
            done = True
        except OSError as error:
            if not wants_input(error):
                with contextlib.suppress(BrokenError):
                    yield from transport._flush()  # the alert tells the peer why
                # No name for it here, where it would be in a circle with its own traceback.
                raise translate(
                    error, "the TLS handshake", transport, tls.server_hostname
                ) from error
        yield from transport._flush()
        if not done:
            yield from transport._fill()
    transport._ready = transport._incoming.pending > 0  # else a first read would fail


def _checked_name(name: str | None) -> str | None:
    """Return a server's name as TLS has it; a mistake is found before the transport is given away.

    Source: RFC 6066 section 3: "represented ... without a trailing dot", which DNS knows names by.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"server_hostname must be a str, got {name!r}")
    try:
        encoded = name.encode("idna")  # as `ssl` itself will, and close the transport if it cannot
    except UnicodeError as error:
        raise ValueError(f"server_hostname={name!r} is no name ({error})") from error
    if b"\0" in encoded:
        raise ValueError(f"server_hostname={name!r} is no name")
    return name.removesuffix(".") or name


def _checked_context(
    context: ssl.SSLContext | None, server_side: bool, server_hostname: str | None
) -> ssl.SSLContext:
    if context is None:
        if server_side:
            raise ValueError("a TLS server needs a context with a certificate")
        context = client_context()
    check_context(context, server_side=server_side)
    if not server_side and context.check_hostname and not server_hostname:
        raise ValueError("verifying needs the server_hostname that the certificate must be for")
    return context


def check_context(context: ssl.SSLContext, *, server_side: bool) -> None:
    """Refuse what is no context, or one for the other side.

    Raises:
        TypeError: It is none.
        ValueError: It is the other side's.
    """
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"the context of TLS must be an SSLContext, got {context!r}")
    if server_side and context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError("a TLS server got a context that is a client's, as client_context() makes")
    if not server_side and context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise ValueError("a TLS client got a context that is a server's, as server_context() makes")
