"""What every transport must do when it is closed, in whichever way."""

from __future__ import annotations

from tulip_net._transport import Transport
from tulip_net.testing._check import LARGE, Check, check
from tulip_net.testing._exchange import PATIENCE, must_raise, receive, settle
from tulip_sched import ClosedError, Gen, Task, coroutine, create_task, sleep, with_timeout

__all__ = ["CLOSING_CHECKS"]


@check
@coroutine
def aclose_ends_the_stream(a: Transport, b: Transport) -> Gen[None]:
    """The peer gets what was sent, and then the end, as often as it asks."""
    yield from a.send(b"last words")
    closing = create_task(a.aclose())
    assert (yield from receive(b, 100, exactly=10)) == b"last words"
    for _ in range(3):
        assert (yield from receive(b, 100)) == b""
    yield from b.aclose()
    yield from with_timeout(PATIENCE, closing)


@check
@coroutine
def closing_is_idempotent_and_final(a: Transport, _: Transport) -> Gen[None]:
    """After a close nothing works, and closing again does nothing."""
    a.close()
    a.close()
    yield from must_raise(ClosedError, a.recv(1))
    yield from must_raise(ClosedError, a.recv_into(bytearray(1)))
    yield from must_raise(ClosedError, a.send(b"x"))
    yield from with_timeout(PATIENCE, a.aclose())
    yield from with_timeout(PATIENCE, a.aclose())


@check
@coroutine
def close_wakes_who_waits(a: Transport, _: Transport) -> Gen[None]:
    """Tasks that wait on a transport that is closed get `ClosedError`, in both directions."""
    receiver = create_task(a.recv(1))
    sender = create_task(a.send(bytes(LARGE)))
    yield from settle()
    a.close()
    yield from must_raise(ClosedError, receiver)
    yield from must_raise(ClosedError, sender)


@check
@coroutine
def cancelled_aclose_closes(a: Transport, _: Transport) -> Gen[None]:
    """Whatever happens to ``aclose``, the transport is closed after it."""
    sender = create_task(a.send(bytes(LARGE)))
    yield from settle()
    sender.cancel()
    yield from sender.wait()
    task: Task[None] = create_task(a.aclose())
    yield from sleep(0)
    task.cancel()
    yield from task.wait()
    yield from must_raise(ClosedError, a.recv(1))


@check
@coroutine
def aclose_refuses_who_comes_during_it(a: Transport, b: Transport) -> Gen[None]:
    """Whoever begins something while another task ends the stream gets `ClosedError`, as after."""
    closing = create_task(a.aclose())
    yield from settle()
    under_way = not closing.done()
    yield from _is_refused(a)
    assert closing.done() is not under_way, "they were held up until it was over"
    assert (yield from receive(b, 100)) == b""
    yield from b.aclose()
    yield from with_timeout(PATIENCE, closing)
    yield from _is_refused(a)


@check
@coroutine
def aclose_that_cannot_send_refuses_as_well(a: Transport, b: Transport) -> Gen[None]:
    """The same while the end of the stream has to wait behind what a cancelled send left."""
    sender = create_task(a.send(bytes(LARGE)))
    yield from settle()
    sender.cancel()
    yield from sender.wait()
    closing = create_task(a.aclose())
    yield from settle()
    under_way = not closing.done()
    yield from _is_refused(a)
    assert closing.done() is not under_way, "they were held up until it was over"
    b.close()
    yield from with_timeout(PATIENCE, closing)
    yield from _is_refused(a)


@coroutine
def _is_refused(transport: Transport) -> Gen[None]:
    yield from must_raise(ClosedError, transport.recv(1))
    yield from must_raise(ClosedError, transport.recv_into(bytearray(1)))
    yield from must_raise(ClosedError, transport.send(b"x"))
    yield from must_raise(ClosedError, transport.send(b"x", b"y"))
    assert transport.unsent == 2, "nothing of what was refused has gone"


@check
@coroutine
def aclose_wakes_who_waits(a: Transport, b: Transport) -> Gen[None]:
    """A task that is receiving gets `ClosedError`; the stream ends in good order all the same."""
    receiver = create_task(a.recv(1))
    yield from settle()
    closing = create_task(a.aclose())
    assert (yield from receive(b, 100)) == b""
    yield from b.aclose()
    yield from must_raise(ClosedError, receiver)
    yield from with_timeout(PATIENCE, closing)


@check
@coroutine
def close_ends_an_aclose(a: Transport, _: Transport) -> Gen[None]:
    """A task that ends the stream in good order is done when another one closes."""
    closing = create_task(a.aclose())
    yield from settle()
    a.close()
    yield from with_timeout(PATIENCE, closing.wait())
    yield from _is_refused(a)


@check
@coroutine
def with_closes(a: Transport, _: Transport) -> Gen[None]:
    """The end of a ``with`` block closes, whether or not it was reached in good order."""
    with a as entered:
        assert entered is a
        yield from a.send(b"x")
    yield from must_raise(ClosedError, a.recv(1))
    with a:  # once more does no harm
        pass


@check
@coroutine
async def async_with_ends_the_stream(a: Transport, b: Transport) -> None:
    """The end of an ``async with`` block is an ``aclose``: the peer sees the end."""
    closing = create_task(_say_in_a_block(a, b"last words"))
    assert await receive(b, 100, exactly=10) == b"last words"
    assert await receive(b, 100) == b""
    await b.aclose()
    await with_timeout(PATIENCE, closing)
    await must_raise(ClosedError, a.recv(1))


async def _say_in_a_block(transport: Transport, words: bytes) -> None:
    async with transport as entered:
        assert entered is transport
        await transport.send(words)


@check
@coroutine
async def an_error_passes_through_both_blocks(a: Transport, b: Transport) -> None:
    """An error leaves ``with`` and ``async with``, and the transport is closed."""
    await must_raise(LookupError, _fail_in_a_with_block(a))
    await must_raise(LookupError, _fail_in_an_async_with_block(b))
    for transport in (a, b):
        await must_raise(ClosedError, transport.send(b"x"))


async def _fail_in_a_with_block(transport: Transport) -> None:
    with transport:
        raise LookupError("the block's own")


async def _fail_in_an_async_with_block(transport: Transport) -> None:
    async with transport:
        raise LookupError("the block's own")


CLOSING_CHECKS: tuple[Check, ...] = (
    aclose_ends_the_stream,
    closing_is_idempotent_and_final,
    close_wakes_who_waits,
    cancelled_aclose_closes,
    aclose_refuses_who_comes_during_it,
    aclose_that_cannot_send_refuses_as_well,
    aclose_wakes_who_waits,
    close_ends_an_aclose,
    with_closes,
    async_with_ends_the_stream,
    an_error_passes_through_both_blocks,
)
