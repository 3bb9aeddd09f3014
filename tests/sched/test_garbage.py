"""Nothing of a task outlives it: no reference cycles, and tracebacks of the user's frames only."""

import gc
import traceback
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    AnyCoroutine,
    CancelScope,
    Gen,
    Task,
    TaskGroup,
    as_completed,
    call_in_thread,
    coroutine,
    create_task,
    fail_after,
    move_on_after,
    par,
    run,
    sleep,
    wait_all,
    with_timeout,
)


async def give(value: int, seconds: float = 0) -> int:
    await sleep(seconds)
    return value


async def fail(seconds: float = 0) -> int:
    await sleep(seconds)
    raise LookupError("on purpose")


async def results() -> None:
    task = create_task(give(1))
    await task
    await wait_all([create_task(give(2)), create_task(give(3))])
    await par(give(4), give(5))
    for step in as_completed([create_task(give(6))]):
        assert (await step).done()


async def failure() -> None:
    with suppress(LookupError):
        await create_task(fail())


async def failure_with_a_timeout() -> None:
    with suppress(LookupError):
        await with_timeout(10, fail(1))


async def failure_inside_a_scope() -> None:
    try:
        with fail_after(10) as scope:
            assert isinstance(scope, CancelScope)
            await fail(1)
    except LookupError:
        pass


async def failure_of_a_task_inside_its_scope() -> None:
    async def body() -> None:
        with CancelScope() as scope:
            assert not scope.cancel_called
            await fail(1)

    task = create_task(body())
    await task.wait()
    assert isinstance(task.exception(), LookupError)


async def failure_in_a_group() -> None:
    try:
        async with TaskGroup() as group:
            group.start_soon(fail(1))
            group.start_soon(give(1, 100))
    except* LookupError:
        pass


@coroutine
def failure_in_a_generator_s_group() -> Gen[None]:
    @coroutine
    def body(group: TaskGroup) -> Gen[None]:
        group.start_soon(fail(1))
        yield from sleep(100)

    try:
        yield from TaskGroup().run(body)
    except* LookupError:
        pass


async def timeouts() -> None:
    with move_on_after(1):
        await sleep(10)
    try:
        with fail_after(1):
            await sleep(10)
    except TimeoutError:
        pass
    task = create_task(give(1, 10), timeout=1)
    await task.wait()


async def cancellations() -> None:
    task = create_task(give(1, 10))
    waiter = create_task(task.wait())
    await sleep(1)
    waiter.cancel()
    await waiter.wait()
    task.cancel()
    await task.wait()
    Task(give(1)).cancel()


async def failure_in_a_thread() -> None:
    def work() -> None:
        raise LookupError("in a thread")

    with suppress(LookupError):
        await call_in_thread(work)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "body",
    [
        results,
        failure,
        failure_with_a_timeout,
        failure_inside_a_scope,
        failure_of_a_task_inside_its_scope,
        failure_in_a_group,
        failure_in_a_generator_s_group,
        timeouts,
        cancellations,
        failure_in_a_thread,
    ],
)
def test_no_cycles_are_left(virtual: Virtual, body: Callable[[], AnyCoroutine[None]]) -> None:
    run(body())
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        kinds = (Task, BaseException, CancelScope)
        ours = [type(thing).__name__ for thing in gc.garbage if isinstance(thing, kinds)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert ours == []


def frames(error: BaseException) -> list[str]:
    return [entry.name for entry in traceback.extract_tb(error.__traceback__)]


def test_a_stored_exception_shows_the_coroutine_s_frames_only() -> None:
    async def main() -> None:
        task = create_task(fail())
        await task.wait()
        error = task.exception()
        assert error is not None
        assert frames(error) == ["fail"]

    run(main())


def test_asking_again_and_again_does_not_make_the_traceback_longer() -> None:
    async def main() -> None:
        task = create_task(fail())
        lengths = []
        for _ in range(3):
            try:
                await task
            except LookupError as error:
                lengths.append(len(frames(error)))
        assert lengths[0] == lengths[1] == lengths[2]

    run(main())


def test_run_shows_the_frames_of_the_main_coroutine() -> None:
    async def main() -> None:
        await fail()

    with pytest.raises(LookupError) as caught:
        run(main())
    assert frames(caught.value)[-2:] == ["main", "fail"]
    assert "_step" not in frames(caught.value)
