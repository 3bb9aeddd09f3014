"""Timeouts in the moment of completion, in both orders: no result and no exception is lost."""

from collections.abc import Callable

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    AnyCoroutine,
    Cancelled,
    CancelScope,
    Gen,
    TaskGroup,
    coroutine,
    create_task,
    current_context,
    current_task,
    fail_after,
    move_on_after,
    par,
    run,
    shield,
    sleep,
    suspend,
    wait_all,
    with_timeout,
)


@coroutine
def give(value: int, seconds: float) -> Gen[int]:
    yield from sleep(seconds)
    return value


async def fail(seconds: float) -> int:
    await sleep(seconds)
    raise LookupError("from within")


def test_in_time_gives_the_result(virtual: Virtual) -> None:
    assert run(with_timeout(5, give(1, 2))) == 1
    assert virtual.now == 2


def test_in_time_gives_the_exception(virtual: Virtual) -> None:
    with pytest.raises(LookupError, match="from within"):
        run(with_timeout(5, fail(2)))


def test_too_late_raises_timeout_error_with_the_place_as_its_cause(virtual: Virtual) -> None:
    with pytest.raises(TimeoutError, match=r"timed out after 1.5 seconds") as caught:
        run(with_timeout(1.5, give(1, 10)))
    assert isinstance(caught.value.__cause__, Cancelled)
    assert virtual.now == 1.5


def test_none_is_no_limit(virtual: Virtual) -> None:
    assert run(with_timeout(None, give(1, 10_000))) == 1


def test_it_runs_in_the_same_task() -> None:
    async def who() -> object:
        return current_task()

    async def main() -> None:
        assert await with_timeout(1, who()) is current_task()

    run(main())


def test_a_task_is_only_waited_for(virtual: Virtual) -> None:
    async def main() -> None:
        task = create_task(give(1, 10))
        with pytest.raises(TimeoutError):
            await with_timeout(1, task)
        assert await task == 1
        assert virtual.now == 10

    run(main())


def test_the_clean_up_s_exception_wins_over_the_timeout(virtual: Virtual) -> None:
    async def body() -> None:
        try:
            await sleep(10)
        finally:
            raise LookupError("in clean-up")

    with pytest.raises(LookupError, match="in clean-up"):
        run(with_timeout(1, body()))


def test_a_result_in_spite_of_the_timeout_is_kept(virtual: Virtual) -> None:
    async def body() -> str:
        try:
            await sleep(10)
        except Cancelled:
            return "partial"
        return "whole"

    assert run(with_timeout(1, body())) == "partial"


def test_completion_first_then_timeout_in_one_round(virtual: Virtual) -> None:
    async def main() -> int:
        # Equal deadlines run in the order they were set: the task's own sleep first.
        task = create_task(give(1, 5))
        await sleep(0)
        await sleep(0)
        return await with_timeout(5, task)

    assert run(main()) == 1
    assert virtual.now == 5


def test_what_ends_in_the_moment_of_the_timeout_has_ended(virtual: Virtual) -> None:
    assert run(with_timeout(5, give(1, 5))) == 1
    assert virtual.now == 5


def test_timeout_first_then_completion_in_one_round(virtual: Virtual) -> None:
    async def in_two_steps() -> int:
        await sleep(2)
        return await give(1, 3)

    with pytest.raises(TimeoutError):
        run(with_timeout(5, in_two_steps()))
    assert virtual.now == 5


def test_the_timer_is_set_when_the_task_suspends_inside(virtual: Virtual) -> None:
    async def main() -> list[int]:
        loop = current_context().eventloop
        timers = []
        with move_on_after(5) as scope:
            timers.append(loop.stats().timers)
            await sleep(0)
            timers.append(loop.stats().timers)
            await sleep(60)
        timers.append(loop.stats().timers)
        assert scope.cancelled_caught
        with move_on_after(5):
            pass
        timers.append(loop.stats().timers)
        return timers

    assert run(main()) == [0, 1, 0, 0]
    assert virtual.now == 5


