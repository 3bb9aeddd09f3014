"""Callbacks later: order, cancellation, and what a storm of timeouts costs. No test waits."""

import time
import tracemalloc
from itertools import pairwise
from random import Random

import pytest

from tests.poll.virtual import Clock, ScriptedPollster
from tulip_poll import EventLoop, TimerHandle
from tulip_poll._timers import FEW, TimerQueue
from tulip_poll._typing import override


def nothing() -> None:
    """Be a callback."""


@pytest.fixture
def clock(virtual_loop: EventLoop) -> Clock:
    """The clock of the virtual loop."""
    assert isinstance(virtual_loop._clock, Clock)
    return virtual_loop._clock


@pytest.fixture
def scripted(virtual_loop: EventLoop) -> ScriptedPollster:
    """The pollster of the virtual loop."""
    assert isinstance(virtual_loop._pollster, ScriptedPollster)
    return virtual_loop._pollster


def test_timers_fire_in_the_order_of_their_deadlines(virtual_loop: EventLoop, clock: Clock) -> None:
    fired: list[tuple[str, float]] = []
    began = clock.now

    def note(name: str) -> None:
        fired.append((name, clock.now - began))

    for name, delay in [("c", 3.0), ("a", 1.0), ("d", 4.5), ("b", 2.0)]:
        virtual_loop.call_later(delay, note, name)
    virtual_loop.run()
    assert fired == [("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.5)]


def test_equal_deadlines_fire_in_the_order_they_were_set(virtual_loop: EventLoop) -> None:
    fired: list[int] = []
    when = virtual_loop.time() + 1
    for number in range(100):
        virtual_loop.call_at(when, fired.append, number)
    virtual_loop.run()
    assert fired == list(range(100))


def test_equal_deadlines_stay_in_order_when_others_are_cancelled(virtual_loop: EventLoop) -> None:
    fired: list[int] = []
    when = virtual_loop.time() + 1
    handles = [virtual_loop.call_at(when, fired.append, number) for number in range(5 * FEW)]
    for number, handle in enumerate(handles):
        if number % 5:
            handle.cancel()
    virtual_loop.call_at(when, fired.append, 5 * FEW)
    virtual_loop.run()
    assert fired == list(range(0, 5 * FEW + 1, 5))


def test_a_deadline_in_the_past_fires_in_the_next_round(
    virtual_loop: EventLoop, clock: Clock
) -> None:
    fired: list[str] = []
    before = clock.now
    virtual_loop.call_later(-5, fired.append, "late")
    virtual_loop.call_later(0, fired.append, "now")
    virtual_loop.run_once()
    assert fired == ["late", "now"]
    assert clock.now == before


def test_a_cancelled_timer_does_not_fire_and_is_not_waited_for(
    virtual_loop: EventLoop, clock: Clock
) -> None:
    before = clock.now
    handle = virtual_loop.call_later(60, pytest.fail, "it was cancelled")
    handle.cancel()
    handle.cancel()
    assert handle.cancelled
    virtual_loop.run()
    assert clock.now == before


def test_a_timer_cancelled_by_one_due_at_the_same_time_does_not_fire(
    virtual_loop: EventLoop,
) -> None:
    when = virtual_loop.time() + 1
    second: TimerHandle
    virtual_loop.call_at(when, lambda: second.cancel())
    second = virtual_loop.call_at(when, pytest.fail, "it was cancelled")
    virtual_loop.run()


def test_a_timer_cancelled_behind_an_earlier_one_does_not_fire(virtual_loop: EventLoop) -> None:
    fired: list[str] = []
    when = virtual_loop.time() + 1
    virtual_loop.call_at(when, fired.append, "first")
    virtual_loop.call_at(when, pytest.fail, "it was cancelled").cancel()
    virtual_loop.call_at(when, fired.append, "last")
    virtual_loop.run()
    assert fired == ["first", "last"]
    assert len(virtual_loop._timers) == 0


def test_cancelling_a_timer_after_it_fired_does_nothing(virtual_loop: EventLoop) -> None:
    fired: list[str] = []
    handle = virtual_loop.call_later(1, fired.append, "x")
    virtual_loop.run()
    handle.cancel()
    assert fired == ["x"]
    assert len(virtual_loop._timers) == 0


def test_a_timer_that_sets_itself_again_starves_nothing(
    virtual_loop: EventLoop, scripted: ScriptedPollster, clock: Clock
) -> None:
    """Due timers are collected before they run, so this one waits for its next round."""
    order: list[str] = []

    def again() -> None:
        order.append("timer")
        if len(order) < 20:
            virtual_loop.call_later(0, again)

    virtual_loop.add_reader(7, order.append, "input")
    virtual_loop.call_later(0, again)
    scripted.script.extend([{7}] * 3)
    for _ in range(3):
        virtual_loop.run_once()
    virtual_loop.remove_reader(7)
    virtual_loop.run()
    assert order[:6] == ["input", "timer"] * 3


def test_a_poll_waits_until_the_next_deadline_and_not_at_all_for_the_queue(
    virtual_loop: EventLoop, scripted: ScriptedPollster
) -> None:
    virtual_loop.call_later(0.25, nothing)
    virtual_loop.call_soon(nothing)
    virtual_loop.run_once()
    virtual_loop.run_once(0.125)
    virtual_loop.run_once()
    assert scripted.timeouts == [0, 0.125, 0.125]


def test_a_long_deadline_is_waited_for_in_parts(virtual_loop: EventLoop) -> None:
    """A pollster may return early: what counts is the clock."""
    fired: list[float] = []
    begin = virtual_loop.time()
    virtual_loop.call_later(1e6, lambda: fired.append(virtual_loop.time() - begin))
    virtual_loop.run_once(1e5)
    assert fired == []
    virtual_loop.run()
    assert fired == [1e6]


def test_a_deadline_must_be_a_number(virtual_loop: EventLoop) -> None:
    for setting in (virtual_loop.call_at, virtual_loop.call_later):
        with pytest.raises(ValueError, match="deadline must be a number of seconds, got nan"):
            setting(float("nan"), nothing)
    with pytest.raises(TypeError):
        virtual_loop.call_later("soon", nothing)  # type: ignore[arg-type]
    assert virtual_loop.next_deadline() is None


def test_infinity_is_never(virtual_loop: EventLoop, scripted: ScriptedPollster) -> None:
    handle = virtual_loop.call_later(float("inf"), pytest.fail, "it is never")
    virtual_loop.call_later(1, handle.cancel)
    virtual_loop.run()
    assert scripted.timeouts == [1.0]


def test_the_default_clock_does_not_follow_the_time_of_day(
    monkeypatch: pytest.MonkeyPatch, loop: EventLoop
) -> None:
    """The original took time.time(), and a correction of the clock moved every deadline."""
    fired: list[str] = []
    loop.call_later(0.005, fired.append, "x")
    monkeypatch.setattr(time, "time", lambda: 1e12)
    loop.run()
    assert fired == ["x"]
    assert abs(loop.time() - time.monotonic()) < 1


def test_a_short_timer_does_not_spin(any_loop: EventLoop) -> None:
    """Rounding a timeout down to 0 made the original poll until the deadline had passed."""
    any_loop.call_later(0.0004, nothing)
    any_loop.call_later(0.0037, nothing)
    any_loop.run()
    assert any_loop.stats().rounds <= 4


def test_a_storm_of_cancelled_timers_keeps_memory_flat(virtual_loop: EventLoop) -> None:
    """10,000 timeouts that never come to pass, as every request of a client sets one."""
    lasting = virtual_loop.call_later(1000, nothing)
    longest = 0
    for number in range(10_000):
        virtual_loop.call_later(30 + number % 7, nothing).cancel()
        longest = max(longest, len(virtual_loop._timers.heap))
    assert longest <= FEW + 2
    assert len(virtual_loop._timers) == 1
    assert virtual_loop.next_deadline() == lasting.when


def test_a_cancelled_timer_lets_go_of_its_callback_at_once(virtual_loop: EventLoop) -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            virtual_loop.call_later(30, len, bytes(100_000)).cancel()
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()


def test_the_heap_is_rebuilt_when_more_than_half_is_dead() -> None:
    queue = TimerQueue()
    handles = [TimerHandle(number, nothing) for number in range(1000)]
    for handle in handles:
        queue.add(handle)
    for handle in handles[::2]:
        handle.cancel()
    queue.add(TimerHandle(1000, nothing))
    assert len(queue.heap) == 1001
    handles[1].cancel()
    handles[3].cancel()
    queue.add(TimerHandle(1001, nothing))
    assert len(queue.heap) == len(queue) == 500
    fired = queue.clear()
    assert all(earlier.when <= later.when for earlier, later in pairwise(fired))
    assert len(fired) == 500


def test_a_rebuilt_heap_is_in_order(virtual_loop: EventLoop) -> None:
    """A heap is none any more when entries have been left out."""
    fired: list[int] = []
    deadlines = Random(1).sample(range(1000), 300)
    handles = {when: virtual_loop.call_later(when, fired.append, when) for when in deadlines}
    for when in deadlines[:200]:
        handles[when].cancel()
    virtual_loop.call_later(1000, fired.append, 1000)
    assert len(virtual_loop._timers.heap) == 101
    virtual_loop.run()
    assert fired == [*sorted(deadlines[200:]), 1000]


def test_the_time_per_cancelled_timer_does_not_grow() -> None:
    """Measured in work, not in seconds: how often the heap is rebuilt."""
    rebuilt = 0

    class Counting(TimerQueue):
        @override
        def _rebuild(self) -> None:
            nonlocal rebuilt
            rebuilt += len(self.heap)
            super()._rebuild()

    queue = Counting()
    for number in range(1000):
        queue.add(TimerHandle(number, nothing))
    for number in range(20_000):
        timer = TimerHandle(number, nothing)
        queue.add(timer)
        timer.cancel()
    # Each of the 20,000 was looked at a few times at most.
    assert rebuilt < 3 * 20_000


@pytest.mark.parametrize("how", ["call_later", "call_at"])
def test_a_timer_that_is_due_at_once_does_not_wait_for_a_busy_queue(how: str) -> None:
    """Descriptors and timers have their turn after 256 callbacks; such a timer, at once."""
    loop = EventLoop()
    turns: list[None] = []
    seen: list[int] = []

    def again() -> None:
        turns.append(None)
        if len(turns) < 100:
            loop.call_soon(again)

    def set_timer() -> None:
        when = loop.time() if how == "call_at" else 0
        getattr(loop, how)(when, lambda: seen.append(len(turns)))

    loop.call_soon(again)
    loop.call_soon(set_timer)
    loop.run()
    loop.close()
    assert seen == [2]


@pytest.mark.parametrize("callbacks", [256, 257])
def test_a_timer_that_was_due_at_once_makes_no_later_round_poll(callbacks: int) -> None:
    loop = EventLoop()
    loop.call_later(0, nothing)
    loop.run()
    before = loop.stats().rounds
    left = callbacks

    def again() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(again)

    loop.call_soon(again)
    loop.run()
    assert loop.stats().rounds - before == 1 + (callbacks > 256)
    loop.close()


def test_stop_before_run_ends_it_after_one_round_though_the_queue_is_busy() -> None:
    loop = EventLoop()
    turns: list[None] = []

    def again() -> None:
        turns.append(None)
        loop.call_soon(again)

    loop.call_soon(again)
    loop.stop()
    assert not loop.run()
    loop.close()
    assert len(turns) == 1
