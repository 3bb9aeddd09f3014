"""Tulip tasks inside an asyncio program."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from io import UnsupportedOperation

import pytest

from tulip_poll import SelectPollster
from tulip_sched import (
    Cancelled,
    Context,
    EventLoop,
    Gen,
    Portal,
    SuspendError,
    Task,
    TaskCancelledError,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    fail_after,
    hosted_by_asyncio,
    move_on_after,
    run,
    run_in_asyncio,
    set_context_provider,
    shield,
    sleep,
    wait_asyncio,
)


@coroutine
def double(number: int) -> Gen[int]:
    yield from sleep(0.001)
    return 2 * number


@coroutine
def double_later(number: int) -> Gen[int]:
    yield from sleep(0.01)
    return 2 * number


async def fail() -> None:
    await sleep(0)
    raise ZeroDivisionError("on the tulip side")


async def asyncio_fail() -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError("on the asyncio side")


def test_asyncio_awaits_a_tulip_coroutine() -> None:
    assert asyncio.run(run_in_asyncio(double(21))) == 42


def test_many_run_side_by_side() -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(run_in_asyncio(double(n)) for n in range(50)))

    assert asyncio.run(main()) == [2 * n for n in range(50)]


def test_an_error_crosses_to_asyncio() -> None:
    with pytest.raises(ZeroDivisionError, match="on the tulip side"):
        asyncio.run(run_in_asyncio(fail()))


@pytest.mark.parametrize("way", [wait_asyncio, lambda awaitable: awaitable])
def test_a_tulip_task_awaits_asyncio(way: Callable[[Awaitable[str]], Awaitable[str]]) -> None:
    async def main() -> str:
        return await way(asyncio.sleep(0.001, "result"))

    assert asyncio.run(run_in_asyncio(main())) == "result"


def test_a_generator_waits_for_asyncio() -> None:
    @coroutine
    def main() -> Gen[str]:
        return (yield from wait_asyncio(asyncio.sleep(0.001, "result")))

    assert asyncio.run(run_in_asyncio(main())) == "result"


@pytest.mark.parametrize("way", [wait_asyncio, lambda awaitable: awaitable])
def test_an_error_crosses_to_tulip(way: Callable[[Awaitable[None]], Awaitable[None]]) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError, match="on the asyncio side"):
            await way(asyncio_fail())

    asyncio.run(run_in_asyncio(main()))


def test_cancelling_the_asyncio_task_cancels_the_tulip_task_and_waits() -> None:
    seen: list[str] = []

    async def inside() -> None:
        try:
            await sleep(60)
        except Cancelled:
            with move_on_after(1) as scope:
                scope.cancel()
            seen.append("cleaned up")
            raise

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_in_asyncio(inside())
        seen.append("after")

    asyncio.run(main())
    assert seen == ["cleaned up", "after"]


def test_cancelling_the_asyncio_task_again_does_not_cut_the_clean_up_short() -> None:
    seen: list[str] = []

    async def main() -> None:
        begun, cleaning, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def inside() -> None:
            begun.set()
            try:
                await sleep(60)
            finally:
                cleaning.set()
                with shield():
                    await go_on.wait()
                seen.append("cleaned up")

        task = asyncio.create_task(run_in_asyncio(inside()))
        await begun.wait()
        task.cancel()
        await cleaning.wait()
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        seen.append("after")

    asyncio.run(main())
    assert seen == ["cleaned up", "after"]


def test_cancelling_the_tulip_task_cancels_the_asyncio_task_and_waits() -> None:
    seen: list[str] = []

    async def inside() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.001)
            seen.append("cleaned up")

    async def main() -> None:
        with pytest.raises(TimeoutError), fail_after(0.01):
            await wait_asyncio(inside())
        seen.append("after")

    asyncio.run(run_in_asyncio(main()))
    assert seen == ["cleaned up", "after"]


def test_cancelling_a_wait_for_a_gathering_is_no_failure() -> None:
    """A gathering that was cancelled does not say so: it fails with a `CancelledError`."""

    async def waits() -> None:
        await wait_asyncio(asyncio.gather(asyncio.sleep(1000), asyncio.sleep(1000)))

    async def main() -> None:
        task = create_task(waits())
        await sleep(0.001)
        task.cancel()
        await task.wait()
        assert task.cancelled()

    asyncio.run(run_in_asyncio(main()))


def test_a_future_awaited_directly_is_cancelled_with_the_task() -> None:
    async def main() -> bool:
        future = asyncio.get_running_loop().create_future()
        with move_on_after(0.001):
            await future
        return future.cancelled()

    assert asyncio.run(run_in_asyncio(main()))


def test_a_cancellation_of_the_other_side_alone_is_an_ordinary_error() -> None:
    async def tulip_side() -> None:
        sleeping = asyncio.ensure_future(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(sleeping.cancel)
        with pytest.raises(TaskCancelledError):
            await wait_asyncio(sleeping)

    async def suicidal() -> None:
        current_task().cancel()
        await sleep(60)

    async def main() -> None:
        await run_in_asyncio(tulip_side())
        with pytest.raises(TaskCancelledError):
            await run_in_asyncio(suicidal())

    asyncio.run(main())


def test_tasks_live_as_long_as_the_host() -> None:
    seen: list[str] = []

    async def background() -> None:
        try:
            await sleep(0.001)
            seen.append("worked")
            await sleep(60)
        finally:
            seen.append("ended")

    async def main() -> None:
        async with hosted_by_asyncio():
            Task(background()).start()
            await asyncio.sleep(0.02)
            assert await run_in_asyncio(double(1)) == 2

    asyncio.run(main())
    assert seen == ["worked", "ended"]


def test_a_failure_nobody_waited_for_comes_out_of_the_host() -> None:
    async def main() -> None:
        async with hosted_by_asyncio():
            Task(fail()).start()
            await asyncio.sleep(0.01)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)


def test_a_callback_that_fails_takes_no_timer_with_it() -> None:
    """asyncio is told of the failure; the tasks that sleep are woken all the same."""
    told: list[str] = []

    def broken() -> None:
        raise ZeroDivisionError("in a callback of tulip's")

    async def main() -> int:
        host = asyncio.get_running_loop()
        host.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        async with hosted_by_asyncio(), asyncio.timeout(5):
            # The next turn of the loop is for this callback alone, by its timer.
            current_context().eventloop.call_later(0.001, broken)
            return await run_in_asyncio(double_later(21))

    assert asyncio.run(main()) == 42
    assert told == ["in a callback of tulip's"]


def test_a_loop_that_cannot_be_hosted_is_refused_and_can_be_run() -> None:
    context = Context(EventLoop(SelectPollster()))
    previous = set_context_provider(lambda: context)
    try:
        main = double(1)
        with pytest.raises(UnsupportedOperation, match="SelectPollster has no file descriptor"):
            asyncio.run(run_in_asyncio(main))
        assert run(main) == 2
    finally:
        set_context_provider(previous)
        context.eventloop.close()


def test_threads_work_under_asyncio_too() -> None:
    assert asyncio.run(run_in_asyncio(call_in_thread(lambda: 42))) == 42


def test_a_portal_works_under_asyncio_too() -> None:
    async def main() -> int:
        with Portal() as portal:
            return await call_in_thread(portal.call, double, 21)

    assert asyncio.run(run_in_asyncio(main())) == 42


def test_waiting_for_asyncio_where_there_is_none_says_so() -> None:
    async def wrapped() -> None:
        with pytest.raises(RuntimeError, match="no asyncio loop hosts this run"):
            await wait_asyncio(asyncio.sleep(0))

    run(wrapped())
    loop = asyncio.new_event_loop()

    async def direct() -> None:
        await loop.create_future()

    try:
        with pytest.raises(SuspendError, match="belongs to asyncio, but no asyncio loop"):
            run(direct())
    finally:
        loop.close()


@pytest.mark.parametrize("seconds", [0, 0.001])
def test_waiting_for_tulip_in_plain_asyncio_code_says_what_to_do(seconds: float) -> None:
    async def main() -> None:
        await sleep(seconds)

    with pytest.raises(RuntimeError, match=r"in asyncio code: await run_in_asyncio"):
        asyncio.run(main())


def test_run_inside_a_hosted_run_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="inside a run"):
            run()
        await sleep(0)

    asyncio.run(run_in_asyncio(main()))


def test_hosting_inside_a_run_is_refused() -> None:
    async def main() -> None:
        await create_task(double(1))
        with pytest.raises(RuntimeError, match="already under way"):
            asyncio.run(run_in_asyncio(double(1)))

    run(main())


@pytest.mark.slow
def test_importing_the_layer_does_not_import_asyncio() -> None:
    code = "import sys, tulip_sched; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
