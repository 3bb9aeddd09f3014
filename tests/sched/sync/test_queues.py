"""Queue, PriorityQueue and LifoQueue."""

import pickle
import threading
from random import Random
from typing import Any, cast

import pytest

from tulip_sched import (
    Gen,
    LifoQueue,
    PriorityQueue,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    TaskGroup,
    WouldBlockError,
    WrongThreadError,
    create_task,
    current_context,
    par,
    run,
    sleep,
    wait_all,
)
from tulip_sched.testing import virtual_time

QUEUES: list[type[Queue[Any]]] = [Queue, PriorityQueue, LifoQueue]
anyqueue = pytest.mark.parametrize("make", QUEUES)


@anyqueue
def test_with_room_and_items_no_round_of_the_loop_is_needed(make: type[Queue[Any]]) -> None:
    queue = make(2)

    def main() -> Gen[None]:
        rounds = current_context().eventloop.stats().rounds
        yield from queue.put(1)
        assert (yield from queue.get()) == 1
        queue.put_nowait(2)
        assert queue.get_nowait() == 2
        queue.task_done()
        queue.task_done()
        yield from queue.join()
        _unused = queue.put(3), queue.get()
        assert queue.empty()
        assert current_context().eventloop.stats().rounds == rounds

    run(main())


@pytest.mark.parametrize(
    "make,expected", [(Queue, [3, 1, 2]), (PriorityQueue, [1, 2, 3]), (LifoQueue, [2, 1, 3])]
)
def test_each_queue_has_its_order(make: type[Queue[int]], expected: list[int]) -> None:
    queue = make()
    for item in (3, 1, 2):
        queue.put_nowait(item)
    assert queue.qsize() == 3
    assert [queue.get_nowait() for _ in range(3)] == expected


@anyqueue
def test_a_full_queue_and_an_empty_one_say_so(make: type[Queue[Any]]) -> None:
    queue = make(1)
    assert (queue.maxsize, queue.empty(), queue.full()) == (1, True, False)
    with pytest.raises(QueueEmpty, match="0 of 1 items"):
        queue.get_nowait()
    queue.put_nowait(1)
    assert (queue.empty(), queue.full()) == (False, True)
    with pytest.raises(QueueFull, match="1 of 1 items"):
        queue.put_nowait(2)
    assert issubclass(QueueFull, WouldBlockError)
    assert issubclass(QueueEmpty, WouldBlockError)


@pytest.mark.parametrize("maxsize", [0, -1])
def test_a_queue_without_limit_is_never_full(maxsize: int) -> None:
    queue = Queue[int](maxsize)
    for item in range(1000):
        queue.put_nowait(item)
    assert not queue.full()
    assert "1000 items" in repr(queue)


@anyqueue
def test_a_queue_of_one_item_keeps_order_and_loses_nothing(make: type[Queue[Any]]) -> None:
    async def main() -> None:
        queue = make(1)
        got: list[int] = []

        async def consume() -> None:
            for _ in range(20):
                got.append(await queue.get())  # noqa: PERF401 - the order of the gets is the test

        async def produce() -> None:
            for item in range(20):
                await queue.put(item)

        await par(consume(), produce())
        assert got == list(range(20))

    run(main())


def test_an_item_goes_to_the_getter_that_waited_longest() -> None:
    async def main() -> None:
        queue = Queue[int]()
        first, second = create_task(queue.get()), create_task(queue.get())
        await sleep(0)
        queue.put_nowait(1)
        with pytest.raises(QueueEmpty):
            queue.get_nowait()
        queue.put_nowait(2)
        assert await par(second.wait(), first.wait()) == (None, None)
        assert (first.result(), second.result()) == (1, 2)

    run(main())


def test_room_goes_to_the_putter_that_waited_longest() -> None:
    async def main() -> None:
        queue = Queue[int](1)
        queue.put_nowait(0)
        putters = [create_task(queue.put(item)) for item in (1, 2)]
        await sleep(0)
        assert queue.get_nowait() == 0
        with pytest.raises(QueueFull):
            queue.put_nowait(9)
        assert [queue.get_nowait(), queue.get_nowait()] == [1, 2]
        await wait_all(putters)

    run(main())


def test_join_waits_for_every_item_to_be_done() -> None:
    async def main() -> None:
        queue = Queue[int](1)
        done: list[int] = []

        async def work() -> None:
            async for item in queue:
                await sleep(item)
                done.append(item)
                queue.task_done()

        worker = create_task(work())
        for item in (3, 1, 2):
            await queue.put(item)
        await queue.join()
        assert done == [3, 1, 2]
        assert current_context().eventloop.time() == 6
        queue.shutdown()
        await worker

    with virtual_time():
        run(main())


def test_task_done_is_called_once_an_item() -> None:
    queue = Queue[int]()
    queue.put_nowait(1)
    queue.task_done()
    with pytest.raises(ValueError, match="more often than items were put"):
        queue.task_done()


@anyqueue
def test_a_queue_that_is_shut_down_gives_what_it_has(make: type[Queue[Any]]) -> None:
    async def main() -> None:
        queue = make(2)
        await queue.put(1)
        await queue.put(2)
        putter = create_task(queue.put(3))
        await sleep(0)
        queue.shutdown()
        with pytest.raises(QueueShutDown, match="was shut down"):
            await putter
        with pytest.raises(QueueShutDown):
            queue.put_nowait(4)
        with pytest.raises(QueueShutDown):
            await queue.put(4)
        assert sorted([item async for item in queue]) == [1, 2]
        with pytest.raises(QueueShutDown):
            await queue.get()
        with pytest.raises(QueueShutDown):
            queue.get_nowait()
        joiner = create_task(queue.join())
        await sleep(0)
        assert not joiner.done()
        queue.task_done()
        queue.task_done()
        await joiner
        queue.shutdown()

    run(main())


