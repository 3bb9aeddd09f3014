"""Over TCP, epoll tells of input once, when it comes, when a connection has had some events."""

import asyncio
import socket
import weakref

import pytest

from tests.net.noting import registrations
from tests.net.raw import tcp_pair
from tulip_net import (
    SocketTransport,
    create_task,
    fail_after,
    move_on_after,
    run,
    sleep,
)
from tulip_net._socket_sending import EARLY
from tulip_sched import block_r, run_in_asyncio


async def grow_old(
    transport: SocketTransport, peer: socket.socket, messages: int = EARLY + 2
) -> None:
    for _ in range(messages):
        receiver = create_task(transport.recv(100))
        await sleep(0)
        peer.sendall(b"x")
        assert await receiver == b"x"


def test_a_connection_that_lasts_is_registered_once_more() -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a:
            await grow_old(a, theirs)

    number = ours.fileno()
    noted = registrations(main())
    assert [edge for fd, edge in noted if fd == number] == [False, True]
    theirs.close()


def test_a_connection_by_unix_is_not() -> None:
    """Its reads may be short with more behind: descriptors that were sent end one."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        with SocketTransport(ours) as a:
            await grow_old(a, theirs)

    number = ours.fileno()
    noted = registrations(main())
    assert [edge for fd, edge in noted if fd == number] == [False]
    theirs.close()


@pytest.mark.parametrize("into", [False, True], ids=["recv", "recv_into"])
def test_what_did_not_fit_is_received_next(into: bool) -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs)
            receiver = create_task(a.recv(100))
            await sleep(0)
            await b.send(b"12")
            assert await receiver == b"12"
            received = b""
            await b.send(b"abcd")
            with fail_after(5):
                while len(received) < len(b"abcd"):
                    buffer = bytearray(2)
                    if into:
                        await a.recv_into(buffer)
                    received += buffer if into else await a.recv(2)
            assert received == b"abcd"

    run(main())


@pytest.mark.parametrize("wrong", [b"read-only", bytearray(0)], ids=["read-only", "empty"])
def test_a_refused_buffer_loses_nothing(wrong: bytes | bytearray) -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs)
            await b.send(b"data")
            with pytest.raises((TypeError, ValueError)):
                await a.recv_into(wrong)
            with move_on_after(5):
                assert await a.recv(100) == b"data"
                return
            raise AssertionError("it waits for more")

    run(main())


def test_a_refused_limit_loses_nothing() -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs)
            await b.send(b"data")
            with pytest.raises(TypeError):
                await a.recv(4.5)  # type: ignore[arg-type]
            with move_on_after(5):
                assert await a.recv(100) == b"data"
                return
            raise AssertionError("it waits for more")

    run(main())


@pytest.mark.parametrize("in_asyncio", [False, True], ids=["alone", "in asyncio"])
def test_an_end_that_comes_with_the_data_is_heard_of(in_asyncio: bool) -> None:
    ours, theirs = tcp_pair()

    async def main() -> list[bytes]:
        received: list[bytes] = []
        with SocketTransport(ours) as a:
            await grow_old(a, theirs)
            receiver = create_task(_receive_all(a, received))
            await sleep(0.01)  # it waits
            theirs.send(b"last words")
            theirs.close()
            with fail_after(5):
                await receiver
        return received

    if in_asyncio:
        assert asyncio.run(run_in_asyncio(main())) == [b"last words"]
    else:
        assert run(main()) == [b"last words"]


async def _receive_all(transport: SocketTransport, received: list[bytes]) -> None:
    while data := await transport.recv(1000):
        received.append(data)


def test_data_behind_an_urgent_byte_is_received() -> None:
    ours, theirs = tcp_pair()
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def main() -> None:
        with SocketTransport(ours) as a:
            await grow_old(a, theirs)
            theirs.send(b"before")
            theirs.send(b"!", socket.MSG_OOB)
            theirs.send(b"behind")
            received = b""
            with fail_after(5):
                while len(received) < len(b"beforebehind"):
                    received += await a.recv(100)
            assert received == b"beforebehind"

    run(main())
    theirs.close()


@pytest.mark.parametrize("old", [False, True], ids=["young", "old"])
def test_what_a_receive_has_left_behind_disturbs(old: bool) -> None:
    """Of an old connection the kernel does not say it again."""
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs, EARLY + 2 if old else 1)
            receiver = create_task(a.recv(6))
            await sleep(0)
            await b.send(b"answer, and more")
            assert await receiver == b"answer"
            await sleep(0.01)  # the event loop looks again
            assert a.disturbed
            assert await a.recv(100) == b", and more"

    run(main())


def test_who_waits_for_the_same_socket_without_reading_is_told_each_time() -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs)
            await b.send(b"2")
            with fail_after(5):
                for _ in range(3):
                    await block_r(ours)
                assert await a.recv(100) == b"2"
                await b.send(b"3")
                assert await a.recv(100) == b"3"

    run(main())


def test_a_wait_that_is_cancelled_as_the_data_comes_loses_nothing() -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as a, SocketTransport(theirs) as b:
            await grow_old(a, theirs)
            for number in range(20):
                receiver = create_task(a.recv(100))
                await sleep(0)
                await b.send(bytes([number]))
                if number % 2:
                    await sleep(0)
                receiver.cancel()
                await receiver.wait()
                with fail_after(5):
                    got = await a.recv(100) if receiver.cancelled() else receiver.result()
                assert got == bytes([number])

    run(main())


@pytest.mark.usefixtures("no_collector")
def test_a_refused_argument_is_no_cycle() -> None:
    ours, theirs = tcp_pair()

    async def main() -> None:
        transport = SocketTransport(ours)
        theirs.send(b"x")
        with pytest.raises(TypeError):
            await transport.recv(4.5)  # type: ignore[arg-type]
        transport.close()
        gone = weakref.ref(transport)
        del transport
        assert gone() is None

    run(main())
    theirs.close()
