"""Pipes as transports, beyond what every transport must do."""

import os
import pty
import subprocess
import tempfile

import pytest

from tests.opponents.need import program
from tulip_net import (
    BrokenError,
    BufferedReader,
    ClosedError,
    PipeTransport,
    create_task,
    run,
    sleep,
)


def test_a_pipe_has_one_direction() -> None:
    async def main() -> None:
        reading, writing = os.pipe()
        reader, writer = PipeTransport(reading), PipeTransport(send=writing)
        await writer.send(b"into ", b"the pipe")
        assert await reader.recv(100) == b"into the pipe"
        with pytest.raises(ValueError, match=r"receiving is not what .* was made for"):
            await writer.recv(1)
        with pytest.raises(ValueError, match=r"sending is not what .* was made for"):
            await reader.send(b"x")
        await writer.send_eof()
        assert writer.closed
        assert await reader.recv(1) == b""
        reader.close()
        assert repr(reader) == "<PipeTransport from a closed end>"

    run(main())


def test_a_child_process_is_talked_to() -> None:
    """What it says comes back, more than a pipe holds, in both directions at once."""

    async def main() -> None:
        data = b"what the child is to say\n" * 40_000
        with subprocess.Popen(
            [program("cat", package="coreutils")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        ) as child:
            assert child.stdout is not None
            assert child.stdin is not None
            transport = PipeTransport(child.stdout, child.stdin)
            with tempfile.TemporaryFile() as file:
                file.write(data)
                sender = create_task(transport.send_file(file))
                reader = BufferedReader(transport)
                assert await reader.readexactly(len(data)) == data
                assert await sender == len(data)
            await transport.send_eof()
            assert await reader.read(1) == b""
            await transport.aclose()
            assert child.stdout.closed
            assert child.wait() == 0

    run(main())


def test_a_reader_that_left_breaks_the_writer() -> None:
    async def main() -> None:
        reading, writing = os.pipe()
        writer = PipeTransport(send=writing)
        task = create_task(writer.send(bytes(1_000_000)))
        await sleep(0.001)
        os.close(reading)
        with pytest.raises(BrokenError, match="Broken pipe"):
            await task
        assert 0 < writer.unsent < 1_000_000
        writer.close()

    run(main())


def test_a_terminal_is_one_descriptor_and_ends_with_its_other_side() -> None:
    async def main() -> None:
        master, slave = os.openpty()
        transport = PipeTransport(master, master)
        await transport.send(b"typed\n")
        assert os.read(slave, 100) == b"typed\n"
        assert await transport.recv(100) == b"typed\r\n"  # the terminal echoes
        with pytest.raises(ValueError, match="one descriptor for both directions"):
            await transport.send_eof()
        waiting = create_task(transport.recv(100))
        await sleep(0.001)
        os.close(slave)
        assert await waiting == b""
        transport.close()
        with pytest.raises(ClosedError):
            await transport.recv(1)

    run(main())


def test_what_is_no_pipe_is_refused() -> None:
    with pytest.raises(ValueError, match="an end to read from, or to write to, or both"):
        PipeTransport()
    with tempfile.TemporaryFile() as file, pytest.raises(ValueError, match="is on a disk"):
        PipeTransport(file)

    async def main() -> None:
        reading, writing = os.pipe()
        os.close(writing)
        with pytest.raises(OSError, match="Bad file descriptor"):
            PipeTransport(reading, writing)
        os.close(reading)  # it stayed the caller's

    run(main())


def test_a_refused_end_leaves_the_other_as_it_was() -> None:
    """Or a program whose output is a file leaves its terminal non-blocking, and others in it."""

    async def main() -> None:
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as file, pytest.raises(ValueError, match="is on a disk"):
            PipeTransport(reading, file)
        assert os.get_blocking(reading)
        os.close(reading)
        os.close(writing)

    run(main())


def test_a_file_on_a_disk_is_told_what_takes_it() -> None:
    with tempfile.TemporaryFile() as file:
        with pytest.raises(ValueError, match=r"sends with send_file\(\), or read in a thread"):
            PipeTransport(receive=file)
        with pytest.raises(ValueError, match=r"write to it directly, or in a thread"):
            PipeTransport(send=file)


def test_a_terminal_blocks_again_when_its_last_transport_is_closed() -> None:
    """Its input and its output are one open file, and the shell's as well."""

    async def main() -> None:
        controller, terminal = pty.openpty()
        one, two = PipeTransport(os.dup(terminal)), PipeTransport(send=os.dup(terminal))
        assert not os.get_blocking(terminal)
        await two.send(b"out")
        two.close()
        assert not os.get_blocking(terminal)
        if (child := os.fork()) == 0:
            one.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not os.get_blocking(terminal)
        one.close()
        assert os.get_blocking(terminal)
        os.set_blocking(terminal, False)
        PipeTransport(os.dup(terminal)).close()
        assert not os.get_blocking(terminal), "it was so before"
        os.close(terminal)
        os.close(controller)

    run(main())


def test_a_dropped_transport_warns_and_closes() -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        holder = [PipeTransport(reading)]
        with pytest.warns(ResourceWarning, match="dropped without a close"):
            holder.clear()

    run(main())
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)
