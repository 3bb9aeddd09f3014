"""The iteration of the event loop: what runs when, and what keeps it going."""

import contextlib
import gc
import inspect
import os
import signal
import socket
import weakref
from collections.abc import Callable

import pytest

from tests.poll.every_call import OTHERS, every_call
from tests.poll.numbers import Numbers
from tests.poll.virtual import Clock, ScriptedPollster
from tulip_poll import ClosedError, EventLoop, Handle, QueueEntry, default_pollster
from tulip_poll._typing import override

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    """Be a callback."""


class TestQueue:
    """Callbacks soon."""

    def test_callbacks_run_in_order_with_their_arguments(self, loop: EventLoop) -> None:
        calls: list[object] = []
        loop.call_soon(calls.append, 1)
        loop.call_soon(lambda *args: calls.append(args), "a", "b")
        loop.call_soon(lambda: calls.append(3))
        loop.run()
        assert calls == [1, ("a", "b"), 3]

    def test_a_cancelled_callback_does_not_run_and_lets_go(self, loop: EventLoop) -> None:
        class Thing:
            pass

        thing = Thing()
        alive = weakref.ref(thing)
        handle = loop.call_soon(pytest.fail, thing)  # type: ignore[arg-type]
        del thing
        handle.cancel()
        gc.collect()
        assert alive() is None
        assert handle.cancelled
        loop.run()

    def test_a_callback_can_cancel_a_later_one_of_the_same_round(self, loop: EventLoop) -> None:
        later: Handle
        loop.call_soon(lambda: later.cancel())
        later = loop.call_soon(pytest.fail, "it was cancelled")
        loop.run()

    def test_a_handle_of_the_callers_own_can_be_scheduled_again_and_again(
        self, loop: EventLoop
    ) -> None:
        calls: list[int] = []

        def again(step: int) -> None:
            calls.append(len(calls))
            if len(calls) < 5:
                loop.schedule(handle)

        handle = Handle(again, 1)
        loop.schedule(handle)
        loop.run()
        assert calls == [0, 1, 2, 3, 4]

    def test_what_callbacks_add_waits_for_the_next_round(self, loop: EventLoop) -> None:
        calls: list[str] = []

        def first() -> None:
            calls.append("first")
            loop.call_soon(calls.append, "third")

        loop.call_soon(first)
        loop.call_soon(calls.append, "second")
        loop.run_once()
        assert calls == ["first", "second"]
        loop.run_once()
        assert calls == ["first", "second", "third"]


