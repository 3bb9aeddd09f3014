"""Writing in small pieces."""

import pytest

from tulip_net import (
    BufferedReader,
    BufferedWriter,
    BusyError,
    create_task,
    move_on_after,
    run,
    sleep,
)
from tulip_net.testing import memory_pair


def test_what_is_written_goes_out_together() -> None:
    async def main() -> None:
        a, b = memory_pair()
        writer = BufferedWriter(a)
        writer.write(b"one ")
        writer.write(bytearray(b"two "))
        writer.write(memoryview(b"three"))
        assert writer.buffered == 13
        await writer.flush()
        assert writer.buffered == 0
        assert await b.recv(100) == b"one two three"
        await writer.flush()
        a.close()
        b.close()

    run(main())


def test_a_forgotten_flush_is_an_error() -> None:
    async def main() -> None:
        a, b = memory_pair()
        writer = BufferedWriter(a, limit=10)
        writer.write(b"12345678")
        with pytest.raises(BufferError, match=r"8 bytes wait for a flush.*limit of 10"):
            writer.write(b"abc")
        assert writer.buffered == 8
        with pytest.raises(ValueError, match="at least 1, got 0"):
            BufferedWriter(a, 0)
        a.close()
        b.close()

    run(main())


def test_a_cancelled_flush_keeps_what_did_not_go_out() -> None:
    data = bytes(range(256)) * 40

    async def main() -> None:
        a, b = memory_pair(capacity=1000)
        writer = BufferedWriter(a)
        writer.write(data)
        with move_on_after(0.001):
            await writer.flush()
        assert writer.buffered == len(data) - 1000
        flushing = create_task(writer.flush())
        await sleep(0)
        with pytest.raises(BusyError):
            await writer.flush()
        writer.write(b"and more")
        whole = data + b"and more"
        assert await BufferedReader(b).readexactly(len(whole)) == whole
        await flushing
        a.close()
        b.close()

    run(main())


def test_a_flush_that_finds_another_sender_keeps_everything() -> None:
    async def main() -> None:
        a, b = memory_pair(capacity=10)
        writer = BufferedWriter(a)
        other = create_task(a.send(bytes(20)))
        await sleep(0)
        writer.write(b"longer than what the other one has left")
        with pytest.raises(BusyError):
            await writer.flush()
        flushing = create_task(BufferedReader(b).readexactly(20 + writer.buffered))
        await other
        await writer.flush()
        assert await flushing == bytes(20) + b"longer than what the other one has left"
        a.close()
        b.close()

    run(main())
