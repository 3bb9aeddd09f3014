"""TLS in TLS: stunnel takes the outer layer off, or puts it on, and somebody speaks the inner."""

from collections.abc import Callable
from pathlib import Path

from tests.net.openssl import s_server
from tests.net.stunnel import stunnel
from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    Coroutine,
    Gen,
    SslTransport,
    Transport,
    coroutine,
    create_task,
    create_transport,
    listen,
    run,
    serve,
    start_tls,
    with_timeout,
)

LINES = (b"hello", b"x" * 15_000, b"world")


@coroutine
def talk(transport: Transport) -> Gen[None]:
    """Send lines of several sizes and get them back, reversed."""
    reader = BufferedReader(transport)
    for line in LINES:
        yield from transport.send(line + b"\n")
        assert (yield from with_timeout(5, reader.readline())) == line[::-1] + b"\n"


@coroutine
def reverse(transport: Transport) -> Gen[None]:
    reader = BufferedReader(transport)
    while line := (yield from reader.readline()):
        yield from transport.send(line[-2::-1] + b"\n")


def test_our_inner_tls_through_stunnels_outer_tls_to_openssl(
    certificates: Certificates, tmp_path: Path
) -> None:
    context = certificates.client_context()

    async def main(port: int) -> None:
        outer = await create_transport("127.0.0.1", port, ssl=context)
        inner = await start_tls(outer, context, server_hostname="localhost")
        assert isinstance(outer, SslTransport)
        assert (outer.version, inner.version) == ("TLSv1.3", "TLSv1.2")
        await talk(inner)
        await with_timeout(5, inner.aclose())
        assert outer.closed

    certificate = f"cert = {certificates.server_file}"
    with (
        s_server(certificates.server_file, "-rev", "-quiet", "-tls1_2") as target,
        stunnel(tmp_path, target, certificate) as port,
    ):
        run(main(port))


def test_our_server_inside_stunnels_tls(certificates: Certificates, tmp_path: Path) -> None:
    """stunnel speaks the outer TLS as a client: our server peels off two layers."""
    context = certificates.server_context()

    @coroutine
    def peel(outer: Transport) -> Gen[None]:
        inner = yield from start_tls(outer, context, server_side=True)
        yield from reverse(inner)
        yield from inner.aclose()

    @coroutine
    def visit(port: int) -> Gen[None]:
        transport = yield from create_transport(
            "127.0.0.1", port, ssl=certificates.client_context()
        )
        yield from talk(transport)
        yield from with_timeout(5, transport.aclose())

    run(behind_stunnel(tmp_path, certificates, peel, visit))


def test_a_plain_client_of_stunnel_reaches_our_tls_server(
    certificates: Certificates, tmp_path: Path
) -> None:
    """stunnel is the TLS client, and verifies our server; half a close goes through it."""

    @coroutine
    def visit(port: int) -> Gen[None]:
        transport = yield from create_transport("127.0.0.1", port)
        yield from talk(transport)
        yield from transport.send(b"the end\n")
        yield from transport.send_eof()
        assert (yield from with_timeout(5, BufferedReader(transport).read())) == b"dne eht\n"
        transport.close()

    run(behind_stunnel(tmp_path, certificates, reverse, visit))


@coroutine
def behind_stunnel(
    folder: Path,
    certificates: Certificates,
    handler: Callable[[Transport], Coroutine[None]],
    visit: Callable[[int], Coroutine[None]],
) -> Gen[None]:
    """Serve TLS, put stunnel before it as the TLS client, and visit stunnel."""
    options = ("client = yes", f"CAfile = {certificates.authority_file}", "verifyChain = yes")
    listener = yield from listen("127.0.0.1")
    server = create_task(serve(handler, listener, ssl=certificates.server_context()))
    with stunnel(folder, listener.port, *options, "checkHost = localhost") as port:
        yield from visit(port)
        listener.close()
        yield from server
