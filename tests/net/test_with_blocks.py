"""``with`` and ``async with``: what they close, how, and what the peer is told.

That every transport can be used so is a matter of the conformance suite.
"""

import pytest

from tests.net.echoing import echo
from tests.net.pairs import over_tls, tcp
from tests.opponents.certificates import Certificates
from tulip_net import (
    Closable,
    ClosedError,
    Gen,
    TaskGroup,
    Transport,
    TruncatedError,
    coroutine,
    create_task,
    create_transport,
    current_context,
    listen,
    open_datagram,
    run,
    serve,
    sleep,
)
from tulip_net._typing import override
from tulip_net.testing import memory_pair
from tulip_sched.testing import virtual_time


def test_a_program_in_blocks() -> None:
    """The shape that users of other libraries write: nothing is closed by name."""

    async def main() -> bytes:
        async with TaskGroup() as group:
            with await listen("127.0.0.1") as listener:
                group.start_soon(serve(echo, listener))
                async with await create_transport("127.0.0.1", listener.port) as transport:
                    await transport.send(b"hello")
                    answer = await transport.recv(100)
        return answer

    assert run(main()) == b"hello"


def test_a_program_in_blocks_under_yield_from() -> None:
    @coroutine
    def main() -> Gen[bytes]:
        with (yield from listen("127.0.0.1")) as listener:
            server = create_task(serve(echo, listener))
            with (yield from create_transport("127.0.0.1", listener.port)) as transport:
                yield from transport.send(b"hello")
                answer = yield from transport.recv(100)
        yield from server
        return answer

    assert run(main()) == b"hello"


def test_a_listener_and_datagrams_close_both_ways() -> None:
    async def main() -> None:
        with await listen("127.0.0.1") as first:
            assert not first.closed
        async with await listen("127.0.0.1") as second:
            assert not second.closed
        with await open_datagram(local_address=("127.0.0.1", 0)) as third:
            assert not third.closed
        async with await open_datagram(local_address=("127.0.0.1", 0)) as fourth:
            assert not fourth.closed
        assert all(each.closed for each in (first, second, third, fourth))
        await first.aclose()
        await third.aclose()
        with pytest.raises(ClosedError):
            await first.accept()

    run(main())


def test_tls_ends_properly_only_if_the_block_did(certificates: Certificates) -> None:
    """A peer must not take for the whole what an error has cut short."""
    make_pair = over_tls(tcp, certificates)

    async def half(transport: Transport) -> None:
        async with transport:
            await transport.send(b"half of it")
            raise LookupError("the other half")

    async def whole(transport: Transport) -> None:
        async with transport:
            await transport.send(b"all of it")

    async def main() -> None:
        ours, theirs = await make_pair()
        ending = create_task(whole(ours))
        async with theirs:
            assert await theirs.recv(100) == b"all of it"
            assert await theirs.recv(100) == b""
        await ending
        theirs, ours = await make_pair()  # a client may have tickets unread, and so reset
        with pytest.raises(LookupError):
            await half(ours)
        with theirs:
            assert await theirs.recv(100) == b"half of it"
            with pytest.raises(TruncatedError):
                await theirs.recv(100)

    run(main())


def test_an_error_does_not_wait_for_the_peer(certificates: Certificates) -> None:
    """A proper end waits up to 2 s for a peer that says nothing; an error passes at once."""

    async def main() -> None:
        now = current_context().eventloop.time
        for error, seconds in ((None, 2), (LookupError("the block's own"), 0)):
            ours, theirs = await over_tls(tcp, certificates)()
            begun = now()
            try:
                async with ours:
                    if error is not None:
                        raise error
            except LookupError:
                pass
            assert now() - begun == pytest.approx(seconds)
            theirs.close()

    with virtual_time():
        run(main())


def test_cancelled_in_a_block() -> None:
    async def wait(transport: Transport) -> None:
        async with transport:
            await transport.recv(1)

    async def main() -> None:
        ours, theirs = memory_pair()
        with theirs:
            task = create_task(wait(ours))
            await sleep(0)
            task.cancel()
            await task.wait()
            assert task.cancelled()
            assert ours.closed

    run(main())


def test_a_coroutine_that_is_closed_in_its_block_closes_the_transport() -> None:
    """It cannot wait any more, so it does not try."""

    async def forget_it(transport: Transport) -> None:
        async with transport:
            await Forever()

    ours, theirs = memory_pair()
    coro = forget_it(ours)
    coro.send(None)
    coro.close()
    assert ours.closed
    theirs.close()


class Forever:
    """Suspends, whoever drives it."""

    def __await__(self) -> Gen[None]:
        yield


def test_a_class_of_ones_own_is_closed_likewise() -> None:
    """What has a `close` gets an `aclose`, and both kinds of block."""
    told: list[str] = []

    class Own(Closable):
        @override
        def close(self) -> None:
            told.append("close")

    class Slow(Own):
        @coroutine
        @override
        async def aclose(self) -> None:
            await sleep(0)
            told.append("aclose")

    async def main() -> None:
        with Own():
            pass
        async with Own():
            pass
        async with Slow():
            pass

    run(main())
    assert told == ["close", "close", "aclose"]
    with pytest.raises(NotImplementedError), Closable():
        pass
