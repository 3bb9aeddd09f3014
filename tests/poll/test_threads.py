"""Threads: which may call what, how they wake a loop, and two loops at once."""

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.poll.every_call import every_call
from tests.poll.facilities import Facility
from tests.poll.virtual import Clock
from tulip_poll import ClosedError, EventLoop, WrongThreadError, _iteration
from tulip_poll._wakeup import Wakeup

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    """Be a callback."""


def in_thread(function: Callable[[], object]) -> BaseException | None:
    """Call a function in another thread; return what it raised."""
    raised: list[BaseException] = []

    def target() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed on to the caller
            raised.append(error)

    thread = threading.Thread(target=target, name="the other")
    thread.start()
    thread.join()
    return raised[0] if raised else None


class TestOwnership:
    """A loop belongs to one thread."""

    def test_every_call_from_another_thread_raises(self, loop: EventLoop, pair: MakePair) -> None:
        here, _ = pair()
        loop.call_soon(nothing)
        for call in (*every_call(loop, here).values(), loop.check_thread, loop.close):
            error = in_thread(call)
            assert isinstance(error, WrongThreadError)
            assert "belongs to thread 'MainThread'" in str(error)
            assert "'the other'" in str(error)
        assert loop.stats().queued == 1

    def test_a_call_while_the_loop_runs_raises_too(self, loop: EventLoop) -> None:
        errors: list[BaseException | None] = []
        loop.call_soon(lambda: errors.append(in_thread(lambda: loop.call_soon(nothing))))
        loop.run()
        assert isinstance(errors[0], WrongThreadError)

    def test_the_check_passes_in_the_loops_own_thread_and_after_close(
        self, loop: EventLoop
    ) -> None:
        loop.check_thread()
        loop.close()
        assert in_thread(loop.check_thread) is None

    def test_making_a_loop_does_not_bind_it(self, loop: EventLoop) -> None:
        assert in_thread(loop.run) is None
        with pytest.raises(WrongThreadError, match="belongs to thread 'the other'"):
            loop.run()
        # So that the fixture can close it; no other thread is there any more.
        loop._owner = None

    def test_time_and_call_soon_threadsafe_are_for_every_thread(self, loop: EventLoop) -> None:
        loop.hold()
        assert in_thread(loop.time) is None
        assert in_thread(lambda: loop.call_soon_threadsafe(loop.release)) is None
        loop.run()


