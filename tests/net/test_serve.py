"""Serving at several addresses, in front of a crowd, and in several loops."""

import gc
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.net.echoing import echo, is_served
from tests.opponents.certificates import Certificates
from tulip_net import (
    BusyError,
    Gen,
    Listener,
    SocketTransport,
    Transport,
    TruncatedError,
    coroutine,
    create_task,
    create_transport,
    create_unix_transport,
    current_context,
    fail_after,
    listen,
    listen_unix,
    run,
    serve,
    shield,
    sleep,
)
from tulip_sched.testing import virtual_time

LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def test_several_addresses_share_a_port() -> None:
    async def main() -> None:
        listener = await listen(LOOPBACK)
        assert listener.addresses == [(host, listener.port) for host in LOOPBACK]
        server = create_task(serve(echo, listener))
        for host in LOOPBACK:
            await is_served(await create_transport(host, listener.port))
        listener.close()
        await server
        with pytest.raises(ValueError, match="at least one socket"):
            await listen(())

    run(main())


def test_several_listeners_are_served_until_all_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        tcp, unix = await listen(LOOPBACK[:2]), await listen_unix(path)
        server = create_task(serve(echo, tcp, unix))
        for _ in range(3):
            for host in LOOPBACK[:2]:
                await is_served(await create_transport(host, tcp.port))
            await is_served(await create_unix_transport(path))
        tcp.close()
        for _ in range(2):
            await is_served(await create_unix_transport(path))
        assert not server.done()
        unix.close()
        with fail_after(5):
            await server

    run(main())


def test_a_cancelled_server_closes_all_its_listeners(tmp_path: Path) -> None:
    async def main() -> None:
        listeners = [await listen(LOOPBACK), await listen_unix(tmp_path / "socket")]
        server = create_task(serve(echo, *listeners))
        await sleep(0.001)
        server.cancel()
        await server.wait()
        assert all(listener.closed for listener in listeners)

    run(main())


def test_a_server_that_is_cancelled_twice_waits_for_its_handlers_all_the_same() -> None:
    """As is somebody in a hurry: what the handlers still do is done when the server has ended."""
    ended = False

    async def handler(transport: Transport) -> None:
        nonlocal ended
        try:
            await transport.recv(1)
        finally:
            with shield():
                await sleep(0.01)
            ended = True

    async def main() -> None:
        listener = await listen(LOOPBACK[0])
        server = create_task(serve(handler, listener))
        client = await create_transport(LOOPBACK[0], listener.port)
        await sleep(0.001)
        for _ in range(2):
            server.cancel()
            await sleep(0)
        await server.wait()
        assert ended
        client.close()

    with virtual_time():
        run(main())


def test_one_cap_holds_for_all_listeners(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    active, most = 0, 0

    async def handler(transport: Transport) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await transport.recv(1)
        active -= 1

    async def main() -> None:
        tcp, unix = await listen(LOOPBACK[0]), await listen_unix(path)
        server = create_task(serve(handler, tcp, unix, max_connections=3))
        clients: list[Transport] = []
        for _ in range(4):
            clients.append(await create_transport(LOOPBACK[0], tcp.port))
            clients.append(await create_unix_transport(path))
        await sleep(0.01)
        assert active == 3
        for client in clients:
            await client.send(b"x")
            await client.recv(1)
            client.close()
        tcp.close()
        unix.close()
        await server

    run(main())
    assert (active, most) == (0, 3)


def test_a_crowd_at_one_address_does_not_keep_the_others_out() -> None:
    """Accepting goes around, whatever the crowd: the other one is third at the latest."""

    async def main() -> None:
        listener = await listen(LOOPBACK[:2])
        with fail_after(5):
            crowd = [await create_transport(LOOPBACK[0], listener.port) for _ in range(20)]
            other = await create_transport(LOOPBACK[1], listener.port)
            accepted = [await listener.accept() for _ in range(3)]
        assert isinstance(other, SocketTransport)
        assert other.local_address in [each.peer_address for each in accepted]
        for transport in (*crowd, other, *accepted):
            transport.close()
        listener.close()

    run(main())


def test_a_crowd_does_not_keep_the_connections_from_being_served() -> None:
    """The first of hundreds has its turn long before the last of them is accepted."""
    under_way: list[int] = []

    async def handler(transport: Transport) -> None:
        under_way.append(len(current_context().tasks))
        await transport.recv(1)

    async def main() -> None:
        listener = await listen("127.0.0.1")
        crowd = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(300)]
        server = create_task(serve(handler, listener))
        while len(under_way) < len(crowd):
            await sleep(0.001)
        for sock in crowd:
            sock.close()
        listener.close()
        await server

    run(main())
    assert under_way[0] < 100
    assert under_way[-1] > 300


