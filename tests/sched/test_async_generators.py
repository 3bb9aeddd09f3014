"""Async generators that are left half-way: what cleans up in them runs, and may wait."""

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    Cancelled,
    Task,
    TaskGroup,
    current_task,
    run,
    run_in_asyncio,
    shield,
    sleep,
)

seen: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


async def numbers() -> AsyncIterator[int]:
    try:
        for number in range(10):
            await sleep(1)
            yield number
    except Cancelled:
        seen.append("cancelled")
        raise
    finally:
        with shield():
            await sleep(1)
        seen.append(f"cleaned up by {current_task().name}")


async def take_two() -> None:
    async for number in numbers():
        if number == 1:
            break


CLEANED_UP = ["cleaned up by clean-up of numbers()"]


def test_a_loop_that_is_left_early_has_its_generator_cleaned_up(virtual: Virtual) -> None:
    async def main() -> None:
        await take_two()
        assert seen == []
        await sleep(2)
        assert seen == CLEANED_UP

    run(main())


def test_one_that_is_dropped_in_the_last_step_is_cleaned_up(virtual: Virtual) -> None:
    run(take_two())
    assert seen == CLEANED_UP


def test_one_that_somebody_still_holds_is_cleaned_up_at_the_end(virtual: Virtual) -> None:
    held = []

    async def main() -> None:
        held.append(numbers())
        await anext(held[0])

    run(main())
    assert seen == CLEANED_UP


def test_one_in_a_task_that_is_left_is_cleaned_up_in_it(virtual: Virtual) -> None:
    async def main() -> None:
        Task(take_two(), "left").start()
        await sleep(0)

    run(main())
    assert seen == ["cancelled", "cleaned up by left"]


def test_waiting_in_the_clean_up_is_cancelled_at_the_end_of_the_run(virtual: Virtual) -> None:
    async def careless() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            try:
                await sleep(1000)
            except Cancelled:
                seen.append("cancelled")
                raise

    async def main() -> None:
        async for _ in careless():
            break

    run(main())
    assert seen == ["cancelled"]
    assert virtual.now == 0


def test_a_failure_in_the_clean_up_makes_the_run_fail(virtual: Virtual) -> None:
    async def broken() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await sleep(0)
            raise ZeroDivisionError("in the clean-up")

    async def main() -> None:
        async for _ in broken():
            break
        await sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert "in the clean-up" in str(caught.value.exceptions[0])


def test_one_that_another_thread_s_collector_finds_is_cleaned_up(virtual: Virtual) -> None:
    async def main() -> None:
        cycle: list[object] = [generator := numbers()]
        cycle.append(cycle)
        await anext(generator)
        del cycle, generator
        collector = threading.Thread(target=gc.collect)
        collector.start()
        collector.join()
        await sleep(2)
        assert seen == CLEANED_UP

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_one_that_is_dropped_after_the_run_it_was_hidden_from_says_so() -> None:
    async def quiet() -> AsyncIterator[int]:
        yield 1
        yield 2

    kept = [quiet()]

    async def main() -> None:
        await anext(kept[0])
        current_task()._context.async_generators.clear()

    run(main())
    with pytest.warns(ResourceWarning, match="quiet.* was dropped after its run"):
        kept.clear()


def test_the_hooks_of_others_come_back() -> None:
    before = sys.get_asyncgen_hooks()
    run(sleep(0))
    assert sys.get_asyncgen_hooks() == before


def test_under_asyncio_each_side_closes_its_own() -> None:
    async def asyncio_numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            assert asyncio.current_task() is not None
            seen.append("by asyncio")

    async def tulip_numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await sleep(0)
            seen.append(f"by {current_task().name.split('.')[-1]}")

    async def tulip_side() -> None:
        async for _ in tulip_numbers():
            break
        while len(seen) < 2:
            await sleep(0.001)

    async def main() -> None:
        async for _ in asyncio_numbers():
            break
        await run_in_asyncio(tulip_side())

    asyncio.run(main())
    assert sorted(seen) == ["by asyncio", "by tulip_numbers()"]


def test_a_failure_in_the_group_of_a_generator_that_is_closed_is_told(virtual: Virtual) -> None:
    async def fails_when_cancelled() -> None:
        try:
            await sleep(1000)
        finally:
            raise LookupError("in the clean-up")

    async def numbers_of_a_group() -> AsyncGenerator[int, None]:
        async with TaskGroup() as group:
            group.start_soon(fails_when_cancelled())
            await sleep(1)
            yield 1

    async def main() -> None:
        async with aclosing(numbers_of_a_group()) as generator:
            await anext(generator)
        await sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(LookupError, match="in the clean-up")


def test_a_failure_that_makes_a_generator_with_a_group_be_closed_comes_out_of_it(
    virtual: Virtual,
) -> None:
    async def fails() -> None:
        await sleep(1)
        raise LookupError("in the group")

    async def numbers_of_a_group() -> AsyncGenerator[int, None]:
        async with TaskGroup() as group:
            group.start_soon(fails())
            yield 1

    async def main() -> None:
        async with aclosing(numbers_of_a_group()) as generator:
            await anext(generator)
            await sleep(2)  # inside of the group, whose failure ends it

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert caught.group_contains(LookupError, match="in the group")
