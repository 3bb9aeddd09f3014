"""Task groups in both styles: they end together, and no error is lost."""

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    AnyCoroutine,
    Cancelled,
    CancelScope,
    Gen,
    Task,
    TaskCancelledError,
    TaskGroup,
    coroutine,
    create_task,
    current_task,
    fail_after,
    move_on_after,
    run,
    shield,
    sleep,
)

Body = Callable[[TaskGroup], AnyCoroutine[Any]]


async def in_async_def(body: Body) -> Any:
    async with TaskGroup() as group:
        return await body(group)  # type: ignore[misc]


@coroutine
def in_generator(body: Body) -> Gen[Any]:
    return (yield from TaskGroup().run(body))


both_styles = pytest.mark.parametrize("style", [in_async_def, in_generator])
Style = Callable[[Body], AnyCoroutine[Any]]


async def give(value: int, seconds: float = 0) -> int:
    await sleep(seconds)
    return value


async def fail(message: str, seconds: float = 0) -> int:
    await sleep(seconds)
    raise LookupError(message)


def messages(group: BaseExceptionGroup[Any]) -> list[str]:
    return sorted(str(error) for error in group.exceptions)


@both_styles
def test_the_block_ends_when_every_task_has(virtual: Virtual, style: Style) -> None:
    tasks: list[Task[int]] = []

    async def body(group: TaskGroup) -> str:
        tasks.extend(group.create_task(give(number, number)) for number in (3, 1, 2))
        group.start_soon(give(0, 5), "the slowest")
        return "result of the body"

    assert run(style(body)) == "result of the body"
    assert [task.result() for task in tasks] == [3, 1, 2]
    assert virtual.now == 5


@both_styles
def test_an_empty_group_does_not_suspend(style: Style) -> None:
    turns: list[str] = []

    async def note() -> None:
        turns.append("ran")

    async def body(_: TaskGroup) -> int:
        return 1

    async def main() -> None:
        later = create_task(note())
        assert await style(body) == 1  # type: ignore[misc]
        assert turns == []
        await later

    run(main())


@both_styles
def test_a_failure_cancels_the_siblings_and_the_body(virtual: Virtual, style: Style) -> None:
    ended: list[str] = []

    async def slow(name: str) -> None:
        try:
            await sleep(100)
        except Cancelled:
            ended.append(name)
            raise

    async def body(group: TaskGroup) -> None:
        group.start_soon(slow("child"))
        group.start_soon(fail("first", 1))
        await slow("body")

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert messages(caught.value) == ["first"]
    assert sorted(ended) == ["body", "child"]
    assert virtual.now == 1


@both_styles
def test_all_failures_arrive_together(virtual: Virtual, style: Style) -> None:
    async def fails_in_clean_up() -> None:
        try:
            await sleep(100)
        finally:
            raise ValueError("in clean-up")

    async def body(group: TaskGroup) -> None:
        group.start_soon(fail("a", 1))
        group.start_soon(fail("cancelled by the first before it could", 2))
        group.start_soon(fails_in_clean_up())

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert messages(caught.value) == ["a", "in clean-up"]


@both_styles
def test_the_body_s_error_cancels_the_tasks_and_arrives_with_theirs(
    virtual: Virtual, style: Style
) -> None:
    async def fails_in_clean_up() -> None:
        try:
            await sleep(100)
        finally:
            raise ValueError("in clean-up")

    async def body(group: TaskGroup) -> None:
        group.start_soon(fails_in_clean_up())
        await sleep(1)
        raise LookupError("in the body")

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert messages(caught.value) == ["in clean-up", "in the body"]


@both_styles
def test_a_body_that_cannot_even_begin_closes_the_group(style: Style) -> None:
    def body(group: TaskGroup) -> Any:
        group.start_soon(sleep(1000))
        raise LookupError("not a coroutine")

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert messages(caught.value) == ["not a coroutine"]


@both_styles
def test_an_outer_cancellation_cancels_the_tasks_and_waits_for_them(
    virtual: Virtual, style: Style
) -> None:
    ended: list[float] = []

    async def slow() -> None:
        try:
            await sleep(100)
        finally:
            with shield():
                await sleep(2)
            ended.append(virtual.now)

    async def body(group: TaskGroup) -> None:
        group.start_soon(slow())

    async def main() -> None:
        with move_on_after(1) as scope:
            await style(body)  # type: ignore[misc]
            raise AssertionError
        assert scope.cancelled_caught

    run(main())
    assert ended == [3]


