"""Running to the end: the result, what is left, and what nobody looked at."""

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    Cancelled,
    Context,
    DeadlockError,
    EventLoop,
    Gen,
    Task,
    TaskCancelledError,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    run,
    set_context_provider,
    shield,
    sleep,
    suspend,
)


async def give(value: int, seconds: float = 0) -> int:
    await sleep(seconds)
    return value


async def fail(message: str, seconds: float = 0) -> int:
    await sleep(seconds)
    raise LookupError(message)


async def for_ever() -> None:
    await suspend(lambda: None)


def test_it_returns_what_main_returned() -> None:
    assert run(give(3)) == 3


def test_it_raises_what_main_raised() -> None:
    with pytest.raises(LookupError, match="mine"):
        run(fail("mine"))


def test_main_is_a_task_named_main() -> None:
    async def main() -> str:
        return current_task().name

    assert run(main()) == "main"


def test_a_task_can_be_main() -> None:
    async def main() -> int:
        return await create_task(give(4))

    task = Task(main())
    with pytest.raises(RuntimeError, match="never started"):
        run(task)
    task.cancel()


def test_what_is_left_is_cancelled_and_its_end_awaited(virtual: Virtual) -> None:
    seen: list[str] = []

    async def background() -> None:
        try:
            await sleep(1000)
        except Cancelled:
            await_clean_up.append(True)
            raise
        finally:
            seen.append("cleaned up")

    await_clean_up: list[bool] = []

    async def main() -> int:
        create_task(background()).add_done_callback(lambda _: seen.append("done"))
        await sleep(1)
        return 5

    assert run(main()) == 5
    assert seen == ["cleaned up", "done"]
    assert virtual.now == 1


def test_a_task_started_in_clean_up_is_cancelled_too(virtual: Virtual) -> None:
    seen: list[str] = []

    async def second() -> None:
        try:
            await sleep(1000)
        finally:
            seen.append("second")

    async def first() -> None:
        try:
            await sleep(1000)
        finally:
            create_task(second()).add_done_callback(lambda _: None)

    async def main() -> None:
        create_task(first()).add_done_callback(lambda _: None)
        await sleep(1)

    run(main())
    assert seen == ["second"]


def test_a_failure_nobody_looked_at_makes_the_run_fail(virtual: Virtual) -> None:
    async def main() -> None:
        tasks = [create_task(fail("first")), create_task(fail("second"))]
        await sleep(1)
        assert all(task.done() for task in tasks)

    with pytest.raises(ExceptionGroup, match="nobody waited for") as caught:
        run(main())
    assert {str(error) for error in caught.value.exceptions} == {"first", "second"}


def test_a_failure_in_the_clean_up_of_what_is_left_makes_the_run_fail(virtual: Virtual) -> None:
    async def background() -> None:
        try:
            await sleep(1000)
        finally:
            raise LookupError("in clean-up")

    async def main() -> None:
        task = create_task(background())
        await sleep(1)
        assert not task.done()

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(LookupError, match="in clean-up")


def test_a_failure_whose_task_is_gone_is_logged_at_once_and_once(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        create_task(fail("lost"), "loser").add_done_callback(lambda _: None)
        await sleep(1)
        assert len(caplog.records) == 1
        await sleep(1)

    with pytest.raises(ExceptionGroup):
        run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "task 'loser' failed and nobody waited for it"
    ]
    assert caplog.records[0].exc_info is not None