@anyqueue
def test_an_immediate_shutdown_throws_away_what_it_has(make: type[Queue[Any]]) -> None:
    async def main() -> None:
        queue = make()
        for item in (1, 2, 3):
            queue.put_nowait(item)
        await queue.get()
        joiner = create_task(queue.join())
        await sleep(0)
        queue.shutdown(immediate=True)
        with pytest.raises(QueueShutDown):
            queue.get_nowait()
        await sleep(0)
        assert not joiner.done(), "one item was taken and is not done"
        queue.task_done()
        await joiner

    run(main())


@pytest.mark.parametrize("immediate", [False, True])
def test_shutdown_tells_getters_that_wait(immediate: bool) -> None:
    async def main() -> None:
        queue = Queue[int]()
        getters = [create_task(queue.get()) for _ in range(2)]
        await sleep(0)
        queue.shutdown(immediate)
        for getter in getters:
            with pytest.raises(QueueShutDown):
                await getter

    run(main())


class Picky:
    """Can, when it is picky, be compared with its own kind only."""

    picky = False

    def __init__(self, number: int, kind: str) -> None:
        self.number = number
        self.kind = kind

    def __lt__(self, other: "Picky") -> bool:
        if self.picky and self.kind != other.kind:
            raise TypeError("two kinds")
        return self.number < other.number


def test_an_item_that_cannot_be_compared_is_its_putters_error() -> None:
    async def main() -> None:
        queue: PriorityQueue[Any] = PriorityQueue(2)
        queue.put_nowait(1)
        queue.put_nowait(2)
        putter = create_task(queue.put("three"))
        next_putter = create_task(queue.put(4))
        await sleep(0)
        assert await queue.get() == 1
        with pytest.raises(TypeError):
            await putter
        assert next_putter.done()
        assert [queue.get_nowait() for _ in range(queue.qsize())] == [2, 4]

    run(main())


def test_an_item_that_cannot_be_compared_is_not_put() -> None:
    queue: PriorityQueue[Any] = PriorityQueue()

    async def main() -> list[object]:
        for item in (4, 2, 3, 1, "five"):
            queue.put_nowait((item, None))
        return []

    with pytest.raises(TypeError):
        run(main())
    assert [queue.get_nowait() for _ in range(queue.qsize())] == [(n, None) for n in (1, 2, 3, 4)]


def test_a_get_that_finds_two_that_cannot_be_compared_has_taken_nothing() -> None:
    """They may lie beside each other, below one that can be compared with both."""
    refused = 0
    for seed in range(200):
        chance = Random(seed)
        items = [Picky(number, chance.choice("aaaaaab")) for number in range(chance.randrange(20))]
        queue: PriorityQueue[Picky] = PriorityQueue()
        Picky.picky = False
        for item in chance.sample(items, len(items)):
            queue.put_nowait(item)
        heap = cast("list[Picky]", queue._items)
        before = list(heap)
        Picky.picky = True
        try:
            items.remove(queue.get_nowait())
        except TypeError:
            refused += 1
            assert all(a is b for a, b in zip(heap, before, strict=True))
        except QueueEmpty:
            pass
        Picky.picky = False
        assert [queue.get_nowait() for _ in range(queue.qsize())] == items
    assert refused > 50


def test_an_item_that_can_be_compared_with_some_only_is_not_put() -> None:
    queue: PriorityQueue[Any] = PriorityQueue()
    kept = [(1, "a"), (3, "c"), (2, "b"), (4, "d")]
    for item in kept:
        queue.put_nowait(item)
    # Smaller than its parent in the heap, (3, "c"), and then it cannot be compared any more.
    with pytest.raises(TypeError):
        queue.put_nowait((1, None))
    assert [queue.get_nowait() for _ in range(queue.qsize())] == sorted(kept)


@anyqueue
def test_another_thread_is_refused_and_puts_nothing(make: type[Queue[Any]]) -> None:
    queue = make()
    queue.put_nowait(1)  # before any task uses it, every thread may
    errors: list[Exception] = []

    def intrude() -> None:
        for use in (lambda: queue.put_nowait(2), queue.get_nowait, queue.task_done, queue.shutdown):
            try:
                use()
            except WrongThreadError as error:
                errors.append(error)

    async def main() -> None:
        await queue.put(3)
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        assert queue.qsize() == 2

    run(main())
    assert len(errors) == 4


def test_many_producers_and_consumers_share_the_work() -> None:
    async def main() -> None:
        queue = Queue[int](3)
        got: list[int] = []

        async def produce(start: int) -> None:
            for item in range(start, start + 50):
                await queue.put(item)

        async def consume() -> None:
            async for item in queue:
                got.append(item)
                await sleep(0)

        async with TaskGroup() as consumers:
            for _ in range(4):
                consumers.start_soon(consume())
            async with TaskGroup() as producers:
                for start in (0, 50, 100):
                    producers.start_soon(produce(start))
            queue.shutdown()
        assert sorted(got) == list(range(150))

    run(main())


@pytest.mark.parametrize("error", [QueueFull, QueueEmpty, QueueShutDown, WouldBlockError])
def test_errors_pickle(error: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(error("told")))
    assert (type(copy), str(copy)) == (error, "told")