def test_reuse_port_spreads_connections_over_loops_in_threads() -> None:
    """One loop per thread: each has a socket of its own on the same port."""
    served: list[int] = []
    ready = threading.Barrier(3)
    listeners: list[Listener] = []
    loops = []

    @coroutine
    def main(port: int) -> Gen[None]:
        listener = yield from listen("127.0.0.1", port, reuse_port=True)
        listeners.append(listener)
        loops.append(current_context().eventloop)
        ready.wait(5)

        @coroutine
        def count(transport: Transport) -> Gen[None]:
            served.append(threading.get_ident())
            yield from echo(transport)

        yield from serve(count, listener)

    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        threads = [threading.Thread(target=lambda: run(main(port))) for _ in range(2)]
        for thread in threads:
            thread.start()
        ready.wait(5)
        for _ in range(40):  # 1 in 2**39 that the kernel sends all of them to one
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        for loop, listener in zip(loops, listeners, strict=True):
            loop.call_soon_threadsafe(listener.close)
        for thread in threads:
            thread.join(5)
    assert len(set(served)) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_stream_whose_handler_failed_does_not_end_as_if_it_were_whole(
    certificates: Certificates, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS tells an end from a cut, and so must the server."""

    async def handler(transport: Transport) -> None:
        await transport.send(b"so far")
        if fails:
            raise LookupError("the rest")

    async def main() -> None:
        with await listen("127.0.0.1") as listener:
            server = create_task(serve(handler, listener, ssl=certificates.server_context()))
            context = certificates.client_context()
            transport = await create_transport("127.0.0.1", listener.port, ssl=context)
            async with transport:
                assert await transport.recv(100) == b"so far"
                if fails:
                    with pytest.raises(TruncatedError):
                        await transport.recv(100)
                else:
                    assert await transport.recv(100) == b""
        await server

    run(main())
    assert [record.levelname for record in caplog.records] == ["ERROR"] * fails


def test_accepted_connections_send_small_messages_at_once() -> None:
    """Without TCP_NODELAY a second small message waits for the peer to acknowledge the first."""

    async def main() -> None:
        with await listen(LOOPBACK[:2]) as listener:
            for host in LOOPBACK[:2]:
                async with await create_transport(host, listener.port):
                    with (await listener.accept()).detach() as sock:
                        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main())


def test_one_address_that_cannot_be_had_leaves_none_taken() -> None:
    nobodys = "192.0.2.1"  # RFC 5737: for documentation

    async def main() -> None:
        with await listen(LOOPBACK[0]) as probe:
            port = probe.port
        with pytest.raises(OSError, match=f"cannot listen on {nobodys}:{port}"):
            await listen([LOOPBACK[0], nobodys], port)
        (await listen(LOOPBACK[0], port)).close()

    run(main())


def test_a_handler_that_is_no_coroutine_function_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def forgot(transport: Transport) -> None:
        transport.close()

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(forgot, listener))  # type: ignore[arg-type]
        client = await create_transport("127.0.0.1", listener.port)
        assert await client.recv(1) == b""
        client.close()
        listener.close()
        await server

    run(main())
    assert "a handler must be a coroutine function" in caplog.text
    assert "forgot" in caplog.text


@pytest.mark.parametrize("several", [False, True])
def test_a_full_server_that_is_closed_does_not_wait_for_its_handlers(
    tmp_path: Path, several: bool
) -> None:
    """The time of grace begins with the close, not with the next handler that ends."""

    async def main() -> None:
        more = [await listen_unix(tmp_path / "socket")] if several else []
        listener = await listen("127.0.0.1")
        server = create_task(serve(echo, listener, *more, max_connections=1, grace=0.001))
        clients = [await create_transport("127.0.0.1", listener.port) for _ in range(2)]
        await clients[0].send(b"x")
        assert await clients[0].recv(1) == b"x"
        for each in (listener, *more):
            each.close()
        with fail_after(5):
            await server
            assert await clients[0].recv(1) == b""
        for client in clients:
            client.close()

    run(main())


@pytest.mark.parametrize(
    "wrong,error",
    [
        ({"grace": -1}, ValueError),
        ({"grace": "10"}, TypeError),
        ({"handshake_timeout": float("nan")}, ValueError),
        ({"max_connections": 0}, ValueError),
    ],
    ids=str,
)
def test_a_limit_that_cannot_be_is_refused_at_once(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    """And not by the first connection, or when the server is to stop, weeks later."""

    async def main() -> None:
        [(name, value)] = wrong.items()
        with await listen("127.0.0.1") as listener, fail_after(5):
            with pytest.raises(error, match=f"{name} must be .* got {value!r}"):
                await serve(echo, listener, **wrong)
            assert not listener.closed, "it is still the caller's"

    run(main())


@pytest.mark.parametrize("several", [False, True])
def test_a_second_server_at_one_listener_is_refused_and_the_first_is_unharmed(
    several: bool,
) -> None:
    async def main() -> None:
        listener, another = await listen("127.0.0.1"), await listen("127.0.0.1")
        server = create_task(serve(echo, listener))
        await sleep(0.001)
        with fail_after(5), pytest.raises(BusyError):
            await serve(echo, *([another] if several else []), listener)
        gc.collect()  # what it made of the two is nobody's to close
        await is_served(await create_transport("127.0.0.1", listener.port))
        listener.close()
        another.close()
        await server

    run(main())