def test_of_many_failures_all_are_logged_and_the_first_hundred_kept(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that runs for months must not keep every traceback until its end."""

    async def main() -> None:
        for number in range(250):
            create_task(fail(f"number {number}")).add_done_callback(lambda _: None)
            await sleep(0.5)
        assert len(virtual.context.failures) == 100

    with pytest.raises(ExceptionGroup, match=r"waited for \(and 150 more, which") as caught:
        run(main())
    assert len(caplog.records) == 250
    assert [str(error) for error in caught.value.exceptions] == [f"number {n}" for n in range(100)]
    with pytest.raises(ExceptionGroup, match=r"nobody waited for$"):
        run(main_that_loses_one())


async def main_that_loses_one() -> None:
    create_task(fail("lost")).add_done_callback(lambda _: None)
    await sleep(1)


def test_a_main_that_fails_tells_how_many_more_failed(virtual: Virtual) -> None:
    async def main() -> None:
        for _ in range(102):
            create_task(fail("lost")).add_done_callback(lambda _: None)
        await sleep(1)
        raise ValueError("main's own")

    with pytest.raises(ValueError, match="main's own") as caught:
        run(main())
    assert len(caught.value.__notes__) == 101
    assert caught.value.__notes__[-1] == "and 2 more, which were logged"


def test_a_failure_somebody_asked_for_is_not_reported(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        task = create_task(fail("asked for"))
        await sleep(1)
        assert isinstance(task.exception(), LookupError)
        waited = create_task(fail("waited for"))
        await waited.wait()

    run(main())
    assert not caplog.records


def test_a_task_that_was_cancelled_is_not_reported(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        task = create_task(give(1, 100))
        await sleep(1)
        task.cancel()
        await sleep(1)

    run(main())
    assert not caplog.records


def test_besides_main_s_own_failure_the_others_are_noted_and_logged(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        task = create_task(fail("other"))
        await sleep(1)
        assert task.done()
        raise ValueError("main's own")

    with (
        caplog.at_level(logging.ERROR, "tulip_sched"),
        pytest.raises(ValueError, match="main's own") as caught,
    ):
        run(main())
    assert "LookupError('other')" in caught.value.__notes__[0]
    # A note has no traceback, the log has.
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_failure_that_was_logged_is_not_logged_again_when_main_fails(
    virtual: Virtual, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        await main_that_loses_one()
        assert len(caplog.records) == 1
        raise ValueError("main's own")

    with pytest.raises(ValueError, match="main's own") as caught:
        run(main())
    assert "LookupError('lost')" in caught.value.__notes__[0]
    assert len(caplog.records) == 1


def test_main_cancelled_by_itself_says_so() -> None:
    async def main() -> None:
        current_task().cancel()
        await sleep(1)

    with pytest.raises(TaskCancelledError, match="task 'main' was cancelled"):
        run(main())


def test_a_run_inside_a_run_is_refused() -> None:
    async def main() -> None:
        other = give(1)
        with pytest.raises(RuntimeError, match="inside a run of the same thread"):
            run(other)
        assert await other == 1

    run(main())


def test_without_main_it_runs_what_was_started(virtual: Virtual) -> None:
    tasks = [create_task(give(number, number)) for number in range(3)]
    run()
    assert [task.result() for task in tasks] == [0, 1, 2]
    run()


def test_without_main_failures_are_raised(virtual: Virtual) -> None:
    task = create_task(fail("nobody's"))
    with pytest.raises(ExceptionGroup):
        run()
    assert task.done()


def test_what_was_started_before_runs_with_main(virtual: Virtual) -> None:
    task = create_task(give(2))

    async def main() -> int:
        return await task

    assert run(main()) == 2


def test_a_main_that_is_no_coroutine_is_refused_and_harms_nothing() -> None:
    task = create_task(give(2, 1000))
    with pytest.raises(TypeError, match="a task needs a coroutine"):
        run(give)  # type: ignore[call-overload]
    assert task.cancelled()
    assert run(give(3)) == 3


def test_deadlock_is_an_error_with_the_tasks_in_it(virtual: Virtual) -> None:
    async def waits_for(task: "Task[None]") -> None:
        await task

    async def main() -> None:
        await create_task(waits_for(create_task(for_ever(), "first")), "second")

    with pytest.raises(DeadlockError) as caught:
        run(main())
    for name in ("main", "first", "second"):
        assert f"{name!r}" in str(caught.value)


def test_deadlock_without_main(virtual: Virtual) -> None:
    task = create_task(for_ever(), "stuck")
    with pytest.raises(DeadlockError, match="'stuck'"):
        run()
    assert task.cancelled()


def test_deadlock_cancels_the_tasks_so_that_they_clean_up(virtual: Virtual) -> None:
    seen: list[str] = []

    async def main() -> None:
        try:
            await for_ever()
        finally:
            seen.append("cleaned up")

    with pytest.raises(DeadlockError):
        run(main())
    assert seen == ["cleaned up"]


def test_no_deadlock_while_a_thread_works() -> None:
    go = threading.Event()

    async def main() -> bool:
        timer = threading.Timer(0.01, go.set)
        timer.start()
        return await call_in_thread(go.wait, 5)

    assert run(main())


@pytest.mark.parametrize("main", [True, False])
def test_a_loop_that_somebody_stops_is_no_deadlock(virtual: Virtual, *, main: bool) -> None:
    seen: list[str] = []

    async def stops() -> None:
        try:
            virtual.loop.stop()
            await sleep(1000)
        finally:
            with shield():
                virtual.loop.stop()
                await sleep(1)
            seen.append("cleaned up")

    told = "the event loop was stopped while tasks were left: '(main|alone)'"
    task = None if main else create_task(stops(), "alone")
    with pytest.raises(RuntimeError, match=told) as caught:
        run(stops()) if main else run()
    assert not isinstance(caught.value, DeadlockError)
    assert task is None or task.cancelled()
    assert seen == ["cleaned up"]


def test_clean_up_that_waits_for_ever_is_a_deadlock_and_harms_no_later_run() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await for_ever()
            except Cancelled:
                break
        with shield():
            await for_ever()

    async def main() -> None:
        task = create_task(stubborn(), "stubborn")
        await sleep(0)
        assert not task.done()

    with pytest.raises(DeadlockError, match="'stubborn'"):
        run(main())
    assert not current_context().tasks
    assert run(give(1)) == 1


def test_a_callback_s_exception_comes_out_after_the_clean_up() -> None:
    seen: list[str] = []

    def bad() -> None:
        raise LookupError("in a callback")

    async def main() -> None:
        current_context().eventloop.call_soon(bad)
        try:
            await sleep(1000)
        finally:
            seen.append("cleaned up")

    with pytest.raises(LookupError, match="in a callback"):
        run(main())
    assert seen == ["cleaned up"]


def test_a_callback_s_exception_during_the_clean_up_loses_no_task() -> None:
    seen: list[str] = []

    def bad() -> None:
        raise LookupError("in a callback")

    async def background(name: str) -> None:
        try:
            await sleep(1000)
        finally:
            current_context().eventloop.call_soon(bad)
            with shield():
                await sleep(0)
                await sleep(0)
            seen.append(name)

    async def main() -> None:
        for name in "ab":
            create_task(background(name)).add_done_callback(lambda _: None)
        await sleep(0)

    with pytest.raises(LookupError, match="in a callback"):
        run(main())
    assert seen == ["a", "b"]
    assert not current_context().tasks
    assert run(give(1)) == 1


def test_two_runs_in_a_row_leave_no_descriptor() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc")
    run(give(1))
    before = descriptors()
    for _ in range(3):
        assert run(call_in_thread(os.getpid)) == os.getpid()
    assert descriptors() == before
    assert not current_context().tasks


def test_two_threads_run_the_same_code_at_once() -> None:
    meeting = threading.Barrier(2, timeout=5)
    results: dict[str, int] = {}

    async def main(name: str) -> int:
        # Both are in the middle of their run here.
        meeting.wait()
        total = 0
        for number in range(100):
            total += await create_task(give(number))
            await sleep(0)
        meeting.wait()
        assert current_context().current_task is not None
        return total

    def thread() -> None:
        results[threading.current_thread().name] = run(main("x"))

    threads = [threading.Thread(target=thread, name=name) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == {"a": 4950, "b": 4950}


def test_a_loop_of_the_caller_s_is_used_and_left_open(virtual: Virtual) -> None:
    async def main() -> EventLoop:
        await sleep(1)
        return current_context().eventloop

    assert run(main()) is virtual.loop
    assert run(main()) is virtual.loop
    assert virtual.now == 2


def test_a_run_that_was_given_up_does_not_stop_the_next_one_of_its_loop(virtual: Virtual) -> None:
    async def main() -> None:
        with shield():
            await for_ever()

    with pytest.raises(DeadlockError, match="in its clean-up"):
        run(main())
    assert run(give(3, 1)) == 3


def test_the_context_has_no_task_outside_of_tasks() -> None:
    seen: list[object] = []

    async def main() -> None:
        context = current_context()
        context.eventloop.call_soon(lambda: seen.append(context.current_task))
        await sleep(0)
        await sleep(0)
        seen.append(context.current_task is current_task())

    run(main())
    assert seen == [None, True]
    with pytest.raises(RuntimeError, match="no tulip task is running in this thread"):
        current_task().cancel()


def test_another_provider_decides_which_context_is_used() -> None:
    mine = Context()
    previous = set_context_provider(lambda: mine)
    try:
        assert current_context() is mine

        @coroutine
        def main() -> Gen[Context]:
            yield from sleep(0)
            return current_context()

        assert run(main()) is mine
        set_context_provider(None)
        assert current_context() is not mine
    finally:
        set_context_provider(previous)


def test_a_context_that_was_closed_can_be_used_again() -> None:
    context = Context()
    previous = set_context_provider(lambda: context)
    try:
        assert run(give(1)) == 1
        assert run(give(2)) == 2
        context.close()
        context.close()
    finally:
        set_context_provider(previous)


def test_reading_a_context_makes_no_loop() -> None:
    assert Context().loop is None


def test_system_exit_and_keyboard_interrupt_come_out_of_any_task() -> None:
    async def leave() -> None:
        await sleep(0)
        raise SystemExit(3)

    async def main() -> None:
        task = create_task(leave())
        await task.wait()

    with pytest.raises(SystemExit) as caught:
        run(main())
    assert caught.value.code == 3
    assert not current_context().tasks


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", ["decorated", "bare", "async def"])
def test_a_main_coroutine_is_run_once(kind: str, closed: bool) -> None:
    """Python says so of an ``async def``; a generator that is over would give None in silence."""

    @coroutine
    def decorated() -> Gen[int]:
        yield from sleep(0)
        return 1

    def bare() -> Gen[int]:
        yield from sleep(0)
        return 1

    make: Any = {"decorated": decorated, "bare": bare, "async def": lambda: give(1)}[kind]
    main = make()
    if closed:
        main.close()
    else:
        assert run(main) == 1
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        run(main)
    assert not current_context().tasks
