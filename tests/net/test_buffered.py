"""Reading lines and exact numbers of bytes, however the stream is cut."""

import io
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tulip_net import (
    BufferedReader,
    ClosedError,
    Coroutine,
    Gen,
    IncompleteReadError,
    LimitError,
    Transport,
    coroutine,
    create_task,
    run,
    sleep,
)
from tulip_net.testing import FaultyTransport, memory_pair


def reading(
    data: bytes, body: Callable[[BufferedReader], Awaitable[None]], *, limit: int = 65536
) -> None:
    """Run ``body`` with a reader of ``data`` and then the end, a few bytes at a time."""

    async def main() -> None:
        a, b = memory_pair(capacity=5)
        bad = FaultyTransport(b, 7, short=0.9, slow=0)
        feeder = create_task(feed(a, data))
        try:
            await body(BufferedReader(bad, limit))
            await feeder
        finally:
            a.close()
            b.close()

    run(main())


async def feed(transport: Transport, data: bytes) -> None:
    await transport.send(data)
    await transport.send_eof()


def test_readline_gives_lines_and_then_what_is_left() -> None:
    async def body(reader: BufferedReader) -> None:
        assert await reader.readline() == b"one\n"
        assert await reader.readline() == b"\n"
        assert await reader.readline() == b"rest"
        assert await reader.readline() == b""
        assert await reader.readline() == b""

    reading(b"one\n\nrest", body)


def test_iteration_gives_lines() -> None:
    async def body(reader: BufferedReader) -> None:
        assert [line async for line in reader] == [b"a\n", b"b\n", b"c"]

    reading(b"a\nb\nc", body)


def test_readexactly_at_the_end_raises_with_the_part_and_never_loops() -> None:
    async def body(reader: BufferedReader) -> None:
        assert await reader.readexactly(3) == b"abc"
        with pytest.raises(IncompleteReadError) as caught:
            await reader.readexactly(4)
        assert caught.value.partial == b"de"
        assert caught.value.expected == 4
        assert str(caught.value) == f"{reader._transport!r} ended after 2 of 4 bytes"
        with pytest.raises(IncompleteReadError) as caught:
            await reader.readexactly(1)
        assert caught.value.partial == b""
        assert await reader.readexactly(0) == b""
        assert await reader.read(5) == b""

    reading(b"abcde", body)


def test_read_returns_what_is_there_or_everything() -> None:
    async def body(reader: BufferedReader) -> None:
        assert (await reader.peek(4)).startswith(b"abcd")
        assert await reader.read(2) == b"ab"
        assert await reader.readexactly(1) == b"c"
        assert await reader.read() == b"defgh"
        assert await reader.read() == b""

    reading(b"abcdefgh", body)


def test_readuntil_takes_the_separator_that_begins_first() -> None:
    async def body(reader: BufferedReader) -> None:
        assert await reader.readuntil(b"\r\n\r\n", b"\n\n") == b"a\r\nb\n\n"
        assert await reader.readuntil(b"\r\n\r\n", b"\n\n") == b"c\r\n\r\n"
        assert await reader.readuntil(b"--", b"---") in {b"x--", b"x---"}
        with pytest.raises(IncompleteReadError) as caught:
            await reader.readuntil(b"#")
        assert caught.value.partial.endswith(b"y")
        assert str(caught.value).startswith(f"{reader._transport!r} ended before the separator")
        assert caught.value.expected is None

    reading(b"a\r\nb\n\nc\r\n\r\nx---y", body)


@pytest.mark.parametrize("read", [BufferedReader.readline, lambda r: r.readuntil(b"\n")])
def test_a_line_over_the_limit_is_an_error_that_loses_nothing(
    read: Callable[[BufferedReader], Coroutine[bytes]],
) -> None:
    @coroutine
    def body(reader: BufferedReader) -> Gen[None]:
        assert (yield from read(reader)) == b"1234567\n"
        for _ in range(2):
            with pytest.raises(LimitError, match="limit of 8 bytes; it begins b'12345678"):
                yield from read(reader)
        rest = yield from reader.read()
        assert rest == b"12345678\nshort\n"

    reading(b"1234567\n12345678\nshort\n", body, limit=8)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r: r.read(0), "read limit must be at least 1, or -1, got 0"),
        (lambda r: r.readexactly(-1), "cannot read -1 bytes"),
        (lambda r: r.readuntil(), r"separators that are not empty, got \(\)"),
        (lambda r: r.readuntil(b""), r"separators that are not empty, got \(b'',\)"),
    ],
)
def test_bad_arguments_are_named(
    call: Callable[[BufferedReader], Coroutine[bytes]], message: str
) -> None:
    @coroutine
    def body(reader: BufferedReader) -> Gen[None]:
        with pytest.raises(ValueError, match=message):
            yield from call(reader)

    reading(b"", body)


def test_peeking_beyond_the_limit_is_an_error_that_loses_nothing() -> None:
    async def body(reader: BufferedReader) -> None:
        assert (await reader.peek(5)).startswith(b"12345")
        with pytest.raises(LimitError) as caught:
            await reader.peek(6)
        assert caught.value.limit == 5
        assert caught.value.partial.startswith(b"12345")
        assert await reader.readexactly(7) == b"1234567"

    reading(b"1234567", body, limit=5)


def test_what_is_buffered_comes_back_without_suspending() -> None:
    async def body(reader: BufferedReader) -> None:
        await reader.peek(13)
        for call in (reader.readline(), reader.readexactly(2), reader.readuntil(b"x")):
            with pytest.raises(StopIteration):  # it returns in its first step
                next(iter(call))
        assert await reader.read() == b"end"

    reading(b"line\nab..xend", body)


def test_a_cancelled_read_leaves_every_byte() -> None:
    @coroutine
    def main() -> Gen[None]:
        a, b = memory_pair()
        reader = BufferedReader(b)
        for call in (reader.readexactly(10), reader.readline(), reader.readuntil(b"#")):
            task = create_task(call)
            yield from a.send(b"ab")
            yield from sleep(0.001)
            task.cancel()
            yield from task.wait()
            assert task.cancelled()
        yield from a.send(b"\n")
        assert (yield from reader.readline()) == b"ababab\n"
        b.close()
        with pytest.raises(ClosedError):
            yield from reader.readline()
        a.close()

    run(main())


@given(data=st.binary(max_size=300), seed=st.integers(0, 1 << 32))
def test_any_stream_reads_the_same_as_from_a_file(data: bytes, seed: int) -> None:
    luck = random.Random(seed)
    data = data.replace(b"\x07", b"\n")
    file = io.BufferedReader(io.BytesIO(data))

    @coroutine
    def feed_in_pieces(transport: Transport) -> Gen[None]:
        at = 0
        while at < len(data):
            size = luck.randint(1, 40)
            yield from transport.send(data[at : at + size])
            at += size
            yield from sleep(0)
        yield from transport.send_eof()

    @coroutine
    def main() -> Gen[None]:
        a, b = memory_pair()
        feeder = create_task(feed_in_pieces(a))
        reader = BufferedReader(b)
        while file.peek(1):
            if luck.random() < 0.5:
                assert (yield from reader.readline()) == file.readline()
            else:
                size = luck.randint(0, 20)
                wanted = file.read(size)
                try:
                    got = yield from reader.readexactly(size)
                except IncompleteReadError as error:
                    got = error.partial
                assert got == wanted
        assert (yield from reader.read()) == b""
        yield from feeder
        a.close()
        b.close()

    run(main())
