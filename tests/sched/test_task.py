"""A task: started once, driven to its end, its end preserved."""

import contextvars
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    Gen,
    Task,
    TaskCancelledError,
    block,
    coroutine,
    create_task,
    current_task,
    run,
    sleep,
    wait_all,
)

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@coroutine
def give(value: int, seconds: float = 0) -> Gen[int]:
    yield from sleep(seconds)
    return value


@coroutine
def fail(message: str, seconds: float = 0) -> Gen[int]:
    yield from sleep(seconds)
    raise LookupError(message)


def test_a_task_does_not_run_before_it_is_started() -> None:
    seen: list[str] = []

    async def note() -> None:
        seen.append("ran")

    async def main() -> None:
        task = Task(note())
        await sleep(0)
        assert seen == []
        task.start()
        assert seen == []
        await task
        assert seen == ["ran"]

    run(main())


def test_a_task_starts_once() -> None:
    async def main() -> None:
        task = create_task(give(1))
        with pytest.raises(RuntimeError, match="already started"):
            task.start()
        assert await task == 1
        with pytest.raises(RuntimeError, match="already started"):
            task.start()

    run(main())


def test_tasks_start_in_the_order_of_their_starts() -> None:
    seen: list[int] = []

    async def note(number: int) -> None:
        seen.append(number)

    async def main() -> None:
        tasks = [create_task(note(number)) for number in range(5)]
        for task in tasks:
            await task

    run(main())
    assert seen == [0, 1, 2, 3, 4]


def test_sleep_of_zero_lets_every_other_runnable_task_run_first() -> None:
    seen: list[str] = []

    async def turn(name: str) -> None:
        for number in range(3):
            seen.append(f"{name}{number}")
            await sleep(0)

    async def main() -> None:
        first, second = create_task(turn("a")), create_task(turn("b"))
        await first
        await second

    run(main())
    assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_task_has_a_name() -> None:
    named = Task(give(1), "bert")
    assert named.name == "bert"
    unnamed = Task(give(1))
    assert unnamed.name.startswith("task-")
    assert unnamed.name == unnamed.name
    assert "bert" in repr(named)
    named.cancel()
    unnamed.cancel()


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    coro = give(1)
    with pytest.raises(ValueError, match=f"at least 0 seconds, got {timeout}"):
        Task(coro, timeout=timeout).start()
    run(coro)


def test_a_task_over_its_timeout_fails_with_timeout_error(virtual: Virtual) -> None:
    async def main() -> None:
        task = create_task(give(1, 10), "slow", timeout=3)
        with pytest.raises(TimeoutError, match=r"task 'slow' timed out after 3 seconds"):
            await task
        assert virtual.now == 3
        assert not task.cancelled()

    run(main())


def test_a_task_within_its_timeout_leaves_no_timer(virtual: Virtual) -> None:
    async def main() -> int:
        return await create_task(give(1, 2), timeout=3)

    assert run(main()) == 1
    assert virtual.now == 2


def test_a_timeout_counts_from_the_start(virtual: Virtual) -> None:
    async def main() -> int:
        task = Task(give(1, 3), timeout=5)
        await sleep(4)
        task.start()
        return await task

    assert run(main()) == 1


def test_result_and_exception_of_a_task_that_is_not_done() -> None:
    async def main() -> None:
        task = create_task(give(1), "early")
        for ask in (task.result, task.exception):
            with pytest.raises(RuntimeError, match="task 'early' is not done"):
                ask()
        assert not task.done()
        await task

    run(main())


def test_the_result_is_preserved() -> None:
    async def main() -> None:
        task = create_task(give(7))
        assert await task == 7
        assert await task == 7
        await task.wait()
        assert (task.done(), task.result(), task.exception()) == (True, 7, None)

    run(main())


def test_the_exception_is_preserved() -> None:
    async def main() -> None:
        task = create_task(fail("mine"))
        for _ in range(2):
            with pytest.raises(LookupError, match="mine"):
                await task
        await task.wait()
        assert isinstance(task.exception(), LookupError)
        with pytest.raises(LookupError, match="mine"):
            task.result()

    run(main())


def test_wait_gives_nothing_whatever_the_end() -> None:
    async def main() -> None:
        task = create_task(fail("ignored"))
        await task.wait()
        assert isinstance(task.exception(), LookupError)

    run(main())


def test_several_tasks_wait_for_one_and_go_on_in_order() -> None:
    seen: list[str] = []

    async def waiter(name: str, task: "Task[int]") -> None:
        seen.append(f"{name}{await task}")

    async def main() -> None:
        task = create_task(give(1, 0.001))
        waiters = [create_task(waiter(name, task)) for name in "abc"]
        for each in waiters:
            await each

    run(main())
    assert seen == ["a1", "b1", "c1"]


def test_a_task_cannot_wait_for_itself() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="task 'main' cannot wait for itself"):
            await current_task()
        with pytest.raises(RuntimeError, match="cannot wait for itself"):
            await current_task().wait()

    run(main())


def test_waiting_for_a_task_that_was_never_started_is_refused() -> None:
    async def main() -> None:
        task = Task(give(1), "lazy")
        with pytest.raises(RuntimeError, match=r"'lazy' was never started: call its start\(\)"):
            await task
        task.cancel()

    run(main())


def test_cancelling_a_wait_leaves_the_task_and_no_callback(virtual: Virtual) -> None:
    async def main() -> None:
        task = create_task(give(1, 5))
        waiters = [create_task(task.wait()) for _ in range(3)]
        await sleep(1)
        assert [task._joiner, *(task._more_joiners or ())] == waiters
        for waiter in waiters:
            waiter.cancel()
        assert [task._joiner, *(task._more_joiners or ())] == [None]
        assert await task == 1

    run(main())
    assert virtual.now == 5


