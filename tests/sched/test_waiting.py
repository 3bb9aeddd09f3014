"""Waiting for several tasks: how many, which, and what a cancelled wait leaves."""

import gc
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Coroutine as NativeCoroutine
from typing import Any

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    AnyCoroutine,
    BusyError,
    Coroutine,
    Event,
    Task,
    as_completed,
    call_in_thread,
    create_task,
    current_task,
    map_over,
    move_on_after,
    par,
    run,
    shield,
    sleep,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)


async def next_of(steps: Iterator[Coroutine[Task[int]]]) -> Task[int]:
    return await next(steps)


async def give(value: int, seconds: float = 0) -> int:
    await sleep(seconds)
    return value


async def fail(message: str, seconds: float = 0) -> int:
    await sleep(seconds)
    raise LookupError(message)


def started(*seconds: float) -> list[Task[int]]:
    return [create_task(give(number, each)) for number, each in enumerate(seconds)]


@pytest.mark.parametrize("count, until", [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_wait_for_returns_when_so_many_are_done(virtual: Virtual, count: int, until: float) -> None:
    async def main() -> None:
        tasks = started(3, 1, 2)
        done = await wait_for(count, tasks)
        assert virtual.now == until
        assert done == {task for task in tasks if task.done()}
        assert len(done) == count
        await wait_all(tasks)

    run(main())


def test_more_may_be_done_than_were_asked_for(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 1, 1, 5)
        assert await wait_any(tasks) == set(tasks[:3])
        assert await wait_all(tasks) == set(tasks)

    run(main())


def test_tasks_that_are_done_already_count_without_suspending() -> None:
    turns: list[str] = []

    async def note() -> None:
        turns.append("another task ran")

    async def main() -> None:
        tasks = started(0, 0)
        await wait_all(tasks)
        later = create_task(note())
        assert await wait_any(tasks) == set(tasks)
        assert await wait_for(0, []) == set()
        assert await wait_all([]) == set()
        assert turns == []
        await later

    run(main())


@pytest.mark.parametrize("count, tasks", [(1, 0), (3, 2), (-1, 2)])
def test_an_impossible_count_is_refused(count: int, tasks: int) -> None:
    async def main() -> None:
        every = started(*[0] * tasks)
        with pytest.raises(ValueError, match=f"cannot wait for {count} of {tasks} tasks"):
            await wait_for(count, every)
        await wait_all(every)

    run(main())


def test_wait_any_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot wait for 1 of 0 tasks"):
        run(wait_any(()))


def test_a_task_named_twice_counts_once(virtual: Virtual) -> None:
    async def main() -> None:
        one, two = started(1, 2)
        assert await wait_for(2, [one, one, two]) == {one, two}
        assert virtual.now == 2
        with pytest.raises(ValueError, match="cannot wait for 2 of 1"):
            await wait_for(2, [one, one])
        assert await wait_all([one, one]) == {one}

    run(main())


def test_an_iterator_of_tasks_is_enough(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 2)
        assert await wait_all(task for task in tasks) == set(tasks)
        assert await wait_any(task for task in tasks) == set(tasks)

    run(main())


def test_failures_are_the_caller_s_to_look_at() -> None:
    async def main() -> None:
        bad, good = create_task(fail("mine")), create_task(give(1))
        assert await wait_all([bad, good]) == {bad, good}
        assert str(bad.exception()) == "mine"

    run(main())


@pytest.mark.parametrize(
    "wait",
    [wait_any, wait_all, lambda tasks: wait_for(1, tasks)],
    ids=["wait_any", "wait_all", "wait_for"],
)
def test_itself_and_a_task_that_was_never_started_are_refused(
    wait: Callable[[Iterable[Task[Any]]], AnyCoroutine[object]],
) -> None:
    async def main() -> None:
        lazy = Task(give(1), "lazy")
        with pytest.raises(RuntimeError, match="'lazy' was never started"):
            await wait([lazy])  # type: ignore[misc]
        with pytest.raises(RuntimeError, match="'main' cannot wait for itself"):
            await wait([current_task()])  # type: ignore[misc]
        lazy.cancel()

    run(main())


def test_a_refused_wait_leaves_no_callback() -> None:
    async def main() -> None:
        (good,) = started(0.001)
        lazy = Task(give(1), "lazy")
        for wait in (wait_all, as_completed):
            with pytest.raises(RuntimeError):
                await wait([good, lazy])  # type: ignore[misc]
            assert not good._callbacks
        lazy.cancel()
        await good

    run(main())


def test_a_cancelled_wait_leaves_the_tasks_and_no_callback(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(2, 3, 4)
        with move_on_after(1):
            await wait_all(tasks)
        assert not any(task._callbacks for task in tasks)
        with move_on_after(2):
            await wait_for(3, tasks)
        assert [task.done() for task in tasks] == [True, True, False]
        assert not tasks[2]._callbacks
        assert await tasks[2] == 2

    run(main())


def test_a_satisfied_wait_leaves_no_callback(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 5)
        await wait_any(tasks)
        assert not tasks[1]._callbacks
        await tasks[1]

    run(main())


def test_a_failure_that_a_cancelled_wait_never_showed_makes_the_run_fail(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = [create_task(fail("unseen", 1)), create_task(give(1, 5))]
        with move_on_after(2):
            await wait_all(tasks)
        await tasks[1]

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(LookupError, match="unseen")


def test_two_tasks_wait_for_the_same(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 2)
        waiters = [create_task(wait_all(tasks)), create_task(wait_any(tasks))]
        await wait_all(waiters)
        assert [len(waiter.result()) for waiter in waiters] == [2, 1]

    run(main())


# -- as_completed ---------------------------------------------------------------------------------


def test_as_completed_gives_the_tasks_as_they_finish(virtual: Virtual) -> None:
    async def main() -> list[int]:
        return [(await step).result() for step in as_completed(started(3, 1, 2))]

    assert run(main()) == [1, 2, 0]


def test_as_completed_gives_failures_too(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = [create_task(fail("b", 2)), create_task(give(7, 1))]
        ends = [(await step).exception() for step in as_completed(tasks)]
        assert ends[0] is None
        assert isinstance(ends[1], LookupError)

    run(main())


def test_as_completed_counts_a_task_once_and_takes_done_ones_first(virtual: Virtual) -> None:
    async def main() -> None:
        slow, quick = started(5, 1)
        await quick
        assert [await step for step in as_completed([slow, quick, slow])] == [quick, slow]

    run(main())


def test_as_completed_all_in_one_round(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 1, 1)
        assert [await step for step in as_completed(tasks)] == tasks

    run(main())


def test_an_abandoned_as_completed_leaves_no_callback(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(1, 2, 3)
        assert await next_of(as_completed(tasks)) is tasks[0]
        assert not any(task._callbacks for task in tasks)
        await wait_all(tasks)

    run(main())


def test_a_failure_that_an_abandoned_as_completed_never_gave_makes_the_run_fail(
    virtual: Virtual,
) -> None:
    async def main() -> None:
        tasks = [create_task(give(1, 1)), create_task(fail("unseen", 2))]
        assert await next_of(as_completed(tasks)) is tasks[0]
        await sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(LookupError, match="unseen")


def test_a_step_that_timed_out_can_be_waited_for_again(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(5, 6)
        steps = as_completed(tasks)
        with pytest.raises(TimeoutError):
            (await with_timeout(1, next(steps))).cancel()
        assert [await step for step in steps] == tasks

    run(main())


def test_steps_that_are_taken_first_and_driven_later(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(2, 1)
        steps = list(as_completed(tasks))
        assert [await step for step in steps] == [tasks[1], tasks[0]]

    run(main())


def test_two_tasks_that_drive_steps_at_once_are_told(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = started(5, 6)
        first, second = list(as_completed(tasks))
        waiting = create_task(first)
        await sleep(1)
        with pytest.raises(BusyError, match="already waits for the next"):
            (await second).cancel()
        assert await waiting is tasks[0]
        assert await tasks[1] == 1

    run(main())


def test_as_completed_of_nothing_gives_nothing() -> None:
    async def main() -> list[object]:
        nothing: list[Task[int]] = []
        return [await step for step in as_completed(nothing)]

    assert run(main()) == []


# -- par and map_over -----------------------------------------------------------------------------


def test_par_gives_the_results_in_the_order_of_the_arguments(virtual: Virtual) -> None:
    async def main() -> None:
        assert await par(give(1, 3), give(2, 1), give(3, 2)) == (1, 2, 3)
        assert virtual.now == 3
        assert await par() == ()

    run(main())


def test_par_cancels_the_others_when_one_fails(virtual: Virtual) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await sleep(100)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await par(slow(), fail("first", 1), slow())
        assert caught.group_contains(LookupError, match="first")

    run(main())
    assert ended == ["cancelled"] * 2
    assert virtual.now == 1


def test_cancelling_par_cancels_all_and_waits_for_their_ends(virtual: Virtual) -> None:
    ended: list[float] = []

    async def slow(clean_up: float) -> None:
        try:
            await sleep(100)
        finally:
            with shield():
                await sleep(clean_up)
            ended.append(virtual.now)

    async def main() -> None:
        with move_on_after(1) as scope:
            await par(slow(1), slow(2))
        assert scope.cancelled_caught
        assert ended == [2, 3]

    run(main())


def test_where_map_over_s_function_fails_the_coroutines_before_it_are_closed() -> None:
    """Python would say of each that it was never awaited, at a line of ours."""

    async def double(number: int) -> int:
        return 2 * number

    def refuses(number: int) -> NativeCoroutine[Any, Any, int]:
        if number == 2:
            raise LookupError(number)
        return double(number)

    with pytest.raises(LookupError):
        run(map_over(refuses, range(3)))
    gc.collect()


def test_map_over_calls_with_one_item_of_each(virtual: Virtual) -> None:
    async def main() -> None:
        assert await map_over(give, [1, 2, 3], [3, 2, 1, 0]) == [1, 2, 3]
        assert await map_over(give, []) == []
        assert virtual.now == 3

    run(main())


def test_who_waits_for_the_next_to_finish_waits_on_when_another_task_took_it(
    virtual: Virtual,
) -> None:
    async def main() -> None:
        tasks = started(1, 2)
        bell = Event()
        # So that the end of the first task wakes the other taker before the one that waits for it.
        tasks[0].add_done_callback(lambda _: bell.set())
        steps = as_completed(tasks)

        async def take_when_it_rings() -> Task[int]:
            await bell.wait()
            return await next_of(steps)

        assert await par(take_when_it_rings(), next_of(steps)) == (tasks[0], tasks[1])

    run(main())


def test_an_as_completed_that_ends_in_another_thread_leaves_no_callback() -> None:
    """As the garbage collector runs in whichever thread makes it run."""

    async def main() -> None:
        tasks = started(1000, 1000)
        box = [as_completed(tasks)]
        await call_in_thread(box.clear)
        await sleep(0)
        assert not any(task._callbacks for task in tasks)

    run(main())
