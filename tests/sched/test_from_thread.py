"""Calls from other threads into a run."""

import threading
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar

import pytest

from tulip_sched import (
    Cancelled,
    ClosedError,
    Gen,
    TaskCancelledError,
    call_from_thread,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    run,
    sleep,
    start_from_thread,
)

variable: ContextVar[str] = ContextVar("variable", default="unset")


@coroutine
def double(number: int) -> Gen[int]:
    yield from sleep(0)
    return 2 * number


@coroutine
def fail() -> Gen[None]:
    yield from sleep(0)
    raise ZeroDivisionError("in the loop")


def test_a_thread_of_ours_gets_a_coroutine_s_result() -> None:
    assert run(call_in_thread(call_from_thread, double, 21)) == 42


def test_a_thread_of_ours_gets_a_coroutine_s_error() -> None:
    def work() -> None:
        call_from_thread(fail)

    with pytest.raises(ZeroDivisionError, match="in the loop"):
        run(call_in_thread(work))


def test_the_thread_sees_the_caller_s_context_variables() -> None:
    @coroutine
    def main() -> Gen[str]:
        variable.set("of the task")
        return (yield from call_in_thread(variable.get))

    assert run(main()) == "of the task"


def test_a_foreign_thread_names_the_run() -> None:
    answers: list[int] = []

    async def main() -> None:
        context = current_context()
        thread = threading.Thread(
            target=lambda: answers.append(call_from_thread(double, 4, context=context))
        )
        thread.start()
        await call_in_thread(thread.join)

    run(main())
    assert answers == [8]


def test_a_foreign_thread_that_names_no_run_is_told_how() -> None:
    with pytest.raises(RuntimeError, match=r"context=current_context\(\)"):
        start_from_thread(double, 1)


def test_a_call_from_the_loop_s_own_thread_is_refused() -> None:
    @coroutine
    def main() -> Gen[None]:
        call_from_thread(double, 1, context=current_context())
        yield

    with pytest.raises(RuntimeError, match="the loop's own thread"):
        run(main())


def test_cancelling_the_call_cancels_the_task() -> None:
    seen: list[str] = []
    begun = threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await sleep(1000)
        except Cancelled:
            seen.append("cancelled")
            raise

    def work() -> None:
        call = start_from_thread(endless)
        begun.wait()
        assert call.cancel()
        with pytest.raises(CancelledError):
            call.result()

    async def main() -> None:
        await call_in_thread(work)
        await sleep(0)
        await sleep(0)

    run(main())
    assert seen == ["cancelled"]


def test_a_task_cancelled_in_the_loop_ends_the_call() -> None:
    async def suicidal() -> None:
        current_task().cancel()
        await sleep(1000)

    def work() -> None:
        with pytest.raises(TaskCancelledError):
            call_from_thread(suicidal)

    run(call_in_thread(work))


def test_a_call_that_the_run_did_not_answer_fails_when_it_ends() -> None:
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            call_from_thread(sleep, 1000)
        except BaseException as error:  # noqa: BLE001
            outcome.append(error)

    async def main() -> None:
        create_task(call_in_thread(work)).add_done_callback(lambda _: None)
        while not current_context().portal._calls:
            await sleep(0)

    run(main())
    assert isinstance(outcome[0], (ClosedError, TaskCancelledError))


@pytest.mark.leaves_behind("the call, in the queue of the loop that was closed")
def test_a_call_that_comes_in_the_last_step_of_a_run_fails_when_it_ends() -> None:
    """The loop turns no more, so no task can answer it."""
    calls: list[Future[None]] = []

    async def main() -> None:
        context = current_context()
        thread = threading.Thread(
            target=lambda: calls.append(start_from_thread(sleep, 0, context=context))
        )
        thread.start()
        thread.join()

    run(main())
    with pytest.raises(ClosedError, match="ended before it answered"):
        calls[0].result(0)


def test_a_call_after_the_run_is_refused() -> None:
    async def main() -> object:
        return current_context()

    context = run(main())
    error: list[BaseException] = []

    def work() -> None:
        try:
            call_from_thread(double, 1, context=context)  # type: ignore[arg-type]
        except BaseException as caught:  # noqa: BLE001
            error.append(caught)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert isinstance(error[0], ClosedError)
