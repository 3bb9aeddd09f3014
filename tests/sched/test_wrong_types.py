"""A value of the wrong kind is refused where it is given, and the message has it in it."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tulip_sched import (
    Barrier,
    BoundedSemaphore,
    CancelScope,
    Gen,
    LifoQueue,
    PriorityQueue,
    Queue,
    Semaphore,
    Task,
    TaskGroup,
    Watch,
    as_completed,
    block,
    block_r,
    block_w,
    call_in_thread,
    coroutine,
    current_context,
    fail_after,
    map_over,
    move_on_after,
    par,
    run,
    set_context_provider,
    sleep,
    suspend,
    wait_all,
    wait_any,
    wait_asyncio,
    wait_for,
    with_timeout,
)
from tulip_sched.testing import VirtualClock


@coroutine
def give(value: int = 1) -> Gen[int]:
    yield from sleep(0)
    return value


def entered(deadline: Any) -> None:
    with CancelScope(deadline=deadline):
        pass


def moved(deadline: Any) -> None:
    with CancelScope() as scope:
        scope.deadline = deadline


def task_with(timeout: Any) -> object:
    coro = give()
    try:
        return Task(coro, timeout=timeout)
    finally:
        coro.close()  # type: ignore[attr-defined]


WRONG: dict[str, tuple[Callable[..., Any], object]] = {
    "sleep": (sleep, "1"),
    "sleep-none": (sleep, None),
    "Task": (Task, 5),
    "Task-timeout": (task_with, "1"),
    "with_timeout": (lambda wrong: with_timeout(wrong, give()), "1"),
    "with_timeout-coroutine": (lambda wrong: with_timeout(1, wrong), 5),
    "move_on_after": (move_on_after, "1"),
    "fail_after": (fail_after, "1"),
    "CancelScope": (entered, "1"),
    "CancelScope-none": (entered, None),
    "CancelScope-later": (moved, "1"),
    "block": (block, None),
    "suspend": (suspend, None),
    "block_r": (block_r, "1"),
    "block_r-bool": (block_r, True),
    "block_w": (block_w, 1.5),
    "Watch": (Watch, "1"),
    "call_in_thread": (call_in_thread, 5),
    "wait_for": (lambda wrong: wait_for(wrong, []), "1"),
    "wait_for-tasks": (lambda wrong: wait_for(1, wrong), 5),
    "wait_any": (wait_any, 5),
    "wait_all": (wait_all, None),
    "as_completed": (as_completed, 5),
    "par": (par, 5),
    "map_over": (lambda wrong: map_over(lambda _: wrong, [1]), 5),
    "start_soon": (lambda wrong: TaskGroup().start_soon(wrong), 5),
    "set_context_provider": (set_context_provider, 5),
    "coroutine": (coroutine, 5),
    "Semaphore": (Semaphore, 1.5),
    "BoundedSemaphore": (BoundedSemaphore, None),
    "Queue": (Queue, "1"),
    "LifoQueue": (LifoQueue, 1.5),
    "PriorityQueue": (PriorityQueue, None),
    "Barrier": (Barrier, 1.5),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_is_named_and_harms_nothing(case: str) -> None:
    function, wrong = WRONG[case]

    async def main() -> int:
        with pytest.raises(TypeError) as caught:
            await function(wrong)
        assert repr(wrong) in str(caught.value)
        return await give(7)

    assert run(main()) == 7
    assert run(give(8)) == 8


@pytest.mark.parametrize("make", [sleep, move_on_after, fail_after, task_with, entered, moved])
def test_not_a_number_is_refused(make: Callable[[float], object]) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"(got|for) nan"):
            make(math.nan)

    run(main())


def test_a_clock_moves_by_numbers() -> None:
    with pytest.raises(TypeError, match="got '1'"):
        VirtualClock().advance("1")  # type: ignore[arg-type]


def test_a_watch_of_a_closed_socket_s_number_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="got -1"):
            Watch(-1)
        assert not current_context().watches

    run(main())


def test_waiting_for_what_asyncio_cannot_run() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="cannot wait for 5"):
            await wait_asyncio(5)  # type: ignore[arg-type]

    run(main())
