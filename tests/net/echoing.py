"""The server that most tests talk to, and a client of it."""

from tulip_net import BufferedReader, Gen, Transport, coroutine, fail_after


@coroutine
def echo(transport: Transport) -> Gen[None]:
    """Send back whatever comes, until the end."""
    while data := (yield from transport.recv(65536)):
        yield from transport.send(data)


@coroutine
def is_served(transport: Transport) -> Gen[None]:
    """Have one message echoed, and leave."""
    with fail_after(5):
        yield from transport.send(b"hello")
        assert (yield from BufferedReader(transport).readexactly(5)) == b"hello"
        yield from transport.aclose()
