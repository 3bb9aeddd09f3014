"""The socket transport, beyond what every transport must do."""

import gc
import socket
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.net.raw import tcp_pair
from tulip_net import (
    BrokenError,
    BusyError,
    ClosedError,
    Gen,
    SocketTransport,
    coroutine,
    create_task,
    current_context,
    move_on_after,
    run,
    sleep,
)
from tulip_net._typing import override


class CountingSocket(socket.socket):
    """A real socket that counts what it was asked, and how often in vain."""

    received = 0
    in_vain = 0

    @override
    def recv(self, *args: int) -> bytes:
        self.received += 1
        try:
            return super().recv(*args)
        except BlockingIOError:
            self.in_vain += 1
            raise


def counting_pair() -> tuple[CountingSocket, socket.socket]:
    a, b = socket.socketpair()
    return CountingSocket(fileno=a.detach()), b


def reset(sock: socket.socket) -> None:
    """Close so that the peer gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_no_receive_is_tried_in_vain_after_a_short_one() -> None:
    ours, theirs = counting_pair()

    @coroutine
    def main() -> Gen[None]:
        a, b = SocketTransport(ours), SocketTransport(theirs)
        echo = create_task(_echo(b, 20))
        for number in range(20):
            yield from a.send(bytes([number]))
            assert (yield from a.recv(100)) == bytes([number])
        yield from echo
        a.close()
        b.close()

    run(main())
    assert ours.received - ours.in_vain == 20
    assert ours.in_vain <= 1  # the first one, before anything was known


@coroutine
def _echo(transport: SocketTransport, count: int) -> Gen[None]:
    for _ in range(count):
        data = yield from transport.recv(100)
        yield from transport.send(data)


def test_a_receive_that_was_filled_is_followed_by_another_try() -> None:
    ours, theirs = counting_pair()

    async def main() -> None:
        transport = SocketTransport(ours)
        theirs.sendall(b"abcdef")
        assert await transport.recv(2) == b"ab"
        for part in (b"cd", b"ef"):
            step = iter(transport.recv(2))
            with pytest.raises(StopIteration) as stop:  # it returns in its first step
                next(step)
            assert stop.value.value == part
        transport.close()
        theirs.close()

    run(main())
    assert ours.in_vain == 0


@pytest.mark.parametrize("doing", ["receiving", "sending"])
def test_a_reset_is_a_broken_error_with_its_cause(doing: str) -> None:
    async def main() -> None:
        a, b = tcp_pair()
        transport = SocketTransport(a)
        address = f"{b.getsockname()[0]}:{b.getsockname()[1]}"
        reset(b)
        with pytest.raises(BrokenError, match=f"{doing} on .*{address}.* failed: .*") as caught:
            await (transport.recv(1) if doing == "receiving" else transport.send(b"x"))
        assert isinstance(caught.value.__cause__, OSError)
        transport.close()

    run(main())


@pytest.mark.parametrize("first", ["send", "recv", "recv_into"])
@pytest.mark.parametrize("then", ["recv", "recv_into"])
def test_a_reset_does_not_become_an_end(first: str, then: str) -> None:
    """The kernel tells the error once, perhaps to the sender, and an end to whoever asks later."""
    ours, theirs = tcp_pair()

    async def use(transport: SocketTransport, name: str) -> None:
        argument = bytearray(1) if name == "recv_into" else b"x" if name == "send" else 1
        with pytest.raises(BrokenError, match="reset by peer"):
            await getattr(transport, name)(argument)

    async def main() -> None:
        with SocketTransport(ours) as transport:
            reset(theirs)
            await use(transport, first)
            for _ in range(2):
                await use(transport, then)

    run(main())


def test_an_end_before_a_reset_stays_one() -> None:
    """A peer that has said its last may take no more of ours: what it said is whole."""
    ours, theirs = tcp_pair()

    async def main() -> None:
        with SocketTransport(ours) as transport:
            theirs.sendall(b"whole")
            theirs.close()
            await transport.send(b"x")
            await sleep(0.001)  # which is answered with a reset
            with pytest.raises(BrokenError, match="Broken pipe"):
                await transport.send(b"x")
            assert await transport.recv(100) == b"whole"
            for _ in range(2):
                assert await transport.recv(100) == b""

    run(main())


def test_a_reset_while_waiting_wakes_the_receiver() -> None:
    async def main() -> None:
        a, b = tcp_pair()
        transport = SocketTransport(a)
        task = create_task(transport.recv(1))
        await sleep(0.005)
        reset(b)
        with pytest.raises(BrokenError, match="receiving on"):
            await task
        transport.close()

    run(main())


def drop(holder: list[SocketTransport]) -> None:
    holder.clear()
    gc.collect()  # the traceback of a cancelled receive may refer to it in a cycle


def test_a_dropped_transport_warns_and_closes() -> None:
    a, b = socket.socketpair()

    async def main() -> None:
        transport = SocketTransport(a)
        task = create_task(transport.recv(1))
        await sleep(0.001)
        task.cancel()
        await task.wait()
        del task
        holder = [transport]
        del transport
        with pytest.warns(ResourceWarning, match="dropped without a close"):
            drop(holder)
        assert a.fileno() < 0
        assert not current_context().watches

    run(main())
    assert b.recv(1) == b""
    b.close()


@pytest.mark.parametrize("waited", [False, True])
def test_a_transport_collected_in_another_thread_is_closed_as_well(waited: bool) -> None:
    a, b = socket.socketpair()
    holder: list[SocketTransport] = []

    async def main() -> None:
        holder.append(SocketTransport(a))
        if waited:
            task = create_task(holder[0].recv(1))
            await sleep(0)
            task.cancel()
            await task.wait()
            del task
        with (
            pytest.warns(ResourceWarning, match="dropped without a close"),
            ThreadPoolExecutor(1) as executor,
        ):
            executor.submit(holder.clear)
        assert a.fileno() < 0

    run(main())
    b.close()


def test_a_transport_may_be_closed_after_the_run() -> None:
    a, b = socket.socketpair()

    async def main() -> SocketTransport:
        transport = SocketTransport(a)
        with move_on_after(0.001):
            await transport.recv(1)
        return transport

    run(main()).close()
    assert a.fileno() < 0
    b.close()


@pytest.mark.parametrize("waited", [False, True])
def test_a_transport_without_its_socket_receives_nothing_more(waited: bool) -> None:
    ours, theirs = socket.socketpair()

    async def main() -> None:
        transport = SocketTransport(ours)
        if waited:
            theirs.send(b"x")
            assert await transport.recv(10) == b"x"
        with transport.detach(), theirs, pytest.raises(ClosedError, match="was closed"):
            await transport.recv(10)

    run(main())


def test_detach_gives_the_socket_away() -> None:
    async def main() -> None:
        a, b = socket.socketpair()
        transport = SocketTransport(a)
        task = create_task(transport.recv(1))
        await sleep(0.001)
        with pytest.raises(BusyError):
            transport.detach()
        b.send(b"x")
        assert await task == b"x"
        with transport.detach() as sock:
            assert sock.gettimeout() == 0
            sock.send(b"y")
            assert b.recv(1) == b"y"
        for use in (transport.recv(1), transport.send(b"x")):
            with pytest.raises(ClosedError):
                await use
        with pytest.raises(ClosedError):
            transport.detach()
        b.close()

    run(main())


def test_a_peer_that_is_gone_has_no_address() -> None:
    ours, theirs = tcp_pair()
    reset(theirs)
    with SocketTransport(ours) as transport:
        assert transport.peer_address is None
        assert "unnamed" in repr(transport) or "unknown" in repr(transport)


def test_an_end_after_the_peers_reset() -> None:
    """It is an error, unless ours had been said before: then it is said once more, and no news."""

    async def main() -> None:
        for ended in (False, True):
            ours, theirs = tcp_pair()
            with SocketTransport(ours) as transport:
                if ended:
                    await transport.send_eof()
                reset(theirs)
                if ended:
                    await transport.send_eof()
                else:
                    with pytest.raises(BrokenError, match="ending on"):
                        await transport.send_eof()
                with pytest.raises(BrokenError, match="reset by peer"):
                    await transport.recv(1)

    run(main())


@pytest.mark.usefixtures("no_collector")
def test_a_transport_that_failed_is_freed_at_once() -> None:
    """Its errors, once they are dealt with, are in no circle with it."""

    async def main() -> None:
        ours, theirs = tcp_pair()
        transport = SocketTransport(ours)
        reset(theirs)
        for _ in range(2):
            with suppress(BrokenError):
                await transport.recv(1)
        transport.close()
        there = weakref.ref(transport)
        del transport
        assert there() is None

    run(main())


@pytest.mark.parametrize("size", [7, 20_000])
def test_all_of_a_send_that_fails_at_once_is_unsent(size: int) -> None:
    async def main() -> None:
        ours, theirs = tcp_pair()
        with SocketTransport(ours) as transport:
            reset(theirs)
            for buffers in ([bytes(size)], [bytes(size), bytes(3)]):
                with pytest.raises(BrokenError):
                    await transport.send(*buffers)
                assert transport.unsent == sum(map(len, buffers))

    run(main())


def test_only_open_stream_sockets_are_taken() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as datagram,
        pytest.raises(ValueError, match=r"open stream socket, got <socket"),
    ):
        SocketTransport(datagram)
    for closed in (datagram, socket.socket()):
        closed.close()
        with pytest.raises(ValueError, match="open stream socket"):
            SocketTransport(closed)


def test_addresses_are_attributes() -> None:
    async def main() -> None:
        a, b = tcp_pair()
        here, there = a.getsockname(), b.getsockname()
        transport = SocketTransport(a)
        assert transport.local_address == here
        assert transport.peer_address == there
        transport.close()
        b.close()

    run(main())


def test_a_closed_transport_has_no_address() -> None:
    async def main() -> None:
        ours, theirs = map(SocketTransport, tcp_pair())
        assert ours.local_address == theirs.peer_address
        ours.close()
        theirs.close()
        with pytest.raises(ClosedError, match="asking for the address on a transport that was"):
            _ = ours.local_address

    run(main())