def test_a_deadline_that_passed_while_the_task_ran_is_met_at_its_suspension(
    virtual: Virtual,
) -> None:
    async def main() -> bool:
        with move_on_after(0) as scope:
            for _ in range(3):
                await sleep(0)
            return False
        return scope.cancelled_caught

    assert run(main())


@pytest.mark.parametrize("first", ["wake", "cancel"])
def test_what_was_handed_over_first_is_kept(virtual: Virtual, first: str) -> None:
    seen: list[str] = []

    async def body() -> None:
        with move_on_after(1000) as scope:
            scopes.append(scope)
            await suspend(lambda: seen.append("undone"))
            seen.append("got it")
            await sleep(0)
            seen.append("not reached")
        seen.append(f"caught={scope.cancelled_caught}")

    scopes: list[object] = []

    async def main() -> None:
        task = create_task(body())
        await sleep(1)
        actions: list[Callable[[], object]] = [task.unblock, scopes[0].cancel]  # type: ignore[attr-defined]
        for action in actions if first == "wake" else reversed(actions):
            action()
        await task

    run(main())
    handed = ["got it", "caught=True"]
    assert seen == (handed if first == "wake" else ["undone", "caught=True"])


@pytest.mark.parametrize(
    "wait",
    [
        lambda: par(give(1, 5), give(2, 5)),
        lambda: wait_all([create_task(give(1, 5)), create_task(give(2, 5))]),
        lambda: create_task(give(1, 5)),
    ],
    ids=["par", "wait_all", "task"],
)
def test_children_that_end_in_the_moment_of_the_timeout_have_ended(
    virtual: Virtual, wait: Callable[[], AnyCoroutine[object]]
) -> None:
    """The children's timers were set before the scope's, so they end first, in the same round."""

    async def set_late(scope: CancelScope) -> None:
        for _ in range(5):
            await sleep(0)
        scope.deadline = virtual.loop.time() + 5

    @coroutine
    def main() -> Gen[object]:
        with fail_after(1000) as scope:
            late = create_task(set_late(scope))
            result = yield from wait()  # type: ignore[misc]
        yield from late.wait()
        return result

    assert run(main())
    assert virtual.now == 5


def test_a_group_that_ends_in_the_moment_of_the_timeout_has_ended(virtual: Virtual) -> None:
    results: list[int] = []

    async def child(value: int) -> None:
        await sleep(5)
        results.append(value)

    async def main() -> str:
        with move_on_after(1000) as scope:
            async with TaskGroup() as group:
                group.start_soon(child(1))
                group.start_soon(child(2))
                await sleep(0)
                await sleep(0)
                # Set after the children's timers, so it fires after them, in the same round.
                scope.deadline = virtual.loop.time() + 5
            return "finished"
        return "cut short"

    assert run(main()) == "finished"
    assert results == [1, 2]


def test_zero_allows_what_needs_no_waiting(virtual: Virtual) -> None:
    async def now() -> int:
        return 1

    assert run(with_timeout(0, now())) == 1
    with pytest.raises(TimeoutError, match="after 0 seconds"):
        run(with_timeout(0, give(1, 1)))


def test_fail_after_that_is_cancelled_by_hand_does_not_speak_of_time(virtual: Virtual) -> None:
    async def main() -> None:
        with fail_after(10) as scope:
            scope.cancel()
            await sleep(1)

    with pytest.raises(TimeoutError, match="cancelled before its 10 seconds were over"):
        run(main())


def test_a_deadline_that_passes_in_the_clean_up_of_a_cancelled_block_is_not_what_ended_it(
    virtual: Virtual,
) -> None:
    async def main() -> None:
        with fail_after(2) as scope:
            await sleep(1)
            scope.cancel()
            try:
                await sleep(1)
            finally:
                with shield():
                    await sleep(3)

    with pytest.raises(TimeoutError, match="cancelled before its 2 seconds were over"):
        run(main())
