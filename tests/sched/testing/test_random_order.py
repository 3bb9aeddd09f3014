"""Seeded orders: another one for another seed, the same for the same, and a bug that one shows."""

import gc
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import pytest

from tulip_poll import Handle, QueueEntry
from tulip_sched import (
    CancelScope,
    Event,
    Lock,
    TaskGroup,
    current_context,
    current_task,
    run,
    sleep,
    suspend,
)
from tulip_sched.testing import LeakError, RandomOrder, run_seeds, virtual_time

SEEDS = 60


def order_under(seed: int | None) -> str:
    """Run five tasks of three steps each, and return the order of the steps."""
    seen: list[str] = []

    async def steps(name: str) -> None:
        for _ in range(3):
            seen.append(name)
            await sleep(0)

    async def main() -> None:
        async with TaskGroup() as group:
            for name in "abcde":
                group.start_soon(steps(name))

    with virtual_time(seed=seed):
        run(main())
    return "".join(seen)


def test_without_a_seed_the_order_is_the_usual_one() -> None:
    assert order_under(None) == "abcde" * 3


def test_a_seed_is_an_order_and_the_same_each_time() -> None:
    orders = [order_under(seed) for seed in range(SEEDS)]
    assert orders == [order_under(seed) for seed in range(SEEDS)]
    assert len(set(orders)) > SEEDS // 2
    assert any(order[:5] != "abcde" for order in orders)
    assert any(sorted(order[:5]) != sorted("abcde") for order in orders), "nobody was held back"


@pytest.mark.parametrize("threshold", range(1, 6))
def test_what_a_finalizer_puts_into_the_queue_meanwhile_is_not_lost(threshold: int) -> None:
    """The garbage collector may run in the middle: an object that goes may wake a task."""

    class Dropped:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            queue.append(late)

    late = Handle(print, "late")
    queue: deque[QueueEntry] = deque(Handle(print, number) for number in range(5))
    every = {*queue, late}
    order = RandomOrder(7)
    before = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        Dropped()
        gc.set_threshold(threshold)
        gc.enable()
        count = order(queue)
    finally:
        gc.set_threshold(*before)
        gc.enable()
    gc.collect()
    assert {*queue} == every
    assert len(queue) == 6
    assert 1 <= count <= 6


def test_a_seed_gives_the_same_order_in_another_process() -> None:
    program = "from tests.sched.testing.test_random_order import order_under as o; print(o(7))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert outputs == {order_under(7)}


def test_a_group_is_cancelled_in_the_order_of_its_tasks() -> None:
    """A set of tasks would have another order in another process, and a seed would not replay."""
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await Event().wait()
        finally:
            ended.append(number)

    async def main() -> None:
        async with TaskGroup() as group:
            for number in range(50):
                group.start_soon(wait(number))
            await sleep(0)
            group.scope.cancel()

    with virtual_time():
        run(main())
    assert ended == list(range(50))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_callbacks_keep_their_order(seed: int) -> None:
    seen: list[int] = []

    async def main() -> None:
        loop = current_context().eventloop
        async with TaskGroup() as group:
            for number in range(5):
                loop.call_soon(seen.append, number)
                group.start_soon(sleep(0))

    with virtual_time(seed=seed):
        run(main())
    assert seen == sorted(seen)


def test_callbacks_alone_keep_order_and_round() -> None:
    order = RandomOrder(3)
    handles: list[QueueEntry] = [Handle(print, number) for number in range(20)]
    queue = deque(handles)
    for _ in range(50):
        assert order(queue) == 20, "callbacks are not held back"
        assert list(queue) == handles
    assert order(deque()) == 0
    assert repr(order) == "RandomOrder(3)"


class LeakyLatch:
    """A latch with a planted bug: it looks, lets others run, and only then joins the waiters."""

    def __init__(self) -> None:
        self.open = False
        self.waiters: list[object] = []

    def set(self) -> None:
        self.open = True
        for task in self.waiters:
            task.unblock()  # type: ignore[attr-defined]

    async def wait(self) -> None:
        if not self.open:
            await sleep(0)  # the bug: the latch may be opened here, and nobody wakes us
            task = current_task()
            self.waiters.append(task)
            await suspend(lambda: self.waiters.remove(task))


async def lost_wakeup() -> None:
    latch = LeakyLatch()

    async def opener() -> None:
        await sleep(0)
        await sleep(0)
        latch.set()

    async with TaskGroup() as group:
        group.start_soon(latch.wait(), "waiter")
        group.start_soon(opener(), "opener")


def test_the_usual_order_hides_the_planted_bug() -> None:
    with virtual_time():
        run(lost_wakeup())


def seed_in(error: BaseException) -> int:
    (note,) = error.__notes__
    assert "run_seeds(lost_wakeup, seeds=[" in note
    return int(note.split("seeds=[")[1].split("]")[0])


def test_a_seed_finds_the_planted_bug_and_replays_it() -> None:
    with pytest.raises(Exception, match="waiter") as found:
        run_seeds(lost_wakeup, seeds=SEEDS)
    seed = seed_in(found.value)
    for _ in range(3):
        with pytest.raises(type(found.value), match="waiter"):
            run_seeds(lost_wakeup, seeds=[seed])
    run_seeds(lost_wakeup, seeds=range(seed))


def test_a_run_that_leaves_something_behind_names_its_seed() -> None:
    async def main() -> None:
        current_context().eventloop.call_later(5, print)

    with pytest.raises(LeakError) as found:
        run_seeds(main, seeds=[41])
    assert "seed 41" in found.value.__notes__[0]


def test_a_cancellation_meets_a_wakeup_in_both_orders() -> None:
    """The deadline and the event come in one round: either may be first."""
    ends: set[bool] = set()

    async def main() -> None:
        event = Event()

        async def setter() -> None:
            await sleep(1)
            event.set()

        async with TaskGroup() as group:
            group.start_soon(setter())
            with CancelScope(deadline=current_context().eventloop.time() + 1) as scope:
                await event.wait()
            ends.add(scope.cancelled_caught)

    run_seeds(main, seeds=SEEDS)
    assert ends == {True, False}


def test_a_lock_stays_fair_in_every_order() -> None:
    async def main() -> None:
        lock = Lock()
        came: list[int] = []
        went: list[int] = []

        async def work(number: int) -> None:
            came.append(number)
            async with lock:
                went.append(number)
                await sleep(0)

        async with TaskGroup() as group:
            for number in range(6):
                group.start_soon(work(number))
        assert went == came

    run_seeds(main, seeds=SEEDS)


@pytest.fixture(autouse=True)
def _the_root_is_importable(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))


def seeds_of_generators() -> Iterator[int]:
    yield from (1, 2)


def test_seeds_may_be_any_iterable() -> None:
    runs: list[int] = []

    async def main() -> None:
        runs.append(1)

    run_seeds(main, seeds_of_generators())
    assert len(runs) == 2
