"""Clients that misbehave: each costs the server only itself.

Those that take their time do so in virtual time: an hour of waiting takes none.
"""

import contextlib
import logging
import socket
import ssl
import struct

import pytest

from tests.net.echoing import echo, is_served
from tests.net.half_handshake import STOPS, HalfAHandshake
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    BufferedReader,
    Gen,
    Task,
    TaskGroup,
    Transport,
    call_in_thread,
    coroutine,
    create_task,
    create_transport,
    current_context,
    fail_after,
    listen,
    par,
    run,
    serve,
    sleep,
)
from tulip_sched.testing import virtual_time


def test_a_byte_a_second_and_the_others_are_served_at_once() -> None:
    @coroutine
    def lines(transport: Transport) -> Gen[None]:
        reader = BufferedReader(transport)
        while line := (yield from reader.readline()):
            yield from transport.send(line)

    @coroutine
    def dawdle(port: int) -> Gen[int]:
        transport = yield from create_transport("127.0.0.1", port)
        for _ in range(600):
            yield from transport.send(b"x")
            yield from sleep(1)
        yield from transport.send(b"\n")
        got = yield from BufferedReader(transport).readline()
        transport.close()
        return len(got)

    async def main() -> None:
        now = current_context().eventloop.time
        listener = await listen("127.0.0.1")
        server = create_task(serve(lines, listener))
        slow = [create_task(dawdle(listener.port)) for _ in range(20)]
        while not all(task.done() for task in slow):
            begun = now()
            transport = await create_transport("127.0.0.1", listener.port)
            await transport.send(b"quick\n")
            assert await transport.recv(100) == b"quick\n"
            transport.close()
            assert now() - begun < 0.1
            await sleep(30)
        assert [await task for task in slow] == [601] * 20
        assert now() >= 600
        listener.close()
        await server

    with virtual_time():
        run(main())


def test_one_that_never_reads_is_cut_off_at_the_deadline() -> None:
    held: list[int] = []

    @coroutine
    def flood(transport: Transport) -> Gen[None]:
        kind = yield from transport.recv(1)
        if kind == b"e":
            yield from echo(transport)
        try:
            yield from transport.send(bytes(64 * 1024 * 1024))
        finally:
            held.append(transport.unsent)

    async def main() -> None:
        now = current_context().eventloop.time
        listener = await listen("127.0.0.1")
        server: Task[None] = create_task(serve(flood, listener, grace=30))
        deaf = await create_transport("127.0.0.1", listener.port)
        await deaf.send(b"f")
        for _ in range(10):
            await sleep(360)
            transport = await create_transport("127.0.0.1", listener.port)
            await transport.send(b"e")
            await is_served(transport)
        begun = now()
        listener.close()
        await server
        assert now() - begun == pytest.approx(30)
        deaf.close()

    with virtual_time():
        run(main())
    assert len(held) == 11
    assert max(held) > 32 * 1024 * 1024


def test_a_handshake_at_a_byte_a_second_ends_at_its_deadline(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tulip_net")
    context = certificates.client_context()
    hello = HalfAHandshake(context, server_hostname="localhost").hello()

    @coroutine
    def dawdle(port: int) -> Gen[int]:
        """Return how many seconds it was borne."""
        transport = yield from create_transport("127.0.0.1", port)
        seconds = 0
        with contextlib.suppress(BrokenError):
            for number in range(len(hello)):
                yield from transport.send(hello[number : number + 1])
                yield from sleep(1)
                seconds += 1
        transport.close()
        return seconds

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(echo, listener, ssl=certificates.server_context()))
        slow = [create_task(dawdle(listener.port)) for _ in range(20)]
        await sleep(10)
        await is_served(await create_transport("127.0.0.1", listener.port, ssl=context))
        # HANDSHAKE_TIMEOUT; the kernel tells of the reset one byte later.
        assert {await task for task in slow} <= {30, 31}
        listener.close()
        await server

    with virtual_time():
        run(main())
    assert caplog.text.count("timed out after 30 seconds") == 20


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_reset_at_each_step_of_the_handshake(
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    version: ssl.TLSVersion,
    stop: float,
) -> None:
    caplog.set_level(logging.INFO, "tulip_net")
    context = certificates.client_context()
    context.maximum_version = version

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(echo, listener, ssl=certificates.server_context()))
        for _ in range(5):
            await call_in_thread(visit, stop, context, listener.port)
        await is_served(await create_transport("127.0.0.1", listener.port, ssl=context))
        listener.close()
        with fail_after(5):
            await server

    run(main())
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert len(caplog.records) == 5


def visit(stop: float, context: ssl.SSLContext, port: int) -> None:
    tls = HalfAHandshake(context, server_hostname="localhost")
    tls.reset_at(stop, socket.create_connection(("127.0.0.1", port)))


@pytest.mark.parametrize("kind", ["network", "both"])
def test_a_group_of_the_networks_errors_alone_is_no_failure_of_the_handler(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that sends and receives at the same time does so in a group, as most do."""
    caplog.set_level(logging.INFO, "tulip_net")

    async def talk(transport: Transport) -> None:
        async with TaskGroup() as group:
            group.start_soon(transport.recv(100))
            group.start_soon(par(transport.send(bytes(10_000_000)), sleep(60)))
            if kind == "both":
                await sleep(0.001)
                raise LookupError("the handler's own")

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(talk, listener))
        client = socket.create_connection(("127.0.0.1", listener.port))
        await sleep(0.001)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()  # which resets
        await sleep(0.001)
        listener.close()
        await server

    with virtual_time():
        run(main())
    (record,) = caplog.records
    if kind == "both":
        assert record.levelname == "ERROR"
        assert record.exc_info
    else:
        assert record.levelname == "INFO"
        assert "Connection reset by peer" in caplog.text
        assert "group" not in caplog.text