class TestWakingUp:
    """`call_soon_threadsafe`."""

    def test_a_call_wakes_a_loop_that_waits(self, any_loop: EventLoop) -> None:
        any_loop.hold()
        woken: list[int] = []

        def target() -> None:
            time.sleep(0.01)
            any_loop.call_soon_threadsafe(lambda: woken.append(threading.get_ident()))
            any_loop.call_soon_threadsafe(any_loop.release)

        thread = threading.Thread(target=target)
        thread.start()
        any_loop.run()
        thread.join()
        assert woken == [threading.get_ident()]

    def test_a_call_before_the_run_is_not_lost(self, any_loop: EventLoop) -> None:
        calls: list[int] = []
        assert in_thread(lambda: any_loop.call_soon_threadsafe(calls.append, 1)) is None
        any_loop.run()
        assert calls == [1]

    def test_a_handle_from_another_thread_can_be_cancelled(self, loop: EventLoop) -> None:
        handle = loop.call_soon_threadsafe(pytest.fail, "it was cancelled")
        handle.cancel()
        loop.run()

    @pytest.mark.slow
    def test_none_of_100_000_calls_from_8_threads_is_lost(self, loop: EventLoop) -> None:
        each = 12_500
        arrived: list[tuple[int, int]] = []

        def note(caller: int, number: int) -> None:
            arrived.append((caller, number))
            if len(arrived) == 8 * each:
                loop.release()

        def target(caller: int) -> None:
            for number in range(each):
                loop.call_soon_threadsafe(note, caller, number)

        threads = [threading.Thread(target=target, args=(caller,)) for caller in range(8)]
        loop.hold()
        for thread in threads:
            thread.start()
        loop.run()
        for thread in threads:
            thread.join()
        assert len(set(arrived)) == 8 * each
        for caller in range(8):
            numbers = [number for who, number in arrived if who == caller]
            assert all(earlier < later for earlier, later in pairwise(numbers))

    def test_one_wake_up_is_in_flight_at_a_time(
        self, monkeypatch: pytest.MonkeyPatch, loop: EventLoop
    ) -> None:
        """However many threads call, one of them writes, and none again before the loop read."""
        log: list[str] = []
        write, read = Wakeup._write, Wakeup._read

        def logged_write(self: Wakeup) -> None:
            log.append("write")
            write(self)

        def logged_read(self: Wakeup) -> None:
            read(self)
            log.append("read")

        monkeypatch.setattr(Wakeup, "_write", logged_write)
        monkeypatch.setattr(Wakeup, "_read", logged_read)
        arrived = 0

        def count() -> None:
            nonlocal arrived
            arrived += 1
            if arrived == 8 * 500:
                loop.release()

        def target() -> None:
            for _ in range(500):
                loop.call_soon_threadsafe(count)

        threads = [threading.Thread(target=target) for _ in range(8)]
        loop.hold()
        for thread in threads:
            thread.start()
        loop.run()
        for thread in threads:
            thread.join()
        assert all(earlier != later for earlier, later in pairwise(log))
        assert log.count("write") < 8 * 500

    def test_ctrl_c_in_the_middle_of_a_wake_up_loses_no_later_one(
        self, monkeypatch: pytest.MonkeyPatch, loop: EventLoop
    ) -> None:
        write = Wakeup._write

        def interrupted(self: Wakeup) -> None:
            monkeypatch.setattr(Wakeup, "_write", write)
            raise KeyboardInterrupt

        monkeypatch.setattr(Wakeup, "_write", interrupted)
        loop.hold()
        with pytest.raises(KeyboardInterrupt):
            loop.call_soon_threadsafe(nothing)
        thread = threading.Timer(0.01, loop.call_soon_threadsafe, [loop.release])
        thread.start()
        loop.run()
        thread.join()

    def test_closing_while_threads_call_writes_to_no_other_file(self) -> None:
        """A number closed is soon another's; a late wake-up must not be written there."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(20):
                assert close_under_fire() == b""
        finally:
            sys.setswitchinterval(interval)


def close_under_fire() -> bytes:
    """Close a loop that threads call into; return what they wrote to the next file there."""
    loop = EventLoop()

    def call_until_closed() -> None:
        while True:
            loop.call_soon_threadsafe(nothing)

    def call() -> None:
        with pytest.raises(ClosedError):
            call_until_closed()

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    loop.run_once()
    loop.close()
    read_end, write_end = os.pipe()
    for thread in threads:
        thread.join()
    os.close(write_end)
    written = os.read(read_end, 8)
    os.close(read_end)
    return written


class TestWithoutEventfd:
    """The socket pair that takes the place of an eventfd on other systems."""

    @pytest.fixture(autouse=True)
    def _no_eventfd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "eventfd", raising=False)

    def test_it_wakes_drains_and_closes(self) -> None:
        loop = EventLoop()
        loop.hold()
        thread = threading.Timer(0.005, loop.call_soon_threadsafe, [loop.release])
        thread.start()
        loop.run()
        thread.join()
        assert loop.stats().rounds <= 3
        loop.close()

    def test_draining_what_is_empty_does_nothing(self) -> None:
        wakeup = Wakeup()

        def readable() -> bool:
            return bool(select.select([wakeup], [], [], 0)[0])

        wakeup.drain()
        assert not readable()
        wakeup.wake()
        assert readable()
        wakeup.drain()
        assert not readable()
        wakeup.wake()
        assert readable()
        wakeup.close()
        wakeup.close()


def test_two_threads_run_two_loops_with_the_same_code(facility: Facility) -> None:
    """Both at once: ping-pong over a socket pair, with timers, in each."""
    results: dict[str, int] = {}
    barrier = threading.Barrier(2)

    def play(name: str) -> None:
        loop = EventLoop(facility.pollster())
        here, there = socket.socketpair()
        count = 0

        def receive() -> None:
            nonlocal count
            count += len(here.recv(1))
            if count == 200:
                loop.forget(here)
                loop.forget(there)
            else:
                loop.call_soon(there.send, b"x")

        loop.add_reader(here, receive)
        loop.add_reader(there, nothing)
        loop.call_later(0.001, there.send, b"x")
        barrier.wait()
        loop.run()
        assert not loop.close()
        here.close()
        there.close()
        results[name] = count

    threads = [threading.Thread(target=play, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"a": 200, "b": 200}


@pytest.mark.parametrize("callbacks", [1, 100, 1000])
def test_a_loop_that_is_never_idle_lets_other_threads_run(loop: EventLoop, callbacks: int) -> None:
    """Without that, a thread waited a million callbacks for each of its turns."""
    most = 2_000_000
    count = 0

    def work() -> None:
        for _ in range(20):
            time.sleep(1e-6)  # gives the interpreter's lock away, and wants it back

    def spin() -> None:
        nonlocal count
        count += 1
        if thread.is_alive() and count < most:
            loop.call_soon(spin)

    thread = threading.Thread(target=work)
    for _ in range(callbacks):
        loop.call_soon(spin)
    thread.start()
    loop.run()
    thread.join()
    assert count < most


class TestStandingAside:
    """When a loop lets other threads run: recorded, as a thread may well be lucky without it."""

    @pytest.fixture
    def moments(self, monkeypatch: pytest.MonkeyPatch, cleanup: ExitStack) -> list[float]:
        """When a loop stood aside, as `time.monotonic` has it; and there is another thread."""
        moments: list[float] = []
        monkeypatch.setattr(_iteration, "sleep", lambda _: moments.append(time.monotonic()))
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        thread.start()
        cleanup.callback(thread.join)
        cleanup.callback(end.set)
        return moments

    @pytest.mark.parametrize("virtual", [False, True])
    @pytest.mark.parametrize("work", ["callbacks", "timers", "descriptors", "rounds"])
    def test_a_loop_does_that_is_never_idle(
        self, work: str, virtual: bool, moments: list[float], pair: MakePair
    ) -> None:
        loop = EventLoop(clock=float if virtual else time.monotonic)
        begun = time.monotonic()
        here, there = pair()
        there.send(b"x")

        def again() -> None:
            if len(moments) >= 4 or time.monotonic() - begun > 5:
                loop.stop()
            elif work == "callbacks":
                loop.call_soon(again)
            elif work == "timers":
                loop.call_later(0, again)
            elif work == "rounds":
                loop.call_soon(nothing)

        if work == "descriptors":
            loop.add_reader(here, again)
        loop.call_soon(again)
        if work == "rounds":
            while loop.run_once(0):
                loop.call_soon(again)
        else:
            loop.run()
        loop.close()
        assert len(moments) == 4
        assert all(later - earlier >= 0.002 for earlier, later in pairwise([begun, *moments]))

    @pytest.mark.parametrize("pause, stands_aside", [(0.001, False), (1e-6, True)])
    def test_a_loop_does_not_that_waits_now_and_then(
        self,
        pause: float,
        stands_aside: bool,
        virtual_loop: EventLoop,
        moments: list[float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        clock = virtual_loop.time
        assert isinstance(clock, Clock)
        monkeypatch.setattr(_iteration, "monotonic", clock)
        left = 150

        def again() -> None:
            nonlocal left
            left -= 1
            clock.now += 0.001  # it computes
            if left:
                virtual_loop.call_later(pause * (left % 2), again)

        virtual_loop.call_soon(again)
        virtual_loop.run()
        assert bool(moments) is stands_aside

    def test_a_loop_does_not_whose_host_waits(
        self, loop: EventLoop, moments: list[float], pair: MakePair
    ) -> None:
        """It cannot tell why time passes between its rounds."""
        here, there = pair()
        there.send(b"x")
        loop.add_reader(here, nothing)
        begun = time.monotonic()
        while time.monotonic() - begun < 0.03:
            loop.run_once(0)
        assert moments == []

    def test_no_loop_does_that_is_alone(
        self, loop: EventLoop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_iteration, "sleep", pytest.fail)
        assert threading.active_count() == 1
        begun = time.monotonic()

        def again() -> None:
            if time.monotonic() - begun < 0.03:
                loop.call_soon(again)

        loop.call_soon(again)
        loop.run()