@both_styles
def test_a_timeout_around_a_group_and_a_failure_in_clean_up(virtual: Virtual, style: Style) -> None:
    async def fails_in_clean_up() -> None:
        try:
            await sleep(100)
        finally:
            raise ValueError("in clean-up")

    async def body(group: TaskGroup) -> None:
        group.start_soon(fails_in_clean_up())

    async def main() -> None:
        with fail_after(1):
            await style(body)  # type: ignore[misc]

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert messages(caught.value) == ["in clean-up"]


@both_styles
def test_cancelling_the_group_s_scope_ends_it_in_silence(virtual: Virtual, style: Style) -> None:
    async def body(group: TaskGroup) -> None:
        group.start_soon(give(1, 100))
        await sleep(1)
        group.scope.cancel()
        await sleep(100)

    assert run(style(body)) is None
    assert virtual.now == 1


@both_styles
def test_a_child_cancelled_alone_is_no_failure(virtual: Virtual, style: Style) -> None:
    async def body(group: TaskGroup) -> str:
        alone = group.create_task(give(1, 100))
        other = group.create_task(give(2, 3))
        await sleep(1)
        alone.cancel()
        assert await other == 2
        assert alone.cancelled()
        return "went on"

    assert run(style(body)) == "went on"


@both_styles
def test_a_child_that_fails_because_it_waited_for_a_cancelled_one_is_a_failure(
    virtual: Virtual, style: Style
) -> None:
    async def wait_for_it(task: "Task[int]") -> None:
        await task

    async def body(group: TaskGroup) -> None:
        alone = group.create_task(give(1, 100))
        group.start_soon(wait_for_it(alone))
        await sleep(1)
        alone.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert caught.group_contains(TaskCancelledError)


@both_styles
def test_tasks_may_start_tasks_as_long_as_the_block_is_open(virtual: Virtual, style: Style) -> None:
    seen: list[int] = []

    async def again(group: TaskGroup, left: int) -> None:
        seen.append(left)
        await sleep(1)
        if left:
            group.start_soon(again(group, left - 1))

    async def body(group: TaskGroup) -> None:
        group.start_soon(again(group, 3))

    run(style(body))
    assert seen == [3, 2, 1, 0]


@both_styles
def test_a_task_started_in_a_cancelled_group_stops_at_its_first_suspension(style: Style) -> None:
    seen: list[str] = []

    async def late() -> None:
        seen.append("ran")
        await sleep(0)
        seen.append("not reached")

    async def body(group: TaskGroup) -> None:
        group.scope.cancel()
        group.start_soon(late())

    run(style(body))
    assert seen == ["ran"]


@both_styles
def test_starting_after_the_end_or_before_the_beginning_is_refused(style: Style) -> None:
    groups: list[TaskGroup] = []

    async def body(group: TaskGroup) -> None:
        groups.append(group)

    run(style(body))
    for group in [*groups, TaskGroup()]:
        with pytest.raises(RuntimeError, match="task 'late' cannot start: the block of its group"):
            group.start_soon(give(1), "late")


def test_a_group_serves_once() -> None:
    async def nothing(_: TaskGroup) -> None:
        """Do nothing."""

    async def main() -> None:
        group = TaskGroup()
        async with group:
            with pytest.raises(RuntimeError, match="serves one with block"):
                await group.run(nothing)
        with pytest.raises(RuntimeError, match="serves one with block"):
            await group.run(nothing)

    run(main())


@both_styles
def test_groups_nest_and_cancel_inwards(virtual: Virtual, style: Style) -> None:
    ended: list[str] = []

    async def slow(name: str) -> None:
        try:
            await sleep(100)
        finally:
            ended.append(name)

    async def inner(group: TaskGroup) -> None:
        group.start_soon(slow("grandchild"))

    async def child() -> None:
        await style(inner)  # type: ignore[misc]

    async def body(group: TaskGroup) -> None:
        group.start_soon(child())
        group.start_soon(slow("child"))
        await sleep(1)
        raise LookupError("outer body")

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert messages(caught.value) == ["outer body"]
    assert sorted(ended) == ["child", "grandchild"]
    assert virtual.now == 1


@both_styles
def test_a_failure_in_an_inner_group_cancels_the_outer(virtual: Virtual, style: Style) -> None:
    async def inner(group: TaskGroup) -> None:
        group.start_soon(fail("deep", 1))

    async def child() -> None:
        await style(inner)  # type: ignore[misc]

    async def body(group: TaskGroup) -> None:
        group.start_soon(child())
        await sleep(100)

    with pytest.raises(ExceptionGroup) as caught:
        run(style(body))
    assert caught.group_contains(LookupError, match="deep", depth=2)
    assert virtual.now == 1


