"""Lock, RLock and Condition: owners, nesting, notifications."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tulip_sched import (
    Condition,
    Gen,
    Lock,
    RLock,
    TaskGroup,
    WouldBlockError,
    WrongThreadError,
    create_task,
    current_context,
    move_on_after,
    run,
    sleep,
)
from tulip_sched.testing import virtual_time

LOCKS: list[Callable[[], Lock | RLock]] = [Lock, RLock]
anylock = pytest.mark.parametrize("make", LOCKS)
LIKE_LOCKS: list[Callable[[], Lock | RLock | Condition]] = [Lock, RLock, Condition]


@pytest.mark.parametrize("make", LIKE_LOCKS)
def test_a_free_lock_is_taken_without_a_round_of_the_loop(
    make: Callable[[], Lock | RLock | Condition],
) -> None:
    lock = make()

    def main() -> Gen[None]:
        loop = current_context().eventloop
        rounds = loop.stats().rounds
        yield from lock.acquire()
        assert lock.locked()
        lock.release()
        with (yield from lock.holding()):
            assert lock.locked()
        yield from in_async_def()
        lock.acquire_nowait()
        lock.release()
        assert not lock.locked()
        assert loop.stats().rounds == rounds

    def in_async_def() -> Any:
        async def body() -> None:
            async with lock:
                assert lock.locked()

        return body().__await__()

    with virtual_time():
        run(main())


@pytest.mark.parametrize("make", LIKE_LOCKS)
def test_an_acquire_that_is_never_driven_takes_nothing(
    make: Callable[[], Lock | RLock | Condition],
) -> None:
    async def main() -> None:
        lock = make()
        _unused = lock.acquire(), lock.holding()
        assert not lock.locked()
        lock.acquire_nowait()
        lock.release()

    run(main())


@anylock
def test_a_lock_goes_to_the_next_in_line_and_not_to_the_quickest(
    make: Callable[[], Lock | RLock],
) -> None:
    order: list[str] = []

    async def main() -> None:
        lock = make()

        async def waiter() -> None:
            async with lock:
                order.append("waiter")

        await lock.acquire()
        task = create_task(waiter())
        await sleep(0)
        lock.release()
        with pytest.raises(WouldBlockError, match="is not free"):
            lock.acquire_nowait()
        async with lock:
            order.append("quickest")
        await task

    run(main())
    assert order == ["waiter", "quickest"]


@anylock
def test_only_the_owner_may_release(make: Callable[[], Lock | RLock]) -> None:
    async def main() -> None:
        lock = make()
        with pytest.raises(RuntimeError, match=r"free> was released by task 'main', which does"):
            lock.release()

        async def thief() -> None:
            with pytest.raises(RuntimeError, match=r"held by task 'main'.*by task 'thief'"):
                lock.release()

        async with lock:
            await create_task(thief(), "thief")
            loop = current_context().eventloop
            loop.call_soon(lock.release)
            errors: list[Exception] = []
            loop.exception_handler = lambda error, _: errors.append(error)
            await sleep(0)
            loop.exception_handler = None
            assert "code outside of any task" in str(errors[0])
            assert lock.locked()

    run(main())


@anylock
def test_only_a_task_can_own_a_lock(make: Callable[[], Lock | RLock]) -> None:
    with pytest.raises(RuntimeError, match="no tulip task is running"):
        make().acquire_nowait()
    with pytest.raises(RuntimeError, match="no tulip task is running"):
        next(iter(make().acquire()))


@anylock
def test_a_lock_whose_owner_is_gone_says_so(make: Callable[[], Lock | RLock]) -> None:
    async def main() -> None:
        lock = make()
        await create_task(lock.acquire(), "careless")
        with pytest.raises(RuntimeError, match=r"'careless'.*is lost"):
            await lock.acquire()

    run(main())


def test_a_lock_refuses_its_owner_and_names_it() -> None:
    async def main() -> None:
        lock = Lock()
        async with lock:
            with pytest.raises(RuntimeError, match="'main' would wait for itself"):
                await lock.acquire()
            with pytest.raises(RuntimeError, match="'main' would wait for itself"):
                lock.acquire_nowait()
        assert not lock.locked()

    run(main())


def test_an_rlock_is_free_when_released_as_often_as_acquired() -> None:
    order: list[str] = []

    async def main() -> None:
        lock = RLock()

        async def waiter() -> None:
            async with lock:
                order.append("waiter")

        async with lock:
            task = create_task(waiter())
            await sleep(0)
            async with lock:
                lock.acquire_nowait()
                lock.release()
                await sleep(0)
            await sleep(0)
            order.append("main")
        await task

    run(main())
    assert order == ["main", "waiter"]


@anylock
def test_a_lock_held_in_another_thread_cannot_be_waited_for(
    make: Callable[[], Lock | RLock],
) -> None:
    lock = make()
    errors: list[Exception] = []

    async def contend() -> None:
        try:
            await lock.acquire()
        except WrongThreadError as error:
            errors.append(error)

    async def main() -> None:
        async with lock:
            thread = threading.Thread(target=lambda: run(contend()))
            thread.start()
            thread.join()

    run(main())
    assert len(errors) == 1
    assert not lock.locked()


def test_a_lock_may_outlive_a_run() -> None:
    lock = Lock()

    async def main() -> None:
        async def work() -> None:
            async with lock:
                await sleep(0)

        async with TaskGroup() as group:
            group.start_soon(work())
            group.start_soon(work())

    run(main())
    run(main())
    with virtual_time():
        run(main())


def test_a_condition_notifies_as_many_as_asked_for_in_order() -> None:
    woken: list[int] = []

    async def main() -> None:
        condition = Condition()

        async def waiter(number: int) -> None:
            async with condition:
                assert await condition.wait()
                woken.append(number)

        async with TaskGroup() as group:
            for number in range(6):
                group.start_soon(waiter(number))
            await sleep(0)
            for count, sofar in ((1, 1), (0, 1), (2, 3), (99, 6)):
                async with condition:
                    before = len(woken)
                    condition.notify(count)
                    await sleep(1)
                    assert len(woken) == before, "a notified task has to wait for the lock"
                await sleep(1)
                assert woken == list(range(sofar))

    with virtual_time():
        run(main())


def test_a_condition_needs_its_lock() -> None:
    async def main() -> None:
        condition = Condition()
        for use in (condition.notify, condition.notify_all):
            with pytest.raises(RuntimeError, match="notified without its lock"):
                use()
        with pytest.raises(RuntimeError, match="waited on without its lock"):
            await condition.wait()
        with pytest.raises(RuntimeError, match="waited on without its lock"):
            await condition.wait_for(lambda: True)
        async with condition:
            with pytest.raises(ValueError, match="-1"):
                condition.notify(-1)

    run(main())


def test_waiting_releases_an_rlock_fully_and_restores_it() -> None:
    async def main() -> None:
        lock = RLock()
        condition = Condition(lock)

        async def waiter() -> None:
            async with lock, lock, condition:
                await condition.wait()
                assert lock._count == 3
            assert lock._owner is not waiting

        waiting = create_task(waiter())
        await sleep(0)
        assert not lock.locked()
        async with condition:
            condition.notify()
        await waiting
        assert not lock.locked()

    run(main())


@pytest.mark.parametrize("depth", [1, 3])
def test_a_cancelled_wait_holds_the_lock_again_before_it_raises(depth: int) -> None:
    async def main() -> None:
        lock = RLock()
        condition = Condition(lock)
        seen: list[int] = []

        async def waiter() -> None:
            for _ in range(depth):
                await lock.acquire()
            try:
                with move_on_after(1) as scope:
                    await condition.wait()
                assert scope.cancelled_caught
                seen.append(lock._count)
            finally:
                for _ in range(depth):
                    lock.release()

        task = create_task(waiter())
        await sleep(0)
        async with lock:
            await sleep(2)
            assert not seen, "it left without the lock"
        await task
        assert seen == [depth]
        assert not lock.locked()

    with virtual_time():
        run(main())


def test_a_notification_is_not_lost_to_a_cancellation() -> None:
    """The task that was notified goes on, and the one behind it is not woken in its place."""

    async def main() -> None:
        condition = Condition()
        went_on: list[str] = []

        async def waiter(name: str) -> None:
            async with condition:
                await condition.wait()
                went_on.append(name)

        tasks = [create_task(waiter(name)) for name in ("first", "second")]
        await sleep(0)
        async with condition:
            condition.notify()
            tasks[0].cancel()
            await sleep(0)
            assert went_on == []
        await tasks[0].wait()
        assert went_on == ["first"]
        assert not tasks[0].cancelled(), "it had what it waited for, and waited for nothing more"
        tasks[1].cancel()
        await tasks[1].wait()
        assert not condition.locked()

    run(main())


def test_conditions_may_share_a_lock() -> None:
    async def main() -> None:
        lock = Lock()
        full, empty = Condition(lock), Condition(lock)
        box: list[int] = []

        async def produce() -> None:
            for number in range(5):
                async with empty:
                    await empty.wait_for(lambda: not box)
                    box.append(number)
                    full.notify()

        async def consume() -> list[int]:
            got = []
            for _ in range(5):
                async with full:
                    got.append((await full.wait_for(lambda: box)).pop())
                    empty.notify()
            return got

        consumer = create_task(consume())
        await produce()
        assert await consumer == [0, 1, 2, 3, 4]

    run(main())
