"""Several buffers and files over sockets, beyond what every transport must do."""

import gzip
import io
import os
import random
import socket
import sys
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

import pytest

from tests.net.pairs import over_tls, tcp
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    BufferedReader,
    BusyError,
    ClosedError,
    SocketTransport,
    Transport,
    create_task,
    run,
    sleep,
)
from tulip_net._typing import override


class CountingSocket(socket.socket):
    """A real socket that counts the system calls of sending."""

    calls = 0

    @override
    def send(self, *args: object) -> int:
        self.calls += 1
        return super().send(*args)  # type: ignore[arg-type]  # passed on as they came

    @override
    def sendmsg(self, buffers: Iterable[object], *args: object) -> int:
        self.calls += 1
        return super().sendmsg(buffers, *args)  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("sizes", [(100, 1000), (100, 100_000), (10,) * 1000])
def test_several_buffers_are_one_system_call(sizes: tuple[int, ...]) -> None:
    async def main() -> None:
        a, b = socket.socketpair()
        ours = CountingSocket(fileno=a.detach())
        transport = SocketTransport(ours)
        await transport.send(*map(bytes, sizes))
        assert ours.calls == 1
        assert len(b.recv(sum(sizes), socket.MSG_WAITALL)) == sum(sizes)
        transport.close()
        b.close()

    run(main())


def test_a_socket_has_the_kernel_read_the_file() -> None:
    class Unreadable(io.FileIO):
        @override
        def read(self, size: int | None = -1, /) -> bytes:
            assert not size, "it was read here"
            return b""

    async def main() -> None:
        a, b = socket.socketpair()
        transport = SocketTransport(a)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            with Unreadable(file.name) as unreadable:
                sending = transport.send_file(unreadable, 2, 5)
                assert await sending == 5
        assert b.recv(100) == b"23456"
        transport.close()
        b.close()

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that sendfile() refuses")
def test_a_file_that_the_kernel_does_not_send_from_is_read_here() -> None:
    class Sized(io.FileIO):
        """Files of the kernel's own have no size: this one has."""

        @override
        def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
            return 9 if whence == os.SEEK_END else super().seek(offset, whence)

    async def main() -> None:
        a, b = socket.socketpair()
        with SocketTransport(a) as transport, Sized("/proc/self/status") as file, b:
            with pytest.raises(OSError, match="Invalid argument"):
                os.sendfile(a.fileno(), file.fileno(), 0, 9)
            assert await transport.send_file(file, 2) == 7
            file.seek(2)
            assert b.recv(100) == file.read(7)

    run(main())


def test_a_compressed_file_is_sent_as_it_reads() -> None:
    """Its descriptor would give something else."""

    async def main(file: BinaryIO) -> None:
        a, b = socket.socketpair()
        transport = SocketTransport(a)
        assert await transport.send_file(file, 4) == 5
        assert b.recv(100) == b"words"
        transport.close()
        b.close()

    with tempfile.NamedTemporaryFile() as file:
        file.write(gzip.compress(b"the words"))
        file.flush()
        with gzip.open(file.name) as unpacked:
            run(main(unpacked))  # type: ignore[arg-type]  # near enough


async def drain(transport: Transport) -> None:
    while await transport.recv(1_000_000):
        pass


@pytest.mark.parametrize("tls", [False, True])
def test_a_file_that_shrinks_ends_the_sending(tls: bool, certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await (over_tls(tcp, certificates) if tls else tcp)()
        with tempfile.TemporaryFile() as file:
            os.truncate(file.fileno(), 100_000_000)
            task = create_task(a.send_file(file))
            await sleep(0.01)
            os.truncate(file.fileno(), 10)
            receiver = create_task(drain(b))
            assert 10 < await task < 100_000_000
            assert a.unsent == 0
            receiver.cancel()
            await receiver.wait()
        a.close()
        b.close()

    run(main())


def test_a_close_while_a_file_is_sent_wakes_the_sender() -> None:
    async def main() -> None:
        a, b = await tcp()
        with tempfile.TemporaryFile() as file:
            os.truncate(file.fileno(), 100_000_000)
            task = create_task(a.send_file(file))
            await sleep(0.005)
            a.close()
            with pytest.raises(ClosedError):
                await task
        b.close()

    run(main())


def test_what_cannot_seek_cannot_be_sent_as_a_file() -> None:
    async def main() -> None:
        a, b = await tcp()
        reading, writing = os.pipe()
        os.close(writing)
        with open(reading, "rb", buffering=0) as pipe, pytest.raises(OSError, match="seek"):  # noqa: PTH123
            await a.send_file(pipe)
        a.close()
        b.close()

    run(main())


def test_send_nowait_takes_what_there_is_room_for() -> None:
    """What it did not take is the caller's to send; nothing comes twice, and nothing is lost."""
    data = random.Random(9).randbytes(16_000_000)

    async def main() -> None:
        a, b = await tcp()
        assert isinstance(a, SocketTransport)
        sent = 0
        while taken := a.send_nowait(memoryview(data)[sent:]):
            sent += taken
        assert 0 < sent < len(data)
        sender = create_task(a.send(data[sent:]))
        await sleep(0)
        with pytest.raises(BusyError):
            a.send_nowait(b"x")
        assert await BufferedReader(b).readexactly(len(data)) == data
        await sender
        assert a.send_nowait(b"") == 0
        a.close()
        with pytest.raises(ClosedError):
            a.send_nowait(b"x")
        b.close()

    run(main())


def test_send_nowait_to_one_who_has_left() -> None:
    async def main() -> None:
        a, b = await tcp()
        assert isinstance(a, SocketTransport)
        b.close()
        assert a.send_nowait(b"x") == 1  # it learns that nobody is there from the answer
        await sleep(0.01)
        with pytest.raises(BrokenError):
            a.send_nowait(b"x")
        a.close()

    run(main())
