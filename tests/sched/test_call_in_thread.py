"""Functions in threads: what they give, and what a cancelled wait loses."""

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from tulip_sched import (
    ClosedError,
    Context,
    EventLoop,
    Task,
    TaskCancelledError,
    ThreadRunner,
    call_in_thread,
    create_task,
    current_context,
    move_on_after,
    par,
    run,
    set_context_provider,
    sleep,
)


def test_it_gives_the_result_of_another_thread() -> None:
    async def main() -> None:
        there = await call_in_thread(threading.get_ident)
        assert there != threading.get_ident()
        assert await call_in_thread(divmod, 7, 2) == (3, 1)

    run(main())


def test_it_raises_what_the_function_raised() -> None:
    def fail() -> None:
        raise LookupError("in a thread")

    with pytest.raises(LookupError, match="in a thread"):
        run(call_in_thread(fail))


@pytest.mark.parametrize("error", [StopIteration("wrong"), TimeoutError("mine"), Exception("x")])
def test_it_tells_the_function_s_errors_from_its_own(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
        run(call_in_thread(fail))


def test_other_tasks_run_meanwhile() -> None:
    go = threading.Event()

    async def main() -> None:
        task = create_task(call_in_thread(go.wait, 5))
        await sleep(0)
        go.set()
        assert await task

    run(main())


def test_many_at_once() -> None:
    async def main() -> tuple[int, ...]:
        return await par(*(call_in_thread(abs, -number) for number in range(50)))

    assert run(main()) == tuple(range(50))


def test_a_call_cancelled_before_it_has_begun_never_runs() -> None:
    ran: list[str] = []
    go = threading.Event()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            busy = create_task(call_in_thread(go.wait, 5, executor=pool))
            await sleep(0)
            waiting = create_task(call_in_thread(ran.append, "ran", executor=pool))
            await sleep(0)
            waiting.cancel()
            with pytest.raises(TaskCancelledError):
                await waiting
            go.set()
            await busy

    run(main())
    assert ran == []


def test_a_call_cancelled_while_it_runs_is_left_alone_and_its_failure_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, go = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        go.wait(5)
        raise LookupError("nobody is waiting")

    async def main() -> None:
        task = create_task(call_in_thread(fail))
        while not begun.is_set():
            await sleep(0)
        task.cancel()
        await task.wait()
        assert task.cancelled()
        go.set()
        while current_context().eventloop.stats().held:
            await sleep(0)

    with caplog.at_level(logging.ERROR, "tulip_sched"):
        run(main())
    assert [record.getMessage().partition("<")[0] for record in caplog.records] == [
        "a cancelled call of "
    ]
    assert "nobody is waiting" in caplog.text


def test_a_call_cancelled_by_the_end_of_the_run_has_its_failure_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, go = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        go.wait(5)
        raise LookupError("after the run")

    async def main() -> None:
        create_task(call_in_thread(fail)).add_done_callback(lambda _: go.set())
        while not begun.is_set():
            await sleep(0)

    run(main())
    assert "after the run" in caplog.text


def test_a_call_cancelled_while_it_runs_that_succeeds_is_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(5)

    async def main() -> None:
        with move_on_after(1000) as scope:
            task = create_task(_cancel_when(begun.is_set, scope.cancel))
            await call_in_thread(work)
        go.set()
        await task
        while current_context().eventloop.stats().held:
            await sleep(0)

    run(main())
    assert not caplog.records


async def _cancel_when(condition: Callable[[], bool], cancel: Callable[[], None]) -> None:
    while not condition():
        await sleep(0)
    cancel()


def test_an_executor_of_the_caller_s() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
            thread = await call_in_thread(threading.current_thread, executor=pool)
            assert thread.name.startswith("mine")

    run(main())


def test_a_thread_runner_of_the_caller_s() -> None:
    loop = EventLoop()
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        context = Context(loop, ThreadRunner(loop, pool))
        previous = set_context_provider(lambda: context)
        try:
            thread = run(call_in_thread(threading.current_thread))
            assert thread.name.startswith("mine")
            assert run(call_in_thread(abs, -1)) == 1
        finally:
            set_context_provider(previous)
    assert not loop.close()


class Instant(Executor):
    """Runs everything at once, in the caller's thread: done before a callback is attached."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # type: ignore[explicit-override]
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)
        return future


def test_a_function_that_is_done_before_its_callback_is_attached() -> None:
    async def main() -> None:
        for number in range(100):
            assert await call_in_thread(abs, -number, executor=Instant()) == number

    run(main())


class Broken(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # type: ignore[explicit-override]
        raise BrokenExecutor("no workers")


def test_an_executor_that_refuses_leaves_nothing() -> None:
    async def main() -> None:
        with pytest.raises(BrokenExecutor, match="no workers"):
            await call_in_thread(abs, 1, executor=Broken())
        assert current_context().eventloop.stats().held == 0
        await sleep(0)

    run(main())


def test_a_runner_that_was_shut_down_refuses() -> None:
    async def main() -> None:
        current_context().threadrunner.shutdown()
        with pytest.raises(ClosedError):
            await call_in_thread(abs, 1)

    run(main())


def test_the_run_waits_for_threads_that_still_run() -> None:
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.01)
        done.set()

    async def main() -> None:
        with move_on_after(1000) as scope:
            create_task(_cancel_when(begun.is_set, scope.cancel)).add_done_callback(print)
            await call_in_thread(work)

    run(main())
    assert done.is_set()


def instant_functions(count: int, seed: int) -> None:
    """Run functions that return at once, and cancel half of their callers at random points."""
    chance = random.Random(seed)
    outcomes = {"result": 0, "cancelled": 0}

    async def one(pool: ThreadPoolExecutor, number: int) -> int:
        return await call_in_thread(abs, -number, executor=pool)

    async def main() -> None:
        with ThreadPoolExecutor(2) as pool:
            for start in range(0, count, 50):
                tasks: list[Task[int]] = [
                    create_task(one(pool, number)) for number in range(start, start + 50)
                ]
                for _ in range(chance.randrange(4)):
                    await sleep(0)
                for task in tasks:
                    if chance.random() < 0.5:
                        task.cancel()
                    if chance.random() < 0.1:
                        await sleep(0)
                for number, task in enumerate(tasks, start):
                    await task.wait()
                    outcomes["cancelled" if task.cancelled() else "result"] += 1
                    assert task.cancelled() or task.result() == number
        while current_context().eventloop.stats().held:
            await sleep(0)

    run(main())
    assert sum(outcomes.values()) == count
    assert min(outcomes.values()) > count // 10, outcomes


def test_instant_functions_with_cancels_at_random_points() -> None:
    instant_functions(1_000, seed=1)


@pytest.mark.slow
def test_a_hundred_thousand_instant_functions_with_cancels_at_random_points() -> None:
    instant_functions(100_000, seed=2)
