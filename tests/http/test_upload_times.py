"""What counts as time for sending while a body goes out, and what does not."""

from collections.abc import AsyncIterator, Callable

import pytest

from tulip_http import (
    Client,
    ReadTimeout,
    Response,
    Timeout,
    TotalTimeout,
    WriteTimeout,
    coroutine,
    run,
    sleep,
)
from tulip_http.testing import ScriptedServer, Step
from tulip_sched.testing import virtual_time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HALF = OK[:-1]


async def pieces(seconds: float, count: int = 3) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x"
        await sleep(seconds)


def put(
    *steps: bytes | float | Step, content: object, timeout: Timeout, **headers: str
) -> tuple[bytes, int]:
    """Send a body to a server that plays these steps; return its answer, and what is kept."""
    server = ScriptedServer([Step.REQUEST, *steps])

    @coroutine
    async def main() -> tuple[bytes, int]:
        async with Client(connect=server.connect, timeout=timeout) as client:
            response = await client.put("http://h/", content=content, headers=headers)  # type: ignore[arg-type]
            return response.content, client.stats().idle

    with virtual_time():
        return run(main())


EXPECT = {"Expect": "100-continue"}


@pytest.mark.parametrize(
    "body, expect",
    [
        (lambda: iter([b"x"]), {}),
        (lambda: bytes(65537), {}),
        (lambda: iter([b"x"]), EXPECT),
        (lambda: b"x", EXPECT),
    ],
    ids=["pieces", "large", "pieces held back", "bytes held back"],
)
class TestOnceAllHasGoneOut:
    def test_it_is_the_answer_that_may_take_long(
        self, body: Callable[[], object], expect: dict[str, str]
    ) -> None:
        timeout = Timeout(write=1, read=60)
        told = put(50.0, OK, Step.HANG, content=body(), timeout=timeout, **expect)
        assert told == (b"hi", 1)

    def test_it_is_the_answer_that_takes_too_long(
        self, body: Callable[[], object], expect: dict[str, str]
    ) -> None:
        with pytest.raises(ReadTimeout, match="sent nothing for 2 s"):
            put(Step.HANG, content=body(), timeout=Timeout(write=60, read=2), **expect)


def test_a_body_may_take_its_time() -> None:
    timeout = Timeout(write=1, read=1, total=60)
    assert put(10.5, OK, Step.HANG, content=pieces(5.0, 2), timeout=timeout) == (b"hi", 1)


def test_a_body_takes_no_longer_than_the_total() -> None:
    with pytest.raises(TotalTimeout, match="longer than 12 s in all") as caught:
        put(Step.HANG, content=pieces(5.0), timeout=Timeout(write=1, read=1, total=12))
    assert caught.value.phase == "write"


def test_a_piece_that_is_not_taken_is_too_slow() -> None:
    async def large() -> AsyncIterator[bytes]:
        await sleep(5)
        while True:
            yield bytes(65536)

    with pytest.raises(WriteTimeout, match="took nothing for 1 s"):
        put(100.0, content=large(), timeout=Timeout(write=1))


class TestAnEarlyAnswer:
    """Its head is here, and its caller does as they like, while the body still goes out."""

    @staticmethod
    def stream(use: "Callable[[Response], AsyncIterator[bytes]]", timeout: Timeout) -> list[bytes]:
        server = ScriptedServer([Step.REQUEST, HALF, 100.0, b"i", Step.HANG])

        @coroutine
        async def main() -> list[bytes]:
            client = Client(connect=server.connect, timeout=timeout)
            body = pieces(5.0)
            async with client, client.stream("PUT", "http://h/", content=body) as response:
                return [piece async for piece in use(response)]

        with virtual_time():
            return run(main())

    def test_the_callers_time_does_not_count(self) -> None:
        async def late(response: Response) -> AsyncIterator[bytes]:
            yield await response.read_chunk()
            await sleep(97)
            yield await response.read_chunk()

        timeout = Timeout(write=1, read=5, total=10)
        assert self.stream(late, timeout) == [b"h", b"i"]

    def test_a_piece_that_is_not_taken_is_too_slow_all_the_same(self) -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(65536)

        server = ScriptedServer([Step.REQUEST, HALF, 100.0])

        @coroutine
        async def main() -> None:
            client = Client(connect=server.connect, timeout=Timeout(write=1, read=60, total=None))
            async with client, client.stream("PUT", "http://h/", content=endless()) as response:
                await response.read_chunk()
                with pytest.raises(WriteTimeout, match="took nothing for 1 s"):
                    await response.read_chunk()

        with virtual_time():
            run(main())

    def test_reading_takes_no_longer_than_its_limits(self) -> None:
        async def at_once(response: Response) -> AsyncIterator[bytes]:
            yield await response.read_chunk()
            yield await response.read_chunk()

        with pytest.raises(ReadTimeout, match="sent nothing for 30 s"):
            self.stream(at_once, Timeout())
        with pytest.raises(TotalTimeout, match="longer than 3 s in all"):
            self.stream(at_once, Timeout(total=3))


@pytest.mark.parametrize("write", [None, 60])
def test_a_body_that_is_let_go_at_the_moment_when_the_time_is_up(write: float | None) -> None:
    """It is the silence that took too long; and nothing is left of it."""
    server = ScriptedServer([Step.REQUEST, Step.HANG])

    @coroutine
    async def main() -> int:
        client = Client(connect=server.connect, timeout=Timeout(read=1, write=write))
        async with client:
            with pytest.raises(ReadTimeout, match="sent nothing for 1 s"):
                await client.put("http://h/", content=b"x", headers=EXPECT)
            return client.stats().connections

    with virtual_time():
        assert run(main()) == 0


def test_a_body_that_was_held_back_stays_so_after_the_answer() -> None:
    """The server that refused it may take it for another request."""
    server = ScriptedServer([Step.REQUEST, HALF, 5.0, b"i", Step.HANG])

    @coroutine
    async def main() -> bytes:
        async with Client(connect=server.connect) as client:
            response = await client.put("http://h/", content=b"GET / HTTP/1.1", headers=EXPECT)
            assert client.stats().connections == 0
            return response.content

    with virtual_time():
        assert run(main()) == b"hi"
    assert server.received[0].endswith(b"\r\n\r\n")