def test_those_who_wait_for_a_task_go_on_in_the_order_in_which_they_came(
    virtual: Virtual,
) -> None:
    async def main() -> None:
        task = create_task(give(1, 5))
        order: list[str] = []

        async def wait(name: str) -> None:
            await task.wait()
            order.append(name)

        waiters = {name: create_task(wait(name)) for name in "abcd"}
        await sleep(1)
        waiters["c"].cancel()
        waiters["a"].cancel()
        waiters["e"] = create_task(wait("e"))
        await wait_all(waiters.values())
        assert order == ["b", "d", "e"]

    run(main())


def test_cancelling_before_the_start_runs_nothing_and_warns_of_nothing() -> None:
    async def never() -> None:
        raise AssertionError

    task = Task(never(), "unborn")
    task.cancel()
    assert task.done()
    assert task.cancelled()
    with pytest.raises(TaskCancelledError, match="'unborn' was cancelled"):
        task.result()
    with pytest.raises(RuntimeError, match="'unborn' is done: it cannot be started"):
        task.start()


def test_cancelling_between_start_and_first_step_stops_at_the_first_suspension() -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append("ran")
        await sleep(0)
        seen.append("went on")

    async def main() -> None:
        task = create_task(body())
        task.cancel()
        assert not task.done()
        await task.wait()
        assert task.cancelled()

    run(main())
    assert seen == ["ran"]


def test_cancelling_a_done_task_does_nothing() -> None:
    async def main() -> None:
        task = create_task(give(3))
        await task
        task.cancel()
        assert task.result() == 3
        assert not task.cancelled()

    run(main())


def test_a_task_may_cancel_itself() -> None:
    seen: list[str] = []

    async def body() -> None:
        current_task().cancel()
        seen.append("goes on until it suspends")
        await sleep(1000)

    async def main() -> None:
        task = create_task(body())
        with pytest.raises(TaskCancelledError):
            await task

    run(main())
    assert seen == ["goes on until it suspends"]


def test_failing_because_another_task_was_cancelled_is_a_failure() -> None:
    async def other() -> None:
        await sleep(1000)

    async def body(task: "Task[None]") -> None:
        await task

    async def main() -> None:
        cancelled = create_task(other())
        failing = create_task(body(cancelled))
        await sleep(0)
        cancelled.cancel()
        await failing.wait()
        assert cancelled.cancelled()
        assert isinstance(failing.exception(), TaskCancelledError)
        assert not failing.cancelled()

    run(main())


def test_a_late_unblock_of_a_done_task_does_nothing() -> None:
    async def main() -> None:
        task = create_task(give(1))
        await task
        task.unblock()
        await sleep(0)
        assert task.result() == 1

    run(main())


def test_unblock_before_the_yield_makes_the_task_runnable_once() -> None:
    resumed = 0

    @coroutine
    def body() -> Gen[None]:
        nonlocal resumed
        for _ in range(3):
            block(lambda: None)
            task = current_task()
            task.unblock()
            task.unblock()
            yield
            resumed += 1
            before = resumed
            # A second resumption would come during this turn.
            yield from sleep(0)
            assert resumed == before

    run(body())
    assert resumed == 3


@pytest.mark.parametrize("wake", [Task.unblock, Task._wake])
def test_unblock_twice_resumes_once(wake: Callable[[Task[None]], None]) -> None:
    """By its owner, and by those that block tasks in this package."""
    resumed: list[str] = []

    @coroutine
    def body() -> Gen[None]:
        block(lambda: None)
        yield
        resumed.append("first")
        block(lambda: resumed.append("undone"))
        yield
        resumed.append("second")

    async def main() -> None:
        task = create_task(body())
        await sleep(0)
        wake(task)
        wake(task)
        await sleep(0)
        await sleep(0)
        assert resumed == ["first"]
        task.cancel()
        await task.wait()
        assert resumed == ["first", "undone"]

    run(main())


def test_context_variables_are_copied_when_the_task_is_made() -> None:
    async def body() -> str:
        seen = variable.get()
        variable.set("of the child")
        await sleep(0)
        assert variable.get() == "of the child"
        return seen

    async def main() -> None:
        variable.set("of the parent")
        task = Task(body())
        variable.set("changed later")
        task.start()
        assert await task == "of the parent"
        assert variable.get() == "changed later"

    run(main())
    assert variable.get() == "unset"


def test_a_task_without_references_runs_on(virtual: Virtual) -> None:
    done: list[str] = []

    async def body() -> None:
        await sleep(0)
        gc.collect()
        await sleep(1)
        done.append("done")

    async def main() -> None:
        lost = weakref.ref(create_task(body()))
        gc.collect()
        assert lost() is not None
        await sleep(5)

    run(main())
    assert done == ["done"]


def test_repr_tells_the_state(virtual: Virtual) -> None:
    states: list[str] = []

    def note(task: "Task[Any]") -> None:
        states.append(repr(task).removeprefix("<Task 't' ").removesuffix(">"))

    async def main() -> None:
        task: Task[Any] = Task(give(1, 1), "t")
        note(task)
        task.start()
        note(task)
        await sleep(0)
        await sleep(0)
        note(task)
        await task
        note(task)
        failed: Task[Any] = create_task(fail("no"), "t")
        await failed.wait()
        note(failed)
        cancelled: Task[Any] = Task(give(1), "t")
        cancelled.cancel()
        note(cancelled)

    run(main())
    assert states == [
        "not started",
        "runnable",
        "blocked",
        "returned",
        "failed: LookupError('no')",
        "cancelled",
    ]
