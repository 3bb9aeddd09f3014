"""Calls from other threads into a run."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar, copy_context
from functools import partial

import pytest

from tulip_sched import (
    Cancelled,
    ClosedError,
    Coroutine,
    DeadlockError,
    Event,
    Gen,
    Portal,
    Queue,
    TaskCancelledError,
    call_from_thread,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    par,
    run,
    sleep,
    start_from_thread,
)
from tulip_sched._typing import override

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


def produce(portal: Portal, queue: Queue[int]) -> None:
    for number in range(3):
        portal.call(queue.put, number)
    portal.start(shut_down, queue)


async def shut_down(queue: Queue[int]) -> None:
    queue.shutdown()


def test_a_thread_of_the_program_s_own_calls_through_a_portal() -> None:
    """Meanwhile the main task waits for nothing that the loop knows of."""

    async def main() -> list[int]:
        queue: Queue[int] = Queue(1)
        with Portal() as portal:
            thread = threading.Thread(target=produce, args=(portal, queue))
            thread.start()
            taken = [number async for number in queue]
        thread.join()
        return taken

    assert run(main()) == [0, 1, 2]


def test_no_call_of_many_threads_is_lost() -> None:
    async def main() -> list[int]:
        taken: list[int] = []

        async def take(number: int) -> None:
            taken.append(number)

        def work(portal: Portal, first: int) -> None:
            calls = [portal.start(take, first + number) for number in range(100)]
            for call in calls:
                call.result()

        with Portal() as portal:
            await par(*(call_in_thread(work, portal, 1000 * thread) for thread in range(8)))
        return taken

    expected = [1000 * thread + number for thread in range(8) for number in range(100)]
    assert sorted(run(main())) == expected


def test_a_portal_in_a_generator() -> None:
    @coroutine
    def main() -> Gen[int]:
        with Portal() as portal:
            return (yield from call_in_thread(portal.call, double, 21))

    assert run(main()) == 42


def test_without_an_open_portal_a_deadlock_is_one() -> None:
    async def main() -> None:
        with Portal():
            await sleep(0)
        await Event().wait()

    with pytest.raises(DeadlockError):
        run(main())


def test_a_portal_takes_calls_while_it_is_open() -> None:
    async def main() -> None:
        portal = Portal()
        for state in ("not opened", "closed"):
            with pytest.raises(ClosedError, match=f"{state}> cannot take calls"):
                await call_in_thread(portal.start, double, 1)
            if state == "not opened":
                with portal:
                    assert "open>" in repr(portal)
                    assert await call_in_thread(portal.call, double, 1) == 2
        with pytest.raises(RuntimeError, match="used before"), portal:
            pass

    run(main())


def test_a_portal_of_a_run_that_was_given_up_holds_nothing() -> None:
    async def main() -> None:
        with Portal():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(main())


def test_a_thread_that_names_no_run_is_told_how() -> None:
    with pytest.raises(RuntimeError, match="give it a Portal"):
        start_from_thread(double, 1)


def test_a_call_from_the_loop_s_own_thread_is_refused() -> None:
    async def main() -> None:
        with Portal() as portal, pytest.raises(RuntimeError, match="the loop's own thread"):
            portal.call(double, 1)

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


def test_a_failure_of_a_task_whose_call_was_cancelled_makes_the_run_fail() -> None:
    begun = threading.Event()

    async def fails_when_cancelled() -> None:
        begun.set()
        try:
            await sleep(1000)
        finally:
            raise LookupError("in the clean-up")

    def work() -> None:
        call = start_from_thread(fails_when_cancelled)
        begun.wait()
        assert call.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        run(call_in_thread(work))
    assert caught.group_contains(LookupError, match="in the clean-up")


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
        while not current_context().calls._owed:
            await sleep(0)

    run(main())
    assert isinstance(outcome[0], (ClosedError, TaskCancelledError))


def test_a_call_cancelled_in_the_moment_it_fails_harms_nobody() -> None:
    calls: list[Future[None]] = []
    asked = threading.Event()

    def launch() -> Coroutine[None]:
        asked.wait()
        assert calls[0].cancel()
        raise ZeroDivisionError("nobody asks any more")

    def work() -> None:
        calls.append(start_from_thread(launch))
        asked.set()

    async def main() -> int:
        await call_in_thread(work)
        return await double(2)

    assert run(main()) == 4
    assert calls[0].cancelled()


def test_a_call_cancelled_in_the_moment_the_run_ends_harms_no_other() -> None:
    class CancelledMeanwhile(Future[None]):
        @override
        def set_exception(self, exception: BaseException | None) -> None:
            self.cancel()
            super().set_exception(exception)

    calls = [CancelledMeanwhile(), CancelledMeanwhile(), Future[None]()]

    async def main() -> None:
        owed = current_context().calls
        add = threading.Thread(target=lambda: [owed.add(call) for call in calls])
        add.start()
        add.join()

    run(main())
    assert [call.cancelled() for call in calls] == [True, True, False]
    assert isinstance(calls[2].exception(), ClosedError)


@pytest.mark.leaves_behind("the call, in the queue of the loop that was closed")
def test_a_call_that_comes_in_the_last_step_of_a_run_fails_when_it_ends() -> None:
    """The loop turns no more, so no task can answer it."""
    calls: list[Future[None]] = []

    async def main() -> None:
        with Portal() as portal:
            thread = threading.Thread(target=lambda: calls.append(portal.start(sleep, 0)))
            thread.start()
            thread.join()

    run(main())
    with pytest.raises(ClosedError, match="ended before it answered"):
        calls[0].result(0)


def test_a_call_after_the_run_is_refused() -> None:
    late: list[Callable[[], object]] = []

    async def main() -> None:
        def work() -> None:
            late.append(partial(copy_context().run, call_from_thread, double, 1))

        await call_in_thread(work)

    run(main())
    with pytest.raises(ClosedError, match="no run is under way"):
        late[0]()
