"""Servers that misbehave: a client gets one of the network's errors, in time, and keeps nothing."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.net.half_handshake import STOPS, HalfAHandshake
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    ConnectError,
    Transport,
    create_transport,
    current_context,
    fail_after,
    listen,
    run,
    sleep,
)
from tulip_sched.testing import virtual_time

ROUNDS = 5


@contextmanager
def server(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept `ROUNDS` connections in a thread; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for _ in range(ROUNDS):
                handle(listener.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_reset_at_each_step_of_the_handshake(
    certificates: Certificates, version: ssl.TLSVersion, stop: float
) -> None:
    client = certificates.client_context()
    client.maximum_version = version
    context = certificates.server_context()

    def handle(sock: socket.socket) -> None:
        # Only a hello that was read is answered; before the first flight there is nothing to say.
        HalfAHandshake(context, server_side=True).reset_at(stop, sock)

    async def visit(port: int) -> Transport:
        transport = await create_transport("127.0.0.1", port, ssl=client)
        try:
            while await transport.recv(100):
                pass
        finally:
            transport.close()
        raise AssertionError("a reset looked like an end")

    async def main(port: int) -> None:
        for _ in range(ROUNDS):
            with pytest.raises((BrokenError, ConnectError)), fail_after(5):
                await visit(port)

    with server(handle) as port:
        run(main(port))


def test_a_server_that_says_nothing_is_left_at_the_deadline(certificates: Certificates) -> None:
    """The handshake waits for as long as the caller says; a connection is no promise of TLS."""

    async def main() -> None:
        now = current_context().eventloop.time
        listener = await listen("127.0.0.1")
        begun = now()
        with pytest.raises(TimeoutError), fail_after(3600):
            await create_transport("127.0.0.1", listener.port, ssl=certificates.client_context())
        assert now() - begun == pytest.approx(3600)
        deaf = await listener.accept()
        assert await deaf.recv(1000)  # our hello
        with fail_after(1):
            assert await deaf.recv(1000) == b""
        await sleep(0)
        deaf.close()
        listener.close()

    with virtual_time():
        run(main())
