"""What a stranger does beside the tasks: look inside, live in asyncio, test without waiting."""

import asyncio
import io
import signal
from collections.abc import Callable
from typing import assert_type

from tulip_sched import (
    Context,
    Gen,
    TaskInfo,
    coroutine,
    create_task,
    dump_tasks,
    dump_tasks_on_signal,
    format_task_tree,
    hosted_by_asyncio,
    run,
    run_in_asyncio,
    sleep,
    task_tree,
    wait_asyncio,
)
from tulip_sched.testing import (
    LeakError,
    RandomOrder,
    VirtualClock,
    find_leaks,
    no_leaks,
    run_seeds,
    virtual_time,
)


@coroutine
def look_inside() -> Gen[str]:
    """See the live tasks and what they wait for."""
    sleeper = create_task(sleep(60), "sleeper")
    yield from sleep(0)
    tree = task_tree()
    assert_type(tree, tuple[TaskInfo, ...])
    child = tree[0].children[0]
    assert_type(child.waiting_for, str | None)
    assert child.name == "sleeper"
    text = io.StringIO()
    dump_tasks(text)
    restore = dump_tasks_on_signal(signal.SIGUSR1, text)
    assert_type(restore, Callable[[], object])
    restore()
    sleeper.cancel()
    return assert_type(format_task_tree(tree, stacks=False), str)


@coroutine
def use_both_worlds() -> Gen[int]:
    """Wait for asyncio's things in a tulip task."""
    number = yield from wait_asyncio(asyncio.sleep(0, 20))
    assert_type(number, int)
    yield from sleep(0)
    return number + 1


async def live_in_asyncio() -> int:
    """Wait for tulip's coroutines in asyncio code."""
    async with hosted_by_asyncio():
        return assert_type(await run_in_asyncio(use_both_worlds()), int)


def test_without_waiting() -> float:
    """Let an hour pass at once, and try many orders."""
    clock = VirtualClock()
    with virtual_time(clock) as context:
        assert_type(context, Context)
        run(sleep(3600))

    async def main() -> None:
        await sleep(1)

    run_seeds(main, seeds=3)
    with no_leaks():
        run(main())
    assert_type(find_leaks(), list[str])
    assert issubclass(LeakError, AssertionError)
    return assert_type(clock.now, float)


async def refused() -> None:
    """Each of these lines is a mistake that the type checker finds."""
    run_seeds(sleep(1))  # type: ignore[arg-type]
    RandomOrder("seed")  # type: ignore[arg-type]
    await run_in_asyncio(3)  # type: ignore[arg-type]
    wait_asyncio(asyncio.sleep(0))  # type: ignore[unused-awaitable]


if __name__ == "__main__":
    assert "sleeper" in run(look_inside())
    assert asyncio.run(live_in_asyncio()) == 21
    assert test_without_waiting() == 3600