class TestFairness:
    """No callback can starve the others."""

    def test_callbacks_that_schedule_themselves_starve_no_input(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        """`while ready: ready.popleft()()` of the original never polled again here."""
        here, there = pair()
        received: list[bytes] = []

        def forever() -> None:
            if not received:
                any_loop.call_soon(forever)

        def receive() -> None:
            received.append(here.recv(1))
            any_loop.remove_reader(here)

        any_loop.add_reader(here, receive)
        any_loop.call_soon(forever)
        any_loop.call_soon(there.send, b"x")
        any_loop.run()
        assert received == [b"x"]

    def test_callbacks_that_schedule_themselves_starve_no_timer(self, loop: EventLoop) -> None:
        fired: list[str] = []

        def forever() -> None:
            if not fired:
                loop.call_soon(forever)

        loop.call_soon(forever)
        loop.call_later(0.001, fired.append, "x")
        loop.run()
        assert fired == ["x"]

    def test_input_that_never_ends_starves_no_callback(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        here, there = pair()
        there.send(b"x")
        order: list[str] = []
        any_loop.add_reader(here, order.append, "input")
        any_loop.call_later(0, order.append, "timer")
        any_loop.call_soon(order.append, "soon")
        any_loop.run_once()
        assert sorted(order) == ["input", "soon", "timer"]
        any_loop.remove_reader(here)


class TestDescriptors:
    """Readers and writers of the loop."""

    def test_a_reader_removed_in_the_round_of_its_event_does_not_run(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        (a, a_there), (b, b_there) = pair(), pair()
        calls: list[str] = []

        def stop_both(name: str) -> None:
            calls.append(name)
            any_loop.remove_reader(a)
            any_loop.remove_reader(b)

        any_loop.add_reader(a, stop_both, "a")
        any_loop.add_reader(b, stop_both, "b")
        a_there.send(b"x")
        b_there.send(b"x")
        any_loop.run()
        assert len(calls) == 1

    @pytest.mark.parametrize("name", ["a", "b"])
    def test_a_descriptor_forgotten_in_the_round_of_its_event_is_not_heard_of(
        self, any_loop: EventLoop, pair: MakePair, name: str
    ) -> None:
        """Its number may be another file's before the queue comes to the event."""
        ends = {"a": pair(), "b": pair()}
        calls: list[str] = []
        given_back: list[Handle] = []

        def forget_other(called: str) -> None:
            calls.append(called)
            for which, (here, _) in ends.items():
                handles = any_loop.forget(here)
                if which != called:
                    given_back.extend(handles)

        order = [name, *(ends.keys() - {name})]
        handles = {
            which: any_loop.add_reader(ends[which][0], forget_other, which) for which in order
        }
        for _, there in ends.values():
            there.send(b"x")
        any_loop.run()
        assert len(calls) == 1
        [other] = ends.keys() - set(calls)
        assert given_back == [handles[other]]
        assert not handles[other].cancelled
        any_loop.schedule(handles[other])
        any_loop.run()
        assert calls[1:] == [other]

    def test_a_forgotten_handle_is_called_when_it_is_scheduled_in_the_same_round(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        """Once for the schedule, not for the event that is still in the queue before it."""
        ends = pair(), pair()
        calls: list[str] = []

        def forget_both() -> None:
            calls.append("forgotten")
            for here, _ in ends:
                for handle in any_loop.forget(here):
                    any_loop.schedule(handle)

        for here, there in ends:
            any_loop.add_reader(here, forget_both)
            there.send(b"x")
        any_loop.run()
        assert calls == ["forgotten"] * 3

    @pytest.mark.parametrize("arranged", [True, False])
    def test_an_event_that_its_round_did_not_get_to_is_not_delivered_after_forget(
        self, pair: MakePair, *, arranged: bool
    ) -> None:
        loop = EventLoop(arrange=(lambda _: 1) if arranged else None)
        here, there = pair()
        calls: list[str] = []
        there.send(b"x")
        loop.call_soon(calls.append if arranged else int, "no number")
        loop.add_reader(here, calls.append, "stale")
        with contextlib.nullcontext() if arranged else pytest.raises(ValueError, match="no number"):
            loop.run_once(0)
        [handle] = loop.forget(here)
        assert not handle.cancelled
        if arranged:
            loop.run()
            assert calls == ["no number"]
        loop.schedule(handle)
        loop.run()
        assert calls[-1:] == ["stale"]
        assert calls.count("stale") == 1
        assert loop.stats().callbacks == 3
        loop.close()

    def test_a_forgotten_handle_that_is_cancelled_stays_so(
        self, loop: EventLoop, pair: MakePair
    ) -> None:
        ends = pair(), pair()
        calls: list[str] = []

        def forget_both() -> None:
            calls.append("called")
            for handle in [handle for here, _ in ends for handle in loop.forget(here)]:
                handle.cancel()
                loop.schedule(handle)

        for here, there in ends:
            loop.add_reader(here, forget_both)
            there.send(b"x")
        loop.run()
        assert calls == ["called"]

    def test_a_handle_scheduled_after_forget_is_called_though_a_round_before_failed(
        self, loop: EventLoop, pair: MakePair
    ) -> None:
        here, _ = pair()
        calls: list[str] = []
        handle = loop.add_reader(here, calls.append, "event")
        loop.exception_handler = lambda error, _handle: calls.append(str(error))

        def fail() -> None:
            raise OSError("failed")

        def forget() -> None:
            assert loop.forget(here) == [handle]

        # The round that fails leaves the two others, to be told from events of a later round.
        loop.call_soon(fail)
        loop.call_soon(forget)
        loop.call_soon(lambda: loop.schedule(handle))
        loop.run()
        assert calls == ["failed", "event"]

    def test_forgetting_many_in_one_round_takes_no_look_at_the_queue(self) -> None:
        """Ten thousand connections may end at once: measured in comparisons, not in seconds."""
        clock = Clock()
        many = range(2000)
        loop = EventLoop(ScriptedPollster(clock, [set(many)]), clock)
        compared = 0

        class Entry(QueueEntry):
            __slots__ = ()
            retired = False

            @override
            def _call(self) -> None:
                pass

            @override
            def __eq__(self, other: object) -> bool:
                nonlocal compared
                compared += 1
                return self is other

            __hash__ = QueueEntry.__hash__

        def forget_all() -> None:
            for _ in many:
                loop.schedule(Entry())
            for number in many:
                loop.forget(number)

        for number in many:
            loop.add_reader(number, forget_all if number == 0 else pytest.fail)
        loop.run()
        loop.close()
        assert compared == 0

    def test_a_handle_cancelled_by_its_owner_ends_the_run(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        here, _ = pair()
        handle = any_loop.add_reader(here, nothing)
        any_loop.call_soon(handle.cancel)
        any_loop.run()
        assert any_loop.close().readers == ()

    def test_what_cannot_be_watched_is_named_and_the_loop_goes_on(
        self, any_loop: EventLoop, numbers: Numbers
    ) -> None:
        fd = numbers.closed()
        with pytest.raises(OSError, match=f"descriptor {fd}: Bad file descriptor"):
            any_loop.add_writer(fd, nothing)
        any_loop.call_soon(nothing)
        any_loop.run()

    def test_a_descriptor_closed_while_it_is_watched_does_not_spin(
        self, any_loop: EventLoop, numbers: Numbers
    ) -> None:
        fd, _ = numbers.pipe()
        calls: list[str] = []
        any_loop.add_reader(fd, calls.append, "closed")
        numbers.close(fd)
        any_loop.call_later(0.01, any_loop.stop)
        any_loop.run()
        assert any_loop.stats().rounds <= 4
        # select() and poll() tell of it, epoll and kqueue say nothing.
        assert len(calls) <= 1


class TestEnding:
    """What keeps `run` going, and what ends it."""

    def test_a_run_with_nothing_to_do_ends_at_once(self, any_loop: EventLoop) -> None:
        any_loop.run()
        assert any_loop.stats().rounds == 0

    def test_a_run_ends_when_readers_writers_callbacks_and_timers_are_gone(
        self, any_loop: EventLoop, pair: MakePair
    ) -> None:
        here, there = pair()
        order: list[str] = []

        def receive() -> None:
            order.append(here.recv(1).decode())
            any_loop.remove_reader(here)

        def send() -> None:
            there.send(b"r")
            order.append("w")
            any_loop.remove_writer(there)

        any_loop.add_reader(here, receive)
        any_loop.call_later(0.001, any_loop.add_writer, there, send)
        any_loop.run()
        assert order == ["w", "r"]

    def test_a_parked_registration_does_not_keep_it_going(
        self, loop: EventLoop, pair: MakePair
    ) -> None:
        here, _ = pair()
        loop.add_reader(here, nothing)
        loop.parked += 1
        loop.run()
        assert loop.stats().readers == loop.stats().parked == 1

    def test_a_hold_keeps_it_going_until_its_release(self, loop: EventLoop) -> None:
        loop.hold()
        loop.hold()
        loop.call_later(0.001, loop.release)
        loop.call_later(0.002, loop.release)
        loop.run()
        with pytest.raises(RuntimeError, match="without a hold"):
            loop.release()

    def test_stop_ends_the_run_after_the_round(self, loop: EventLoop) -> None:
        calls: list[str] = []
        loop.call_soon(loop.stop)
        loop.call_soon(calls.append, "same round")
        loop.call_soon(lambda: loop.call_soon(calls.append, "next round"))
        assert not loop.run()
        assert calls == ["same round"]
        assert loop.run()
        assert calls == ["same round", "next round"]

    def test_stop_before_the_run_allows_one_round_without_waiting(self, loop: EventLoop) -> None:
        loop.call_later(60, pytest.fail, "nobody waits for it")
        loop.stop()
        loop.run()
        assert loop.stats().rounds == 1

    def test_run_once_tells_whether_it_was_told_to_stop(self, loop: EventLoop) -> None:
        assert loop.run_once(0)
        loop.call_soon(loop.stop)
        assert not loop.run_once(0)
        assert loop.run_once(0)

    def test_run_once_waits_no_longer_than_it_is_told(self, loop: EventLoop) -> None:
        loop.call_later(60, nothing)
        began = loop.time()
        loop.run_once(0.01)
        assert 0.0099 <= loop.time() - began < 5
        loop.run_once(0)

    def test_a_loop_does_not_run_inside_itself(self, loop: EventLoop) -> None:
        loop.call_soon(loop.run)
        with pytest.raises(RuntimeError, match="inside one of its own callbacks"):
            loop.run()
        loop.call_soon(loop.run_once, 0)
        with pytest.raises(RuntimeError, match="inside one of its own callbacks"):
            loop.run()
        loop.call_soon(loop.close)
        with pytest.raises(RuntimeError, match="closed by one of its own callbacks"):
            loop.run()

    def test_one_loop_can_run_inside_another(self, loop: EventLoop) -> None:
        inner = EventLoop()
        calls: list[str] = []
        inner.call_later(0.001, calls.append, "inner")
        loop.call_soon(inner.run)
        loop.call_soon(calls.append, "outer")
        loop.run()
        inner.close()
        assert calls == ["inner", "outer"]


class TestExceptions:
    """What becomes of an exception out of a callback."""

    def test_it_comes_out_of_run_and_the_rest_is_not_lost(self, loop: EventLoop) -> None:
        calls: list[int] = []
        loop.call_soon(calls.append, 1)
        loop.call_soon(int, "x")
        loop.call_soon(calls.append, 2)
        loop.call_soon(int, "y")
        loop.call_soon(calls.append, 3)
        with pytest.raises(ValueError, match="'x'"):
            loop.run()
        assert calls == [1]
        with pytest.raises(ValueError, match="'y'"):
            loop.run()
        assert calls == [1, 2]
        loop.run()
        assert calls == [1, 2, 3]

    def test_an_exception_handler_gets_it_and_the_run_goes_on(self, loop: EventLoop) -> None:
        caught: list[tuple[str, QueueEntry]] = []
        calls: list[int] = []
        loop.exception_handler = lambda error, handle: caught.append((str(error), handle))
        handle = loop.call_soon(int, "x")
        loop.call_soon(calls.append, 1)
        loop.run()
        assert [given for _, given in caught] == [handle]
        assert "'x'" in caught[0][0]
        assert calls == [1]

    def test_an_exception_of_the_handler_itself_comes_out(self, loop: EventLoop) -> None:
        def handler(error: Exception, handle: QueueEntry) -> None:
            raise LookupError("none of my business") from error

        loop.exception_handler = handler
        loop.call_soon(int, "x")
        with pytest.raises(LookupError) as caught:
            loop.run()
        assert isinstance(caught.value.__cause__, ValueError)

    def test_an_exception_of_the_handler_does_not_keep_the_callback(self, loop: EventLoop) -> None:
        class Failing:
            def fail(self) -> None:
                del self
                raise ValueError("failed")

        def handler(error: Exception, handle: QueueEntry) -> None:
            del error, handle
            raise LookupError("none of my business") from None

        failing = Failing()
        alive = weakref.ref(failing)
        loop.exception_handler = handler
        loop.call_soon(failing.fail)
        del failing
        with pytest.raises(LookupError) as caught:
            loop.run()
        assert alive() is None, caught

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_what_is_no_exception_comes_out_past_the_handler(
        self, loop: EventLoop, error: type[BaseException]
    ) -> None:
        def leave() -> None:
            raise error

        loop.exception_handler = lambda _error, _handle: pytest.fail("not for the handler")
        loop.call_soon(leave)
        calls: list[int] = []
        loop.call_soon(calls.append, 1)
        with pytest.raises(error):
            loop.run()
        loop.run()
        assert calls == [1]

    def test_ctrl_c_ends_a_run_that_waits(self, loop: EventLoop) -> None:
        loop.hold()
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                loop.run()
        finally:
            signal.signal(signal.SIGINT, old)
        loop.release()
        loop.run()


class TestClosing:
    """A closed loop, and what it reports."""

    def test_a_clean_close_reports_nothing(self, loop: EventLoop) -> None:
        loop.call_soon(nothing)
        loop.run()
        left = loop.close()
        assert not left
        assert not loop.close()

    def test_close_reports_what_is_left(self, any_loop: EventLoop, pair: MakePair) -> None:
        here, _ = pair()
        reader = any_loop.add_reader(here, nothing)
        writer = any_loop.add_writer(here, nothing)
        later = any_loop.call_later(2, nothing)
        sooner = any_loop.call_later(1, nothing)
        any_loop.call_later(1, nothing).cancel()
        callback = any_loop.call_soon(nothing)
        any_loop.call_soon(nothing).cancel()
        any_loop.hold()
        left = any_loop.close()
        assert left
        assert left.readers == (reader,)
        assert left.writers == (writer,)
        assert left.timers == (sooner, later)
        assert left.callbacks == (callback,)
        assert left.held == 1
        assert "test_eventloop.py" in repr(left)

    def test_close_reports_a_forgotten_handle_as_what_it_is(
        self, loop: EventLoop, pair: MakePair
    ) -> None:
        """Its events were held back in the last round; that it was scheduled is what is left."""
        here, _ = pair()
        handle = loop.add_reader(here, nothing)

        def schedule_again() -> None:
            for entry in loop.forget(here):
                loop.schedule(entry)

        loop.call_soon(schedule_again)
        loop.call_soon(nothing)
        loop.run_once(0)
        left = loop.close()
        assert left.callbacks == (handle,)
        assert "nothing at" in repr(handle)

    def test_every_call_is_among_those_that_are_tried(
        self, loop: EventLoop, pair: MakePair
    ) -> None:
        """So that a new method is not forgotten where each must refuse."""
        methods = {
            name
            for name, member in inspect.getmembers(EventLoop, inspect.isfunction)
            if not name.startswith("_")
        }
        assert methods == every_call(loop, pair()[0]).keys() | OTHERS

    def test_every_call_after_close_says_so(self, loop: EventLoop, pair: MakePair) -> None:
        here, _ = pair()
        loop.close()
        calls = every_call(loop, here)
        calls["call_soon_threadsafe"] = lambda: loop.call_soon_threadsafe(nothing)
        for call in calls.values():
            with pytest.raises(ClosedError, match=r"EventLoop closed.* was closed"):
                call()

    def test_a_loop_dropped_without_close_is_reported_and_leaves_no_descriptor(self) -> None:
        def drop_a_loop() -> None:
            EventLoop().call_soon(nothing)
            gc.collect()

        with pytest.warns(ResourceWarning, match="unclosed <EventLoop idle"):
            drop_a_loop()

    def test_a_loop_closes_the_pollster_it_was_given(self) -> None:
        pollster = default_pollster()
        EventLoop(pollster).close()
        with pytest.raises(ClosedError):
            pollster.poll(0)

    def test_the_clock_is_what_was_given(self) -> None:
        clock = Clock(5.0)
        loop = EventLoop(ScriptedPollster(clock), clock)
        assert loop.time() == 5.0
        clock.now = 6.5
        assert loop.time() == 6.5
        loop.close()


def test_callbacks_that_fill_the_queue_keep_descriptors_waiting_for_256_of_them_at_most() -> None:
    loop = EventLoop()
    near, far = socket.socketpair()
    seen: list[int] = []
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if not seen:
            loop.call_soon(again)

    def on_readable() -> None:
        seen.append(count)
        loop.remove_reader(near)

    loop.add_reader(near, on_readable)
    loop.call_soon(again)
    far.send(b"x")
    loop.run()
    loop.close()
    near.close()
    far.close()
    assert 0 < seen[0] <= 257


def test_callbacks_that_fill_the_queue_and_take_long_keep_timers_waiting_for_a_few() -> None:
    """First they take no time, for more than a few polls; then each takes 5 ms."""
    clock = Clock()
    loop = EventLoop(ScriptedPollster(clock), clock)
    late: list[float] = []
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        if count > 1000:
            clock.now += 0.005
        if len(late) < 3:
            loop.call_soon(again)

    def note(when: float) -> None:
        late.append(clock.now - when)
        set_timer()

    def set_timer() -> None:
        if len(late) < 3:
            loop.call_later(0.01, note, clock.now + 0.01)

    set_timer()
    loop.call_soon(again)
    loop.run()
    loop.close()
    first, *others = late
    assert 0 <= first <= 8 * 0.005 + 1e-9
    assert max(others) <= 0.005 + 1e-9
