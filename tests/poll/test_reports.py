"""What a loop tells of itself: statistics, slow callbacks, and what its parts are called."""

import functools
import logging
import signal
import socket
from collections.abc import Callable

import pytest

from tests.poll.virtual import Clock
from tulip_poll import EventLoop, LoopStats, QueueEntry, SlowCallback

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    """Be a callback."""


HERE = f"{__file__}:{nothing.__code__.co_firstlineno}"


@pytest.fixture
def clock(virtual_loop: EventLoop) -> Clock:
    """The clock of the virtual loop."""
    assert isinstance(virtual_loop._clock, Clock)
    return virtual_loop._clock


def test_statistics_count_what_is_there(any_loop: EventLoop, pair: MakePair) -> None:
    here, there = pair()
    any_loop.add_reader(here, nothing)
    any_loop.add_writer(there, nothing)
    any_loop.call_later(60, nothing)
    any_loop.call_later(60, nothing).cancel()
    any_loop.call_soon(nothing)
    any_loop.hold()
    expected = LoopStats(
        rounds=0, callbacks=0, readers=1, writers=1, parked=0, timers=1, queued=1, held=1, signals=0
    )
    assert any_loop.stats() == expected
    any_loop.run_once()
    assert any_loop.stats().rounds == 1
    assert any_loop.stats().callbacks == 2
    assert any_loop.stats().queued == 0
    any_loop.add_signal_handler(signal.SIGUSR1, nothing)
    assert any_loop.stats().signals == 1
    any_loop.remove_signal_handler(signal.SIGUSR1)
    assert any_loop.stats().signals == 0


def test_a_slow_callback_is_reported_with_its_source_line(
    virtual_loop: EventLoop, clock: Clock
) -> None:
    reports: list[SlowCallback] = []

    def slow(seconds: float) -> None:
        clock.now += seconds

    virtual_loop.report_slow_callbacks(0.1, reports.append)
    virtual_loop.call_soon(slow, 0.05)
    virtual_loop.call_soon(slow, 0.5)
    virtual_loop.call_soon(nothing)
    virtual_loop.run()
    line = slow.__code__.co_firstlineno
    [report] = reports
    assert report.source.endswith(f"slow at {__file__}:{line}")
    assert report.seconds == pytest.approx(0.5)


def test_slow_callbacks_are_logged_by_default(
    virtual_loop: EventLoop, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def slow() -> None:
        clock.now += 2

    virtual_loop.report_slow_callbacks(1)
    virtual_loop.call_soon(slow)
    with caplog.at_level(logging.WARNING, "tulip_poll"):
        virtual_loop.run()
    assert f"{__file__}:{slow.__code__.co_firstlineno} took 2.000 s" in caplog.text
    virtual_loop.report_slow_callbacks(None)
    caplog.clear()
    virtual_loop.call_soon(slow)
    virtual_loop.run()
    assert caplog.text == ""


def test_a_slow_callback_that_raises_or_cancels_itself_is_reported_too(
    virtual_loop: EventLoop, clock: Clock
) -> None:
    reports: list[SlowCallback] = []
    errors: list[QueueEntry] = []

    def slow() -> None:
        clock.now += 1
        handle.cancel()
        raise LookupError

    virtual_loop.report_slow_callbacks(0.1, reports.append)
    virtual_loop.exception_handler = lambda _, failed: errors.append(failed)
    handle = virtual_loop.call_soon(slow)
    virtual_loop.run()
    assert errors == [handle]
    assert "slow at" in reports[0].source


class Speaker:
    """Has a method for a callback."""

    def method(self) -> None:
        """Be a callback."""

    def callback_source(self) -> str:
        """Tell where the callback really is."""
        return "the coroutine at elsewhere.py:7"


class Messenger:
    """Has a callback that passes the event on, once."""

    def __init__(self, receiver: Callable[[], object] | None) -> None:
        self.receiver = receiver

    def deliver(self) -> None:
        """Be a callback."""
        if self.receiver is not None:
            self.receiver()
            self.receiver = None

    def callback_behind(self, callback: Callable[[], object]) -> Callable[[], object] | None:
        """Tell whom it calls."""
        assert callback == self.deliver
        return self.receiver


def test_the_report_names_what_the_callback_passed_the_event_on_to(
    virtual_loop: EventLoop, clock: Clock
) -> None:
    def slow() -> None:
        clock.now += 1

    reports: list[SlowCallback] = []
    virtual_loop.report_slow_callbacks(0.1, reports.append)
    virtual_loop.call_soon(Messenger(slow).deliver)
    virtual_loop.call_soon(Messenger(None).deliver)
    virtual_loop.run()
    (report,) = reports
    assert "slow at" in report.source


class Mute:
    """Has a method for a callback, too."""

    def method(self) -> None:
        """Be a callback."""


@functools.wraps(nothing)
def wrapped() -> None:
    """Be a callback that stands for another."""


@pytest.mark.parametrize(
    "callback,source",
    [
        (nothing, f"nothing at {HERE}"),
        (wrapped, f"nothing at {HERE}"),
        (functools.partial(functools.partial(nothing)), f"nothing at {HERE}"),
        (Speaker().method, "the coroutine at elsewhere.py:7"),
        (Mute().method, f"Mute.method at {__file__}:{Mute.method.__code__.co_firstlineno}"),
        (len, "<built-in function len>"),
    ],
    ids=["function", "wrapped", "partial", "speaker", "method", "builtin"],
)
def test_a_handle_says_where_its_callback_is(
    loop: EventLoop, callback: Callable[[], object], source: str
) -> None:
    handle = loop.call_soon(callback)
    timer = loop.call_later(1, callback)
    assert repr(handle) == f"<Handle {source}>"
    assert repr(timer) == f"<TimerHandle {source}>"
    handle.cancel()
    assert repr(handle) == "<Handle cancelled>"


def test_a_descriptors_handle_says_which(any_loop: EventLoop, pair: MakePair) -> None:
    here, _ = pair()
    handle = any_loop.add_reader(here, nothing)
    assert f"descriptor {here.fileno()}, nothing at {HERE}" in repr(handle)


def test_a_loop_says_what_it_is_doing(loop: EventLoop) -> None:
    seen: list[str] = []
    loop.call_soon(lambda: seen.append(repr(loop)))
    loop.run()
    loop.close()
    assert seen[0].startswith("<EventLoop running, ")
    assert repr(loop).startswith("<EventLoop closed, ")
