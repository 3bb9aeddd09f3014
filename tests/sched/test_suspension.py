"""The guard-rails of suspending: a mistake is raised in the task that made it, and says where."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    CancelScope,
    Gen,
    SuspendError,
    block,
    coroutine,
    create_task,
    current_task,
    run,
    sleep,
    suspend,
)


def undo() -> None:
    """Undo nothing."""


@coroutine
def raise_lookup_error() -> Gen[None]:
    if current_task().name:
        raise LookupError("in between")
    yield


@coroutine
def bare() -> Gen[None]:
    yield


def test_a_bare_yield_without_block_is_refused() -> None:
    with pytest.raises(SuspendError, match=r"'main' executed a bare yield without .* block\(\)"):
        run(bare())


def test_the_error_is_raised_at_the_yield_and_can_be_handled() -> None:
    @coroutine
    def body() -> Gen[str]:
        try:
            yield
        except SuspendError:
            yield from sleep(0)
            return "went on"
        return "nothing"

    assert run(body()) == "went on"


def test_block_without_its_yield_names_the_place_at_the_next_block() -> None:
    @coroutine
    def body() -> Gen[None]:
        block(undo)
        block(undo)
        yield

    with pytest.raises(SuspendError, match=r"blocked by block\(undo\) at .*:\d+ in .*body") as info:
        run(body())
    line = body.__code__.co_firstlineno + 2
    assert f"{__file__}:{line} in" in str(info.value)


def test_block_without_its_yield_is_found_by_the_next_sleep() -> None:
    undone: list[str] = []

    @coroutine
    def body() -> Gen[None]:
        block(lambda: undone.append("undone"))
        yield from sleep(1)

    with pytest.raises(SuspendError, match="a yield is missing after it"):
        run(body())
    assert undone == ["undone"]


def test_block_without_its_yield_is_found_by_sleep_zero() -> None:
    @coroutine
    def body() -> Gen[None]:
        block(undo)
        yield from sleep(0)

    with pytest.raises(SuspendError, match="a bare yield is missing after it"):
        run(body())


def test_block_without_its_yield_is_found_at_the_end() -> None:
    @coroutine
    def body() -> Gen[None]:
        yield from sleep(0)
        block(undo)

    with pytest.raises(SuspendError, match=r"returned while blocked by block\(undo\) at"):
        run(body())


def test_block_without_its_yield_and_already_unblocked_is_found_at_the_end() -> None:
    @coroutine
    def body() -> Gen[int]:
        yield from sleep(0)
        block(undo)
        current_task().unblock()
        return 1

    with pytest.raises(SuspendError, match="a yield is missing after it"):
        run(body())


def test_block_without_its_yield_and_already_unblocked_is_found_by_the_next() -> None:
    resumed: list[str] = []

    @coroutine
    def body() -> Gen[None]:
        block(undo)
        current_task().unblock()
        try:
            yield from sleep(1000)
        except SuspendError as error:
            resumed.append(str(error))
            raise

    with pytest.raises(SuspendError, match="a yield is missing after it"):
        run(body())
    assert len(resumed) == 1


def test_block_without_its_yield_and_already_unblocked_is_found_by_sleep_zero() -> None:
    turns = 0

    @coroutine
    def body() -> Gen[None]:
        nonlocal turns
        block(undo)
        current_task().unblock()
        yield from sleep(0)
        turns += 1

    with pytest.raises(SuspendError):
        run(body())
    assert turns == 0


def test_an_exception_after_block_undoes_it() -> None:
    undone: list[str] = []

    @coroutine
    def body() -> Gen[None]:
        block(lambda: undone.append("undone"))
        yield from raise_lookup_error()

    with pytest.raises(LookupError, match="in between"):
        run(body())
    assert undone == ["undone"]


def test_an_exception_after_block_and_unblock_ends_the_task_once() -> None:
    @coroutine
    def body() -> Gen[None]:
        block(undo)
        current_task().unblock()
        yield from raise_lookup_error()

    async def main() -> None:
        task = create_task(body())
        await task.wait()
        await sleep(0)
        assert isinstance(task.exception(), LookupError)

    run(main())


@pytest.mark.parametrize("thing", ["coroutine", "task", "zero", "async def"])
def test_a_forgotten_from_gets_a_hint(thing: str) -> None:
    async def native() -> None:
        await sleep(0)

    made: dict[str, Any] = {
        "coroutine": lambda: sleep(1),
        "zero": lambda: sleep(0),
        "task": lambda: create_task(sleep(0)),
        "async def": native,
    }

    def body() -> Iterator[object]:
        yield made[thing]()

    wrong: Any = body()
    with pytest.raises(SuspendError, match=r"did you forget 'from' \(yield from \.\.\.\)\?"):
        run(wrong)


@pytest.mark.parametrize("value", [3, "text", ()])
def test_a_value_that_is_yielded_is_refused_by_value(value: object) -> None:
    def body() -> Iterator[object]:
        yield value

    wrong: Any = body()
    with pytest.raises(SuspendError, match=f"yielded {value!r}".replace("()", r"\(\)")):
        run(wrong)


def test_a_value_after_block_undoes_it() -> None:
    undone: list[str] = []

    def body() -> Iterator[object]:
        block(lambda: undone.append("undone"))
        yield 3

    wrong: Any = body()
    with pytest.raises(SuspendError, match="was blocked by"):
        run(wrong)
    assert undone == ["undone"]


def test_a_value_after_block_and_unblock_resumes_once(virtual: Virtual) -> None:
    """The turn that the unblock brings is the one in which the error is raised."""

    def body() -> Iterator[object]:
        block(undo)
        current_task().unblock()
        with pytest.raises(SuspendError, match="suspended again"):
            yield 3
        yield from sleep(5)

    wrong: Any = body()
    run(wrong)
    assert virtual.now == 5


def test_awaiting_an_asyncio_future_with_no_asyncio_around_says_so() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[None] = loop.create_future()

    async def main() -> None:
        await future

    with pytest.raises(SuspendError, match=r"belongs to asyncio, but no asyncio loop is running"):
        run(main())
    loop.close()


def test_block_outside_of_a_task_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no tulip task is running in this thread"):
        block(undo)


def test_suspend_is_block_and_yield_in_one(virtual: Virtual) -> None:
    undone: list[str] = []

    async def body() -> str:
        await suspend(lambda: undone.append("undone"))
        return "resumed"

    async def main() -> None:
        first, second = create_task(body()), create_task(body())
        await sleep(1)
        first.unblock()
        second.cancel()
        assert await first == "resumed"
        await second.wait()
        assert second.cancelled()

    run(main())
    assert undone == ["undone"]


def test_an_undo_that_raises_raises_in_its_task_and_loses_no_other(virtual: Virtual) -> None:
    def bad() -> None:
        raise ValueError("bad undo")

    async def body() -> None:
        await suspend(bad)

    async def main() -> None:
        victim = create_task(body())
        other = create_task(sleep(5))
        await sleep(1)
        victim.cancel()
        await victim.wait()
        assert isinstance(victim.exception(), ValueError)
        await other

    run(main())
    assert virtual.now == 5


def test_an_undo_that_unblocks_its_task_resumes_it_once(virtual: Virtual) -> None:
    """As a future's cancel() does, which calls the callback that was to wake the task."""

    async def body() -> None:
        with CancelScope() as scope:
            scopes.append(scope)
            await suspend(current_task().unblock)
        await suspend(undo)
        resumed.append("too early")

    scopes: list[CancelScope] = []
    resumed: list[str] = []

    async def main() -> None:
        task = create_task(body())
        await sleep(1)
        scopes[0].cancel()
        await sleep(1)
        assert scopes[0].cancelled_caught
        assert resumed == []
        task.cancel()
        await task.wait()

    run(main())


def test_an_undo_that_cancels_once_more_is_called_once(virtual: Virtual) -> None:
    undone: list[str] = []

    async def body() -> None:
        def cancel_all() -> None:
            undone.append("undone")
            current.cancel()

        current = current_task()
        with CancelScope() as scope:
            scopes.append(scope)
            await suspend(cancel_all)

    scopes: list[CancelScope] = []

    async def main() -> None:
        task = create_task(body())
        await sleep(1)
        scopes[0].cancel()
        await task.wait()
        assert task.cancelled()

    run(main())
    assert undone == ["undone"]
