"""Event, Semaphore, BoundedSemaphore and Barrier."""

import threading
from collections.abc import Callable

import pytest

from tulip_sched import (
    Barrier,
    BoundedSemaphore,
    BrokenBarrierError,
    Event,
    Gen,
    Semaphore,
    TaskGroup,
    WouldBlockError,
    WrongThreadError,
    create_task,
    current_context,
    par,
    run,
    sleep,
)
from tulip_sched.testing import virtual_time

SEMAPHORES: list[type[Semaphore]] = [Semaphore, BoundedSemaphore]
anysemaphore = pytest.mark.parametrize("make", SEMAPHORES)


def test_a_set_event_is_passed_without_a_round_of_the_loop() -> None:
    async def main() -> None:
        event = Event()
        event.set()
        rounds = current_context().eventloop.stats().rounds
        assert await event.wait() is True
        assert current_context().eventloop.stats().rounds == rounds
        assert event.is_set()
        event.clear()
        assert not event.is_set()

    run(main())


def test_those_that_waited_are_woken_even_if_the_event_is_cleared_at_once() -> None:
    order: list[int] = []

    async def main() -> None:
        event = Event()

        async def waiter(number: int) -> None:
            await event.wait()
            order.append(number)

        async with TaskGroup() as group:
            for number in range(3):
                group.start_soon(waiter(number))
            await sleep(0)
            event.set()
            event.clear()

    run(main())
    assert order == [0, 1, 2]


@anysemaphore
def test_permits_are_taken_without_a_round_of_the_loop(make: type[Semaphore]) -> None:
    semaphore = make(2)

    def main() -> Gen[None]:
        rounds = current_context().eventloop.stats().rounds
        with (yield from semaphore.holding()):
            assert semaphore.value == 1
            yield from semaphore.acquire()
            assert semaphore.locked()
            with pytest.raises(WouldBlockError, match="value 0"):
                semaphore.acquire_nowait()
            semaphore.release()
        semaphore.acquire_nowait()
        semaphore.release()
        _unused = semaphore.acquire()
        assert semaphore.value == 2
        assert current_context().eventloop.stats().rounds == rounds

    run(main())


@anysemaphore
def test_a_permit_goes_to_the_next_in_line_and_not_to_the_quickest(make: type[Semaphore]) -> None:
    order: list[str] = []

    async def main() -> None:
        semaphore = make(1)

        async def waiter() -> None:
            async with semaphore:
                order.append("waiter")

        await semaphore.acquire()
        task = create_task(waiter())
        await sleep(0)
        semaphore.release()
        async with semaphore:
            order.append("quickest")
        await task
        assert semaphore.value == 1

    run(main())
    assert order == ["waiter", "quickest"]


@anysemaphore
def test_a_semaphore_starts_with_no_less_than_nothing(make: type[Semaphore]) -> None:
    with pytest.raises(ValueError, match="at least 0, got -1"):
        make(-1)


def test_only_a_bounded_semaphore_notices_a_release_too_many() -> None:
    semaphore = Semaphore(1)
    semaphore.release()
    assert semaphore.value == 2
    bounded = BoundedSemaphore(1)
    with pytest.raises(ValueError, match=r"value 1.*more often than it was acquired"):
        bounded.release()
    assert bounded.value == 1


def test_any_task_may_release_a_semaphore() -> None:
    async def main() -> None:
        semaphore = BoundedSemaphore(1)

        async def releaser() -> None:
            semaphore.release()

        await semaphore.acquire()
        await create_task(releaser())
        assert semaphore.value == 1

    run(main())


def test_a_barrier_gives_each_a_number_and_is_there_for_the_next() -> None:
    async def main() -> None:
        barrier = Barrier(3)

        async def arrive() -> int:
            async with barrier as position:
                return position

        for _ in range(2):
            assert await par(arrive(), arrive(), barrier.wait()) == (0, 1, 2)
            assert barrier.n_waiting == 0

    run(main())


def test_the_last_at_a_barrier_does_not_wait() -> None:
    async def main() -> None:
        rounds = current_context().eventloop.stats().rounds
        assert await Barrier(1).wait() == 0
        assert current_context().eventloop.stats().rounds == rounds

    run(main())


@pytest.mark.parametrize("break_it", ["reset", "abort"])
def test_a_barrier_that_breaks_tells_those_that_wait(break_it: str) -> None:
    async def main() -> None:
        barrier = Barrier(3)
        tasks = [create_task(barrier.wait()) for _ in range(2)]
        await sleep(0)
        assert barrier.n_waiting == 2
        getattr(barrier, break_it)()
        for task in tasks:
            with pytest.raises(BrokenBarrierError, match=break_it):
                await task
        assert barrier.broken == (break_it == "abort")
        if barrier.broken:
            with pytest.raises(BrokenBarrierError, match="aborted"):
                await barrier.wait()
            barrier.reset()
        assert sorted(await par(*(barrier.wait() for _ in range(3)))) == [0, 1, 2]

    run(main())


def test_a_barrier_is_for_somebody() -> None:
    with pytest.raises(ValueError, match="at least 1 task, got 0"):
        Barrier(0)


def bound_event() -> Callable[[], object]:
    event = Event()
    event.set()
    return event.set


def bound_semaphore() -> Callable[[], object]:
    semaphore = Semaphore()
    semaphore.release()
    return semaphore.release


def bound_barrier() -> Callable[[], object]:
    barrier = Barrier(2)
    barrier.reset()
    return barrier.abort


@pytest.mark.parametrize("bind", [bound_event, bound_semaphore, bound_barrier])
def test_another_thread_is_refused(bind: Callable[[], Callable[[], object]]) -> None:
    errors: list[Exception] = []

    def intrude(use: Callable[[], object]) -> None:
        try:
            use()
        except WrongThreadError as error:
            errors.append(error)

    async def main() -> None:
        use = bind()
        thread = threading.Thread(target=intrude, args=(use,), name="intruder")
        thread.start()
        thread.join()

    run(main())
    assert "'intruder'" in str(errors[0])
    assert "call_soon_threadsafe" in str(errors[0])


def test_before_any_task_uses_it_an_event_belongs_to_no_thread() -> None:
    event = Event()
    event.set()
    thread = threading.Thread(target=lambda: run(event.wait()))
    thread.start()
    thread.join()
    with pytest.raises(WrongThreadError):
        event.clear()
    assert event.is_set()


def test_waiting_takes_as_long_as_it_takes_and_no_longer() -> None:
    async def main() -> None:
        event = Event()
        current_context().eventloop.call_later(7, event.set)
        await event.wait()
        assert current_context().eventloop.time() == 7

    with virtual_time():
        run(main())
