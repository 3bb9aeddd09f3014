"""Virtual time: it passes when a program waits, and real things are served before it jumps."""

import math
import os
import socket
import threading
import time
from collections.abc import Callable

import pytest

from tulip_poll import EventLoop
from tulip_sched import (
    Event,
    Gen,
    Portal,
    block_r,
    call_from_thread,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    fail_after,
    move_on_after,
    par,
    run,
    sleep,
)
from tulip_sched.testing import LeakError, VirtualClock, virtual_time


def test_a_year_takes_no_time() -> None:
    began = time.monotonic()
    with virtual_time() as context:
        run(sleep(365 * 86400))
        assert context.eventloop.time() == 365 * 86400
    assert time.monotonic() - began < 5


def test_deadlines_are_met_exactly_and_in_order() -> None:
    seen: list[tuple[float, float]] = []
    clock = VirtualClock(1000.1)

    async def nap(seconds: float) -> None:
        when = clock() + seconds
        await sleep(seconds)
        seen.append((when, clock()))

    with virtual_time(clock) as context:
        run(par(*(nap(0.1 * number) for number in range(50))))
        rounds = context.eventloop.stats().rounds
    assert [when for when, _ in seen] == sorted(when for when, _ in seen)
    assert all(when == now for when, now in seen)
    assert rounds < 60, "a deadline missed by rounding costs a round"


def test_a_timeout_and_a_sleep_race_as_in_real_time() -> None:
    async def main() -> None:
        with move_on_after(3) as scope:
            await sleep(5)
        assert scope.cancelled_caught
        with fail_after(3):
            await sleep(2)

    with virtual_time() as context:
        run(main())
        assert context.eventloop.time() == 5


def test_a_clock_that_is_advanced_makes_timers_due() -> None:
    clock = VirtualClock()

    async def main() -> None:
        with move_on_after(10) as scope:
            clock.advance(11)
            await Event().wait()
        assert scope.cancelled_caught

    with virtual_time(clock):
        run(main())
    assert clock.now == 11


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan])
def test_a_clock_goes_forward_only(seconds: float) -> None:
    clock = VirtualClock()
    with pytest.raises(ValueError, match="advance"):
        clock.advance(seconds)
    assert clock.now == 0


def test_a_ready_descriptor_comes_before_any_jump() -> None:
    left, right = socket.socketpair()

    @coroutine
    def main() -> Gen[None]:
        right.send(b"x")
        with fail_after(1):
            yield from block_r(left)

    with left, right, virtual_time() as context:
        run(main())
        assert context.eventloop.time() == 0


def test_time_stands_still_while_a_thread_is_at_work() -> None:
    async def main() -> float:
        with fail_after(0.01):
            await call_in_thread(time.sleep, 0.05)
        return current_context().eventloop.time()

    with virtual_time():
        assert run(main()) == 0


def test_time_passes_while_a_thread_waits_for_a_task_that_waits() -> None:
    """Neither would ever end: the task waits for time, and the thread for the task."""

    def nap_in_the_loop() -> float:
        call_from_thread(sleep, 5)
        return call_from_thread(now)

    async def now() -> float:
        return current_context().eventloop.time()

    async def main() -> list[float]:
        times = [await call_in_thread(nap_in_the_loop)]
        done = Event()
        with Portal() as portal:
            thread = threading.Thread(target=portal.call, args=(nap_and_set, done))
            thread.start()
            await done.wait()
        thread.join()
        return [*times, await now()]

    async def nap_and_set(done: Event) -> None:
        await sleep(3)
        done.set()

    with virtual_time():
        assert run(main()) == [5, 8]


def test_time_stands_still_for_a_thread_beside_one_that_waits_for_a_task() -> None:
    release = threading.Event()

    async def main() -> float:
        waits = create_task(call_in_thread(call_from_thread, sleep, 5))
        works = create_task(call_in_thread(release.wait, 30))
        await call_in_thread(time.sleep, 0.05)
        assert current_context().eventloop.time() == 0
        release.set()
        await works
        await waits
        return current_context().eventloop.time()

    with virtual_time():
        assert run(main()) == 5


def test_patience_waits_for_an_answer_from_elsewhere() -> None:
    reader, writer = os.pipe()

    async def main() -> None:
        with fail_after(1):
            await block_r(reader)

    timer = threading.Timer(0.05, os.write, (writer, b"x"))
    timer.start()
    try:
        with virtual_time(patience=5):
            run(main())
        timer.join()
        with virtual_time(patience=0.001):
            os.read(reader, 1)
            with pytest.raises(TimeoutError):
                run(main())
    finally:
        os.close(reader)
        os.close(writer)


def test_a_wait_without_end_is_real() -> None:
    reader, writer = os.pipe()
    timer = threading.Timer(0.05, os.write, (writer, b"x"))
    timer.start()
    try:
        with virtual_time():
            run(block_r(reader))
    finally:
        timer.join()
        os.close(reader)
        os.close(writer)


def test_other_threads_keep_their_own_context() -> None:
    seen: list[object] = []
    with virtual_time() as context:
        thread = threading.Thread(target=lambda: seen.append(current_context()))
        thread.start()
        thread.join()
        assert current_context() is context
    assert seen != [context]
    assert current_context() is not context


def test_blocks_nest_and_end_in_order() -> None:
    with virtual_time() as outer:
        with virtual_time() as inner:
            assert current_context() is inner
        assert current_context() is outer


async def _forever() -> None:
    await Event().wait()


def leave_a_task() -> object:
    return create_task(_forever(), "forgotten")


def leave_a_timer() -> object:
    return current_context().eventloop.call_later(9, print)


def leave_a_callback() -> object:
    return current_context().eventloop.call_soon(print)


def leave_a_failure() -> object:
    async def fail() -> None:
        raise ValueError("planted")

    task = create_task(fail())
    current_context().eventloop.run()
    return task


@pytest.mark.parametrize(
    "leave,told",
    [
        (leave_a_task, "'forgotten'"),
        (leave_a_timer, "TimerHandle.*print"),
        (leave_a_callback, "Handle.*print"),
        (leave_a_failure, "nobody asked for.*planted"),
    ],
)
def test_what_is_left_behind_is_an_error(leave: Callable[[], object], told: str) -> None:
    with pytest.raises(LeakError, match=told), virtual_time() as context:
        kept = leave()
    assert kept is not context
    for task in list(context.tasks):
        task._coro.close()


def test_a_block_that_fails_says_so_and_not_what_it_left_behind() -> None:
    def fail() -> None:
        leave_a_timer()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), virtual_time():
        fail()


def test_a_registration_kept_for_the_next_wait_is_no_leak() -> None:
    left, right = socket.socketpair()
    with left, right, virtual_time():
        right.send(b"x")
        run(block_r(left))


def test_the_loop_of_a_block_is_closed_at_its_end() -> None:
    with virtual_time() as context:
        loop: EventLoop = context.eventloop
    assert not loop.close()
    assert "closed" in repr(loop)


def test_tasks_that_wait_for_each_other_do_so_in_no_time() -> None:
    async def main() -> None:
        event = Event()

        async def setter() -> None:
            await sleep(100)
            event.set()

        await par(setter(), event.wait())

    with virtual_time() as context:
        run(main())
        assert context.eventloop.time() == 100
