"""Open files that travel over Unix sockets."""

import os
import socket
import subprocess
import sys
import tempfile

import pytest

from tests.net.echoing import echo
from tests.net.pairs import tcp, unix
from tulip_net import (
    BrokenError,
    BusyError,
    ClosedError,
    Listener,
    SocketTransport,
    create_task,
    create_transport,
    listen,
    recv_descriptors,
    run,
    send_descriptors,
    serve,
    sleep,
)


def transports() -> tuple[SocketTransport, SocketTransport]:
    a, b = socket.socketpair()
    return SocketTransport(a), SocketTransport(b)


def test_files_arrive_with_the_bytes_they_were_sent_with() -> None:
    async def main() -> None:
        a, b = transports()
        with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
            first.write(b"first")
            first.flush()
            await send_descriptors(a, [first, second.fileno()], b"two files")
            await a.send(b", and no more")
        data, numbers = await recv_descriptors(b, 100, most=2)
        # The kernel lets nothing that was sent later join them.
        assert data == b"two files, and no more"[: len(data)]
        assert len(data) >= 9
        assert os.pread(numbers[0], 10, 0) == b"first"
        assert not any(os.get_inheritable(number) for number in numbers)
        for number in numbers:
            os.close(number)
        a.close()
        b.close()

    run(main())


def test_data_without_files_and_the_end() -> None:
    async def main() -> None:
        a, b = transports()
        receiver = create_task(recv_descriptors(b, 100))
        await sleep(0)
        with pytest.raises(BusyError):
            await recv_descriptors(b)
        await a.send(b"only data")
        assert await receiver == (b"only data", [])
        a.close()
        assert await recv_descriptors(b) == (b"", [])
        b.close()
        for use in (recv_descriptors(b), send_descriptors(b, [0])):
            with pytest.raises(ClosedError):
                await use

    run(main())


@pytest.mark.parametrize("count", [2, 3, 10])
def test_more_files_than_wanted_stay_nowhere(count: int) -> None:
    """That no descriptor stays behind is checked after every test."""

    async def main() -> None:
        a, b = transports()
        await send_descriptors(a, [sys.__stderr__.fileno()] * count)  # type: ignore[union-attr]
        with pytest.raises(BrokenError, match=f"was sent more than {count - 1} descriptors"):
            await recv_descriptors(b, most=count - 1)
        a.close()
        b.close()

    run(main())


def test_a_cancelled_send_has_sent_no_file() -> None:
    async def main() -> None:
        a, b = transports()
        filler = create_task(a.send(bytes(10_000_000)))
        await sleep(0.001)
        with pytest.raises(BusyError):
            await send_descriptors(a, [0])
        filler.cancel()
        await filler.wait()
        filled = 10_000_000 - a.unsent
        task = create_task(send_descriptors(a, [a._sock], b"three"))
        await sleep(0.001)
        task.cancel()
        await task.wait()
        assert a.unsent == 5
        while filled:
            data, numbers = await recv_descriptors(b, 1_000_000)
            filled -= len(data)
            assert numbers == []
        await send_descriptors(a, [a._sock], b"now")
        data, numbers = await recv_descriptors(b, 100)
        assert data == b"now"
        os.close(*numbers)
        a.close()
        b.close()

    run(main())


def test_what_cannot_be_sent() -> None:
    async def main() -> None:
        a, b = await unix()
        c, d = await tcp()
        assert isinstance(a, SocketTransport)
        assert isinstance(c, SocketTransport)
        for files, data in (([], b"x"), ([0], b""), ([0] * 254, b"x")):
            with pytest.raises(ValueError, match="cannot send"):
                await send_descriptors(a, files, data)
        with pytest.raises(ValueError, match="cannot receive 0 bytes"):
            await recv_descriptors(a, 0)
        for use in (send_descriptors(c, [0]), recv_descriptors(c)):
            with pytest.raises(ValueError, match="only a Unix socket carries descriptors"):
                await use
        for each in (a, b, c, d):
            each.close()

    run(main())


def test_a_listener_travels_while_it_serves() -> None:
    """As to a new version of a program, which takes its place without missing a connection."""

    async def main() -> None:
        a, b = transports()
        listener = await listen(["127.0.0.1", "127.0.0.2"])
        server = create_task(serve(echo, listener))
        await sleep(0)
        assert len(listener.descriptors) == 2
        await send_descriptors(a, listener.descriptors)
        _, numbers = await recv_descriptors(b, most=2)
        again = Listener([socket.socket(fileno=number) for number in numbers])
        assert again.addresses == listener.addresses
        listener.close()
        await server
        server = create_task(serve(echo, again))
        for host, port in [(host, again.port) for host in ("127.0.0.1", "127.0.0.2")]:
            async with await create_transport(host, port) as transport:
                await transport.send(b"x")
                assert await transport.recv(1) == b"x"
        for each in (a, b, again):
            each.close()
        await server
        with pytest.raises(ClosedError, match="has no descriptor any more"):
            listener.descriptors  # noqa: B018

    run(main())


CHILD = """\
import os, socket
sock = socket.socket(fileno=0)
data, numbers, flags, address = socket.recv_fds(sock, 100, 5)
os.write(numbers[0], b"from the child, who got " + data)
reading, writing = os.pipe()
os.write(writing, b"through the child's pipe")
socket.send_fds(sock, [b"here"], [reading])
"""


def test_files_travel_between_processes() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        transport = SocketTransport(ours)
        with subprocess.Popen([sys.executable, "-c", CHILD], stdin=theirs.fileno()) as child:
            theirs.close()
            with tempfile.TemporaryFile() as file:
                await send_descriptors(transport, [file], b"this")
                assert await recv_all(transport) == b"through the child's pipe"
                assert os.pread(file.fileno(), 100, 0) == b"from the child, who got this"
            assert child.wait() == 0
        transport.close()

    async def recv_all(transport: SocketTransport) -> bytes:
        data, numbers = await recv_descriptors(transport, 100)
        assert data == b"here"
        (number,) = numbers
        received = os.read(number, 100)
        os.close(number)
        return received

    run(main())
