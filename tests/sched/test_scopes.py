"""Cancellation: scopes that nest, levels, shields, deadlines."""

import math
from collections.abc import Callable, Iterator

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    Cancelled,
    CancelScope,
    Gen,
    Task,
    coroutine,
    create_task,
    current_context,
    current_task,
    fail_after,
    move_on_after,
    run,
    shield,
    sleep,
)


def test_a_scope_catches_its_own_cancellation(virtual: Virtual) -> None:
    async def main() -> None:
        with CancelScope(deadline=virtual.loop.time() + 2) as scope:
            await sleep(10)
        assert (scope.cancel_called, scope.cancelled_caught) == (True, True)
        assert virtual.now == 2

    run(main())


def test_scopes_work_in_generators(virtual: Virtual) -> None:
    @coroutine
    def main() -> Gen[bool]:
        with move_on_after(2) as scope:
            yield from sleep(10)
        yield from sleep(1)
        return scope.cancelled_caught

    assert run(main())
    assert virtual.now == 3


def test_a_scope_that_ends_in_time_leaves_no_timer(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(100) as scope:
            await sleep(1)
        assert not scope.cancel_called
        assert virtual.loop.stats().timers == 0

    run(main())


@pytest.mark.parametrize("inner_seconds, outer_seconds, caught", [(1, 2, "inner"), (2, 1, "outer")])
def test_the_scope_whose_time_ran_out_catches(
    virtual: Virtual, inner_seconds: float, outer_seconds: float, caught: str
) -> None:
    async def main() -> None:
        with move_on_after(outer_seconds) as outer, move_on_after(inner_seconds) as inner:
            await sleep(10)
        assert [outer.cancelled_caught, inner.cancelled_caught] == [
            caught == "outer",
            caught == "inner",
        ]

    run(main())


def test_when_both_are_cancelled_the_outer_one_catches(virtual: Virtual) -> None:
    async def main() -> None:
        with CancelScope() as outer:
            with CancelScope() as inner:
                inner.cancel()
                outer.cancel()
                await sleep(10)
            raise AssertionError
        assert (outer.cancelled_caught, inner.cancelled_caught) == (True, False)

    run(main())


def test_cancellation_is_a_level(virtual: Virtual) -> None:
    raised = 0

    async def main() -> None:
        nonlocal raised
        with CancelScope() as scope:
            scope.cancel()
            for seconds in (10, 0, 10):
                try:
                    await sleep(seconds)
                except Cancelled:
                    raised += 1
        assert not scope.cancelled_caught
        await sleep(1)

    run(main())
    assert raised == 3
    assert virtual.now == 1


def test_cancel_before_the_block_is_entered_stops_its_first_suspension() -> None:
    async def main() -> None:
        scope = CancelScope()
        scope.cancel()
        with scope:
            await sleep(0)
            raise AssertionError
        assert scope.cancelled_caught

    run(main())


def test_cancel_twice_and_after_the_block_does_nothing(virtual: Virtual) -> None:
    async def main() -> None:
        with CancelScope() as scope:
            scope.cancel()
            scope.cancel()
            await sleep(1)
        scope.cancel()
        await sleep(1)
        with CancelScope() as untouched:
            await sleep(1)
        untouched.cancel()
        assert not untouched.cancelled_caught
        await sleep(1)

    run(main())
    assert virtual.now == 3


def test_a_block_that_does_not_suspend_is_not_cancelled() -> None:
    async def main() -> None:
        with CancelScope() as scope:
            scope.cancel()
        assert not scope.cancelled_caught

    run(main())


def test_a_shield_keeps_outer_cancellation_out_until_it_is_left(virtual: Virtual) -> None:
    seen: list[float] = []

    async def main() -> None:
        with move_on_after(1) as outer:
            with shield() as inside:
                await sleep(5)
                seen.append(virtual.now)
            assert inside.shield
            await sleep(5)
        assert outer.cancelled_caught

    run(main())
    assert seen == [5]
    assert virtual.now == 5


def test_a_shield_inside_a_cancelled_scope_lets_clean_up_wait(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(1):
            try:
                await sleep(10)
            finally:
                with shield():
                    await sleep(2)

    run(main())
    assert virtual.now == 3


def test_a_shield_with_a_deadline_ends(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(1):
            try:
                await sleep(10)
            finally:
                with CancelScope(deadline=virtual.loop.time() + 2, shield=True):
                    await sleep(100)

    run(main())
    assert virtual.now == 3


def test_a_shield_keeps_out_the_cancellation_of_the_task(virtual: Virtual) -> None:
    seen: list[str] = []

    async def body() -> None:
        with shield():
            await sleep(5)
            seen.append("shielded")
        await sleep(5)
        seen.append("not reached")

    async def main() -> None:
        task = create_task(body())
        await sleep(1)
        task.cancel()
        await task.wait()
        assert task.cancelled()

    run(main())
    assert seen == ["shielded"]
    assert virtual.now == 5


def test_an_inner_scope_of_a_shield_can_be_cancelled(virtual: Virtual) -> None:
    async def main() -> None:
        with shield(), move_on_after(1) as inner:
            await sleep(10)
        assert inner.cancelled_caught

    run(main())


@pytest.mark.parametrize("later", [1.0, 5.0, math.inf])
def test_a_deadline_can_be_changed_while_the_block_runs(virtual: Virtual, later: float) -> None:
    async def main() -> None:
        with move_on_after(3) as scope:
            scope.deadline = virtual.loop.time() + later
            await sleep(10)
        assert virtual.now == min(later, 10)
        assert scope.cancelled_caught == (later < 10)

    run(main())


def test_a_deadline_can_be_changed_from_another_task(virtual: Virtual) -> None:
    scopes: list[CancelScope] = []

    async def body() -> None:
        with move_on_after(10) as scope:
            scopes.append(scope)
            await sleep(100)

    async def main() -> None:
        task = create_task(body())
        await sleep(1)
        scopes[0].deadline = virtual.loop.time()
        await task
        assert virtual.now == 1

    run(main())


def test_a_deadline_set_before_the_block_counts_from_its_entry(virtual: Virtual) -> None:
    async def main() -> None:
        scope = CancelScope()
        scope.deadline = virtual.loop.time() + 2
        assert virtual.loop.stats().timers == 0
        with scope:
            await sleep(10)
        assert virtual.now == 2

    run(main())


def test_a_deadline_set_after_the_block_leaves_no_timer(virtual: Virtual) -> None:
    async def main() -> None:
        with CancelScope() as scope:
            await sleep(1)
        scope.deadline = virtual.loop.time() + 100
        assert virtual.loop.stats().timers == 0

    run(main())


def test_a_deadline_that_is_no_number_is_refused_and_changes_nothing(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(1) as scope:
            with pytest.raises(ValueError, match="nan"):
                scope.deadline = math.nan
            await sleep(10)
        assert scope.cancelled_caught
        assert virtual.now == 1

    run(main())


@pytest.mark.parametrize("make", [move_on_after, fail_after], ids=["move_on", "fail"])
@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_a_timeout_that_is_none_is_refused(
    make: Callable[[float], CancelScope], seconds: float
) -> None:
    with pytest.raises(ValueError, match=f"at least 0 seconds, got {seconds}"):
        make(seconds)


@pytest.mark.parametrize("make", [move_on_after, fail_after], ids=["move_on", "fail"])
@pytest.mark.parametrize("seconds", [None, math.inf])
def test_no_limit_sets_no_timer(
    virtual: Virtual, make: Callable[[float | None], CancelScope], seconds: float | None
) -> None:
    async def main() -> None:
        with make(seconds):
            assert virtual.loop.stats().timers == 0
            await sleep(1)

    run(main())


def test_a_scope_serves_one_block() -> None:
    async def main() -> None:
        scope = CancelScope()
        with scope, pytest.raises(RuntimeError, match="each scope serves one with block"):
            scope.__enter__()
        with pytest.raises(RuntimeError, match="each scope serves one with block"):
            scope.__enter__()

    run(main())


def test_a_scope_needs_a_task() -> None:
    with pytest.raises(RuntimeError, match="no tulip task is running"):
        CancelScope().__enter__()


def test_an_error_raised_instead_of_cancelled_comes_out(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(1):
            try:
                await sleep(10)
            except Cancelled as order:
                raise LookupError("instead") from order

    with pytest.raises(LookupError, match="instead"):
        run(main())


def test_cancelled_is_split_from_a_group_of_errors(virtual: Virtual) -> None:
    def mixed(order: Cancelled) -> BaseExceptionGroup[BaseException]:
        inner = BaseExceptionGroup("inner", [order, LookupError("kept")])
        return BaseExceptionGroup("outer", [inner, ValueError("kept too")])

    async def main() -> None:
        with move_on_after(1) as scope:
            scopes.append(scope)
            try:
                await sleep(10)
            except Cancelled as order:
                raise mixed(order) from None

    scopes: list[CancelScope] = []
    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert scopes[0].cancelled_caught
    assert caught.group_contains(LookupError, match="kept")
    assert caught.group_contains(ValueError, match="kept too")
    assert not caught.group_contains(Cancelled)


def test_a_group_of_nothing_but_cancelled_is_caught(virtual: Virtual) -> None:
    async def main() -> None:
        with move_on_after(1) as scope:
            try:
                await sleep(10)
            except Cancelled as order:
                raise BaseExceptionGroup("group", [order]) from None
        assert scope.cancelled_caught

    run(main())


def test_ten_thousand_scopes_keep_the_timers_flat(virtual: Virtual) -> None:
    async def main() -> None:
        for _ in range(10_000):
            with move_on_after(1000):
                pass
        assert len(virtual.loop._timers.heap) < 1000

    run(main())


def test_cancelled_scopes_with_nothing_to_do_use_no_cpu(virtual: Virtual) -> None:
    """Level-triggered must not mean spinning: who is shielded sleeps in one piece."""

    async def body() -> None:
        with CancelScope() as scope:
            scope.cancel()
            with shield():
                await sleep(100)

    async def main() -> None:
        tasks = [create_task(body()) for _ in range(50)]
        await sleep(1)
        before = virtual.rounds
        for task in tasks:
            task.cancel()
        await sleep(50)
        assert virtual.rounds - before <= 2
        for task in tasks:
            await task.wait()
        assert virtual.rounds - before <= 10

    run(main())


def test_a_chain_of_many_scopes_is_cancelled_from_outside(virtual: Virtual) -> None:
    async def nest(depth: int) -> None:
        if depth == 0:
            await sleep(100)
        else:
            with CancelScope():
                await nest(depth - 1)

    async def main() -> None:
        with move_on_after(1) as scope:
            await nest(100)
        assert scope.cancelled_caught

    run(main())


# -- misnesting -----------------------------------------------------------------------------------


def numbers_under(scope: CancelScope) -> Iterator[int]:
    """The mistake: a scope that stays open while the caller runs."""
    with scope:
        yield 1
        yield 2


def test_a_scope_left_out_of_order_is_refused_and_its_timer_goes(virtual: Virtual) -> None:
    async def main() -> None:
        outer, inner = move_on_after(100), CancelScope()
        outer.__enter__()
        inner.__enter__()
        with pytest.raises(RuntimeError, match="left out of order"):
            outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        assert virtual.loop.stats().timers == 0
        with move_on_after(1) as after:
            await sleep(10)
        assert after.cancelled_caught

    run(main())


def test_a_scope_left_out_of_order_cancels_nothing_any_more(virtual: Virtual) -> None:
    async def main() -> None:
        outer, inner = CancelScope(), CancelScope()
        outer.__enter__()
        inner.__enter__()
        outer.cancel()
        with pytest.raises(RuntimeError, match="out of order"):
            outer.__exit__(None, None, None)
        await sleep(1)
        inner.__exit__(None, None, None)

    run(main())
    assert virtual.now == 1


def test_a_scope_left_in_another_task_is_refused_and_its_own_task_goes_on(
    virtual: Virtual,
) -> None:
    generators: list[Iterator[int]] = []

    async def opens() -> float:
        generator = numbers_under(move_on_after(2))
        next(generator)
        generators.append(generator)
        await sleep(5)
        return virtual.now

    async def main() -> None:
        task = create_task(opens(), "opener")
        await sleep(1)
        with pytest.raises(RuntimeError, match=r"entered in task 'opener' .* out of order"):
            list(generators.pop())
        assert await task == 5

    run(main())


def test_a_scope_left_open_by_a_task_that_ends_is_an_error(virtual: Virtual) -> None:
    async def body() -> None:
        move_on_after(100).__enter__()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="ended inside <CancelScope open"):
            await create_task(body())

    run(main())


def test_a_scope_left_suspended_in_a_generator_cannot_swallow_the_task(virtual: Virtual) -> None:
    async def body() -> None:
        for _ in numbers_under(move_on_after(1)):
            await sleep(10)

    async def main() -> None:
        task = create_task(body(), "leaky")
        await task.wait()
        assert not task.cancelled()
        with pytest.raises(RuntimeError, match="scope that it had left or that it never entered"):
            task.result()

    run(main())


def test_a_scope_of_a_generator_that_is_kept_cannot_swallow_the_task(virtual: Virtual) -> None:
    kept: list[Iterator[int]] = []

    async def body() -> None:
        kept.append(numbers_under(move_on_after(1)))
        for _ in kept[0]:
            await sleep(10)

    async def main() -> None:
        task = create_task(body(), "leaky")
        await task.wait()
        with pytest.raises(RuntimeError, match="scope that it had left or that it never entered"):
            task.result()
        with pytest.raises(RuntimeError, match="a task that is over"):
            kept.pop().close()  # type: ignore[attr-defined]

    run(main())


def test_a_cancelled_that_somebody_raises_by_hand_is_no_cancellation_of_the_task() -> None:
    async def body() -> None:
        raise Cancelled("by hand")

    async def main() -> None:
        task: Task[None] = create_task(body())
        await task.wait()
        assert not task.cancelled()
        assert isinstance(task.exception(), RuntimeError)

    run(main())


def test_repr_tells_state_and_deadline() -> None:
    scope = CancelScope(deadline=5, shield=True)
    assert repr(scope) == "<CancelScope open shield deadline=5>"
    scope.cancel()
    assert repr(scope) == "<CancelScope cancelled shield deadline=5>"
    assert scope.deadline == 5


def test_nothing_of_this_is_left_in_the_context() -> None:
    async def main() -> None:
        with move_on_after(0.001):
            await sleep(1000)
        assert list(current_context().tasks) == [current_task()]

    run(main())
