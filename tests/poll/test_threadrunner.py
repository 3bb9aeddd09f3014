"""Functions in threads, in processes, and wherever an executor runs them."""

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from typing import ParamSpec, TypeVar

import pytest

from tulip_poll import ClosedError, EventLoop, ThreadRunner, WrongThreadError
from tulip_poll._typing import override

P = ParamSpec("P")
T = TypeVar("T")


class InstantExecutor(Executor):
    """Returns futures that are done already: no function is faster than this."""

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def runner(loop: EventLoop) -> Iterator[ThreadRunner]:
    """A runner with threads of its own."""
    with ThreadRunner(loop) as made:
        yield made


def test_a_function_runs_in_another_thread_and_the_loop_waits_for_it(
    loop: EventLoop, runner: ThreadRunner
) -> None:
    done: list[Future[int]] = []
    future = runner.submit(threading.get_ident, on_done=done.append)
    loop.run()
    assert done == [future]
    assert future.result() != threading.get_ident()


def test_a_function_gets_its_arguments(loop: EventLoop, runner: ThreadRunner) -> None:
    future = runner.submit(divmod, 7, 2)
    loop.run()
    assert future.result() == (3, 1)


def test_on_done_is_called_in_the_loops_thread(loop: EventLoop, runner: ThreadRunner) -> None:
    threads: list[int] = []
    runner.submit(time.sleep, 0.001, on_done=lambda _: threads.append(threading.get_ident()))
    loop.run()
    assert threads == [threading.get_ident()]


def test_an_exception_is_the_futures(loop: EventLoop, runner: ThreadRunner) -> None:
    future = runner.submit(int, "x")
    loop.run()
    with pytest.raises(ValueError, match="'x'"):
        future.result()


def test_a_future_that_is_done_before_its_callback_is_attached_is_no_race(
    loop: EventLoop,
) -> None:
    done: list[Future[object]] = []
    runner = ThreadRunner(loop, InstantExecutor())
    for _ in range(100):
        runner.submit(object, on_done=done.append)
    assert done == []
    loop.run()
    assert len(done) == 100


def test_on_done_keeps_the_run_going(loop: EventLoop, runner: ThreadRunner) -> None:
    """Nothing ends between the end of the function and what is made of it."""
    results: list[str] = []

    def next_one(_: Future[None]) -> None:
        results.append("x")
        if len(results) < 200:
            runner.submit(nothing, on_done=next_one)

    runner.submit(nothing, on_done=next_one)
    loop.run()
    assert len(results) == 200
    assert not loop.close()


@pytest.mark.slow
@pytest.mark.parametrize("cancels", [False, True], ids=["", "cancelled-at-random"])
def test_none_of_100_000_instant_functions_is_lost(loop: EventLoop, *, cancels: bool) -> None:
    total, running, chance = 100_000, 64, random.Random(2)
    done = {"finished": 0, "cancelled": 0}
    started = 0

    def start() -> None:
        nonlocal started
        if started < total:
            started += 1
            future = runner.submit(nothing, on_done=finish)
            if cancels and chance.random() < 0.5:
                future.cancel()

    def finish(future: Future[None]) -> None:
        assert future.done()
        done["cancelled" if future.cancelled() else "finished"] += 1
        start()

    with ThreadRunner(loop, ThreadPoolExecutor(4)) as runner:
        for _ in range(running):
            start()
        loop.run()
        assert runner._executor is not None
        runner._executor.shutdown()
    assert done["finished"] + done["cancelled"] == total
    assert bool(done["cancelled"]) == cancels
    assert not loop.close()


def test_a_cancelled_future_is_told_of_too(loop: EventLoop) -> None:
    entered, leave = threading.Event(), threading.Event()
    done: list[Future[bool]] = []

    def occupy() -> bool:
        entered.set()
        return leave.wait()

    with ThreadPoolExecutor(1) as executor:
        runner = ThreadRunner(loop, executor)
        first = runner.submit(occupy)
        entered.wait()
        second = runner.submit(bool, on_done=done.append)
        assert second.cancel()
        assert not first.cancel()
        leave.set()
        loop.run()
    assert done == [second]
    with pytest.raises(CancelledError):
        second.result()


def test_one_function_can_go_elsewhere(loop: EventLoop, runner: ThreadRunner) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="elsewhere") as executor:
        future = runner.submit(lambda: threading.current_thread().name, executor=executor)
        loop.run()
    assert future.result().startswith("elsewhere")


@pytest.mark.slow
def test_a_pool_of_processes_is_an_executor(loop: EventLoop) -> None:
    """Started with spawn: a fork would take the threads of other tests along."""
    done: list[int] = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        runner = ThreadRunner(loop, executor)
        for _ in range(10):
            runner.submit(os.getpid, on_done=lambda future: done.append(future.result()))
        loop.run()
    assert len(done) == 10
    assert os.getpid() not in done


def test_submitting_what_the_executor_refuses_leaves_no_hold(loop: EventLoop) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        ThreadRunner(loop, executor).submit(nothing)
    assert loop.stats().held == 0


def test_submitting_from_another_thread_raises(loop: EventLoop, runner: ThreadRunner) -> None:
    loop.hold()
    with ThreadPoolExecutor(1) as other:
        future = other.submit(runner.submit, nothing)
        with pytest.raises(WrongThreadError):
            future.result()


def test_shutdown_waits_and_what_is_done_is_told_afterwards(loop: EventLoop) -> None:
    done: list[Future[None]] = []
    runner = ThreadRunner(loop)
    runner.submit(time.sleep, 0.005, on_done=done.append)
    runner.shutdown()
    runner.shutdown()
    assert done == []
    loop.run()
    assert len(done) == 1
    with pytest.raises(ClosedError, match="was shut down"):
        runner.submit(nothing)


def test_shutdown_leaves_the_callers_executor_alone(loop: EventLoop) -> None:
    with ThreadPoolExecutor(1) as executor:
        with ThreadRunner(loop, executor):
            pass
        assert executor.submit(int).result() == 0


def test_shutdown_without_waiting_cancels_what_has_not_begun(loop: EventLoop) -> None:
    entered, leave = threading.Event(), threading.Event()
    outcomes: list[bool] = []

    def occupy() -> None:
        entered.set()
        leave.wait()

    runner = ThreadRunner(loop)
    for _ in range(100):
        runner.submit(occupy, on_done=lambda future: outcomes.append(future.cancelled()))
    entered.wait()
    runner.shutdown(wait=False)
    leave.set()
    loop.run()
    assert len(outcomes) == 100
    assert set(outcomes) == {True, False}


def test_a_loop_closed_with_a_function_pending_reports_it_and_nothing_breaks() -> None:
    loop = EventLoop()
    runner = ThreadRunner(loop)
    leave = threading.Event()
    runner.submit(leave.wait, on_done=lambda _: pytest.fail("the loop was closed"))
    assert loop.close().held == 1
    leave.set()
    runner.shutdown()


def nothing() -> None:
    """Return at once."""
