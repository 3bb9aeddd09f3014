"""A response whose reading ended early has nothing to do with its connection any more.

The connection may serve another request by then: one that a cancelled reading left with little
missing is read to its end in the background, and used again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tulip_http import (
    Cancelled,
    Client,
    ClientClosed,
    Limits,
    RemoteProtocolError,
    Response,
    Stats,
    StreamClosed,
    coroutine,
    create_task,
    move_on_after,
    run,
    sleep,
)
from tulip_http.testing import ScriptedServer, Step
from tulip_sched.testing import virtual_time

FIRST: list[bytes | float | Step] = [
    Step.REQUEST,
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
    0.2,
    b"67890",
]
SECOND: list[bytes | float | Step] = [
    Step.REQUEST,
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nthe ",
    1.0,
    b"second.",
    Step.HANG,
]


@coroutine
async def cancelled_reading(client: Client) -> Response:
    """Return a response of which half was read, and the other half was not waited for."""
    response = await client.stream("GET", "http://h/1")
    assert await response.read_chunk() == b"12345"
    with move_on_after(0.1):
        await response.read_chunk()
    return response


async def close(response: Response) -> None:
    response.close()


async def read_on(response: Response) -> None:
    with pytest.raises(StreamClosed):
        await response.read_chunk()


async def drop(response: Response) -> None:
    del response


@pytest.mark.parametrize("use", [close, read_on, drop])
def test_it_leaves_the_next_request_alone(use: Callable[[Response], Awaitable[None]]) -> None:
    server = ScriptedServer([*FIRST, *SECOND])

    async def main() -> tuple[bytes, Stats]:
        async with Client(connect=server.connect) as client:
            response = await cancelled_reading(client)
            await sleep(0.2)
            assert client.stats().idle == 1
            second = create_task(client.get("http://h/2"))
            await sleep(0.5)
            await use(response)
            return (await second).content, client.stats()

    with virtual_time():
        content, stats = run(main())
    assert content == b"the second."
    assert (stats.opened, stats.exchanges) == (1, 2)


def test_to_close_it_at_once_does_not_disturb_what_reads_the_rest() -> None:
    server = ScriptedServer([*FIRST, *SECOND])

    async def main() -> tuple[bytes, Stats]:
        async with Client(connect=server.connect) as client:
            with await cancelled_reading(client) as response:
                assert response.is_closed
            await sleep(0.2)
            return (await client.get("http://h/2")).content, client.stats()

    with virtual_time():
        content, stats = run(main())
    assert content == b"the second."
    assert (stats.opened, stats.exchanges) == (1, 2)


def test_one_that_was_waited_for_in_line_is_dropped_like_another() -> None:
    """Who was served stays in the line's books for a while, but not what became of them."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    server = ScriptedServer([Step.REQUEST, head, Step.HANG])

    async def main() -> None:
        limits = Limits(max_connections=1)
        async with Client(connect=server.connect, limits=limits) as client:

            @coroutine
            async def ask() -> Response:
                return await client.stream("GET", "http://h/")

            first = await ask()
            tasks = [create_task(ask())]
            await sleep(0.1)
            assert client.stats().waiting == 1
            first.close()
            await tasks[0].wait()
            assert client.stats().connections == 1
            with pytest.warns(ResourceWarning, match="dropped before it was read or closed"):
                tasks.clear()
            assert client.stats().connections == 0

    with virtual_time():
        run(main())


@pytest.mark.parametrize("during", [True, False])
def test_reading_where_the_client_is_closed_names_the_request(*, during: bool) -> None:
    server = ScriptedServer([Step.REQUEST, b"HTTP/1.1 200 OK\r\n\r\n", Step.HANG])

    async def main() -> None:
        client = Client(connect=server.connect)
        response = await client.stream("GET", "http://h/")
        task = create_task(response.read_chunk())
        if during:
            await sleep(1)
        client.close()
        await task.wait()
        error = task.exception()
        assert isinstance(error, ClientClosed)
        assert str(error).startswith("GET http://h/: ")
        assert error.request is response.request
        assert error.safe_to_repeat

    with virtual_time():
        run(main())


def test_after_an_error_it_is_closed() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = ScriptedServer([Step.REQUEST, head, 0.1, b"3\r\nabc\r\nnot hexadecimal"])

    async def main() -> None:
        async with Client(connect=server.connect) as client:
            response = await client.stream("GET", "http://h/")
            with pytest.raises(RemoteProtocolError):
                await response.read_chunk()
            assert response.is_closed
            for _ in range(2):
                with pytest.raises(StreamClosed) as caught:
                    await response.read_chunk()
                assert caught.value.request is response.request

    with virtual_time():
        run(main())


def test_an_upload_of_a_closed_client_sets_no_alarm() -> None:
    """Its task takes another step, with a program that does not heed a cancellation."""

    async def pieces() -> AsyncIterator[bytes]:
        with suppress(Cancelled):
            await sleep(1000)
        yield b"piece"

    async def main() -> None:
        client = Client(connect=ScriptedServer([Step.HANG]).connect)
        task = create_task(client.post("http://h/", content=pieces()))
        await sleep(100)  # by then an alarm has gone off for nobody
        client.close()
        await task.wait()
        assert isinstance(task.exception(), ClientClosed)
        await sleep(0)

    with virtual_time():  # which finds what is left in the loop
        run(main())