@both_styles
def test_a_shield_in_a_child_holds(virtual: Virtual, style: Style) -> None:
    seen: list[str] = []

    async def shielded() -> None:
        with shield():
            await sleep(5)
        seen.append("finished")

    async def body(group: TaskGroup) -> None:
        group.start_soon(shielded())
        await sleep(1)
        group.scope.cancel()

    run(style(body))
    assert seen == ["finished"]
    assert virtual.now == 5


@both_styles
def test_the_owner_s_inner_scopes_do_not_reach_the_children(virtual: Virtual, style: Style) -> None:
    seen: list[str] = []

    async def child() -> None:
        await sleep(5)
        seen.append("finished")

    async def body(group: TaskGroup) -> None:
        with move_on_after(1):
            group.start_soon(child())
            await sleep(100)

    run(style(body))
    assert seen == ["finished"]


@both_styles
def test_cancelling_the_owner_s_task_cancels_everything(virtual: Virtual, style: Style) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await sleep(100)
        finally:
            ended.append("child")

    async def body(group: TaskGroup) -> None:
        group.start_soon(slow())

    async def main() -> None:
        task = create_task(style(body))
        await sleep(1)
        task.cancel()
        await task.wait()
        assert task.cancelled()

    run(main())
    assert ended == ["child"]


def test_a_child_s_interrupt_ends_the_run() -> None:
    async def interrupt() -> None:
        await sleep(0)
        raise KeyboardInterrupt

    async def main() -> None:
        async with TaskGroup() as group:
            group.start_soon(interrupt())
            await sleep(1000)

    with pytest.raises(KeyboardInterrupt):
        run(main())


def test_a_task_made_elsewhere_is_adopted_once(virtual: Virtual) -> None:
    async def main() -> None:
        async with TaskGroup() as group:
            task = Task(give(1, 10), timeout=1)
            group.adopt(task)
            with pytest.raises(RuntimeError, match="already started"):
                group.adopt(task)
            started = create_task(give(2, 1))
            with pytest.raises(RuntimeError, match="already started"):
                group.adopt(started)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(TimeoutError)


def test_children_inherit_the_owner_s_cancellation_even_if_started_by_another(
    virtual: Virtual,
) -> None:
    groups: list[TaskGroup] = []
    children: list[Task[int]] = []

    async def owner() -> None:
        with move_on_after(3):
            async with TaskGroup() as group:
                groups.append(group)
                await sleep(100)

    async def main() -> None:
        task = create_task(owner())
        await sleep(1)
        with move_on_after(1):
            children.append(groups[0].create_task(give(1, 100)))
            await sleep(100)
        assert not children[0].done()
        await task
        assert children[0].cancelled()
        assert virtual.now == 3
        assert current_task()._scope is None

    run(main())


def test_groups_nest_deeper_than_the_interpreter_s_stack(virtual: Virtual) -> None:
    ended: list[int] = []

    async def nested(number: int) -> None:
        try:
            async with TaskGroup() as group:
                if number:
                    group.start_soon(nested(number - 1))
                await sleep(1000)
        finally:
            ended.append(number)

    async def main() -> None:
        with move_on_after(1) as scope:
            await nested(1500)
        assert scope.cancelled_caught

    run(main())
    assert sorted(ended) == list(range(1501))


def test_tasks_are_cancelled_in_the_order_of_their_start(virtual: Virtual) -> None:
    """Depth first, the inner group before the outer one."""
    told: list[str] = []

    async def waits(name: str) -> None:
        try:
            await sleep(1000)
        finally:
            told.append(name)

    async def branch(name: str) -> None:
        async with TaskGroup() as group:
            for number in range(2):
                group.start_soon(waits(f"{name}{number}"))
            await waits(name)

    async def main() -> None:
        with move_on_after(1):
            async with TaskGroup() as group:
                for name in "ab":
                    group.start_soon(branch(name))

    run(main())
    assert told == ["a", "a0", "a1", "b", "b0", "b1"]


def test_a_group_that_is_open_for_long_holds_no_task_that_is_done(virtual: Virtual) -> None:
    async def main() -> None:
        async with TaskGroup() as group:
            tasks = [weakref.ref(group.create_task(sleep(1))) for _ in range(10)]
            await sleep(2)
            assert [task() for task in tasks] == [None] * 10

    run(main())


def test_a_failure_in_a_group_that_is_left_out_of_order_is_told(virtual: Virtual) -> None:
    async def fail() -> None:
        raise LookupError("in the group")

    async def main() -> None:
        group = TaskGroup()
        await group.__aenter__()
        group.start_soon(fail())
        with CancelScope():
            with pytest.raises(ExceptionGroup) as caught:
                await group.__aexit__(None, None, None)
            assert caught.group_contains(LookupError, match="in the group")
            assert caught.group_contains(RuntimeError, match="left out of order")

    run(main())
