"""What every transport must do at whatever moment it is closed, or a task is cancelled."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import cycle
from typing import TypeAlias

from tulip_net._errors import BrokenError
from tulip_net._transport import Transport
from tulip_net.testing._check import Check, MakePair, check
from tulip_net.testing._exchange import PATIENCE
from tulip_sched import (
    BusyError,
    ClosedError,
    Coroutine,
    Gen,
    Task,
    coroutine,
    create_task,
    sleep,
    wait_all,
    with_timeout,
)

__all__ = ["MOMENT_CHECKS"]

MOMENTS = (0, 1, 2, 3, 5, 8, 13, 21)
"""Turns of the event loop. The first ones are where most things begin and end."""

SIZE = 400_000
"""Bytes; more than a pair of sockets takes at once, so that there is something to interrupt."""

Closing: TypeAlias = Callable[[Transport], Coroutine[None]]


@coroutine
def closed_at_each_moment(make_pair: MakePair) -> Gen[None]:
    """Whichever side closes, in whichever way and whenever: every task ends, and none in the dark.

    The side that closes gets `ClosedError`, the other one `BrokenError` or the end of the stream,
    and what has come by then is the beginning of what was sent.
    """
    for moment in MOMENTS:
        for closing in (_close, _aclose):
            for side in (0, 1):
                pair = yield from make_pair()
                try:
                    closed = _close_in_between(pair, side, moment, closing)
                    yield from with_timeout(PATIENCE, closed)
                finally:
                    pair[0].close()
                    pair[1].close()


@coroutine
async def _close(transport: Transport) -> None:
    transport.close()


@coroutine
async def _aclose(transport: Transport) -> None:
    await transport.aclose()


@coroutine
def _close_in_between(
    pair: tuple[Transport, Transport], side: int, moment: int, closing: Closing
) -> Gen[None]:
    data = random.Random(8).randbytes(SIZE)  # noqa: S311 - for repetition
    ours, theirs = pair[side], pair[1 - side]
    got, peer_got = bytearray(), bytearray()
    closer = create_task(_close_after(moment, closing, ours))
    tasks = [create_task(each) for each in (ours.send(data), _receive_until_the_end(ours, got))]
    peer_tasks = [
        create_task(each) for each in (theirs.send(data), _receive_until_the_end(theirs, peer_got))
    ]
    yield from _must_end(peer_tasks, BrokenError)
    theirs.close()
    yield from closer
    # Busy: with its end, if a task begins to use it only then.
    yield from _must_end(tasks, ClosedError, BusyError)
    for received in (got, peer_got):
        assert data.startswith(bytes(received)), "what came is not what was sent"


@coroutine
def _close_after(moment: int, closing: Closing, transport: Transport) -> Gen[None]:
    for _ in range(moment):
        yield from sleep(0)
    yield from closing(transport)


@coroutine
def _must_end(tasks: list[Task[None]], *expected: type[Exception]) -> Gen[None]:
    """Wait for the tasks; those that fail may do so in one way only."""
    yield from wait_all(tasks)
    errors = [error for task in tasks if (error := task.exception()) is not None]
    assert all(isinstance(error, expected) for error in errors), f"{errors}, not {expected}"


@coroutine
def _receive_until_the_end(transport: Transport, got: bytearray) -> Gen[None]:
    while data := (yield from transport.recv(65536)):
        got += data


@check
@coroutine
def cancelled_at_each_suspension(a: Transport, b: Transport) -> Gen[None]:
    """Both directions of both sides, cancelled and taken up again and again: every byte, once."""
    there, back = (random.Random(seed).randbytes(SIZE) for seed in (9, 10))  # noqa: S311
    received = (bytearray(), bytearray())
    tasks = [
        create_task(_send_with_interruptions(a, there, 1)),
        create_task(_send_with_interruptions(b, back, 2)),
        create_task(_receive_with_interruptions(b, received[0], 3)),
        create_task(_receive_with_interruptions(a, received[1], 4)),
    ]
    for task in tasks:
        yield from task
    assert received[0] == there
    assert received[1] == back


@coroutine
def _send_with_interruptions(transport: Transport, data: bytes, begin: int) -> Gen[None]:
    left = data
    for moment in cycle((*MOMENTS[begin:], *MOMENTS[1:begin])):
        yield from _interrupt_after(moment, create_task(transport.send(left)))
        left = left[len(left) - transport.unsent :]
        if not left:
            return


@coroutine
def _receive_with_interruptions(transport: Transport, got: bytearray, begin: int) -> Gen[None]:
    for moment in cycle((*MOMENTS[begin:], *MOMENTS[1:begin])):
        yield from _interrupt_after(moment, create_task(_receive_up_to(transport, got)))
        if len(got) >= SIZE:
            return


@coroutine
def _receive_up_to(transport: Transport, got: bytearray) -> Gen[None]:
    while len(got) < SIZE:
        data = yield from transport.recv(10_000)
        assert data, f"the stream ended after {len(got)} of {SIZE} bytes"
        got += data


@coroutine
def _interrupt_after(moment: int, task: Task[None]) -> Gen[None]:
    """Cancel the task after so many turns, if it takes that long; raise what it raises."""
    for _ in range(moment):
        yield from sleep(0)
    task.cancel()
    yield from task.wait()
    if not task.cancelled():
        task.result()


MOMENT_CHECKS: tuple[Check, ...] = (closed_at_each_moment, cancelled_at_each_suspension)
