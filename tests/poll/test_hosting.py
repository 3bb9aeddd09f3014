"""A loop inside another: its descriptor is readable exactly when there is work."""

import asyncio
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from io import UnsupportedOperation

import hosting_asyncio
import hosting_tulip
import pytest

from tests.poll.facilities import Facility, excuse_libkqueue
from tests.poll.numbers import Numbers
from tulip_poll import EventLoop, PollPollster, SelectPollster

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    """Be a callback."""


@pytest.fixture
def guest(facility: Facility) -> Iterator[EventLoop]:
    """A loop to be hosted, over each facility that has a descriptor of its own."""
    loop = EventLoop(facility.pollster())
    if facility.pollster in (SelectPollster, PollPollster):
        with pytest.raises(UnsupportedOperation, match="has no file descriptor"):
            loop.fileno()
        loop.close()
        loop = EventLoop()
    loop.fileno()
    yield loop
    loop.close()


def has_work(loop: EventLoop, timeout: float = 0) -> bool:
    """Ask another facility whether the loop's descriptor is readable."""
    poll = select.poll()
    poll.register(loop.fileno(), select.POLLIN)
    return bool(poll.poll(timeout * 1000))


class TestReadable:
    """When the descriptor is readable."""

    def test_not_while_there_is_nothing_to_do(self, guest: EventLoop, pair: MakePair) -> None:
        here, _ = pair()
        assert not has_work(guest)
        guest.add_reader(here, nothing)
        guest.hold()
        assert not has_work(guest)
        assert guest.next_deadline() is None

    def test_while_a_descriptor_is_ready(self, guest: EventLoop, pair: MakePair) -> None:
        here, there = pair()
        received: list[bytes] = []
        guest.add_reader(here, lambda: received.append(here.recv(10)))
        there.send(b"x")
        assert has_work(guest)
        guest.run_once(0)
        assert received == [b"x"]
        assert not has_work(guest)

    def test_when_a_callback_is_added_between_rounds(self, guest: EventLoop) -> None:
        calls: list[str] = []
        guest.call_soon(calls.append, "x")
        assert has_work(guest)
        assert guest.next_deadline() is not None
        guest.run_once(0)
        assert calls == ["x"]
        assert not has_work(guest)
        assert guest.next_deadline() is None

    def test_when_a_callback_added_another(self, guest: EventLoop) -> None:
        guest.call_soon(guest.call_soon, nothing)
        guest.run_once(0)
        assert has_work(guest)
        guest.run_once(0)
        assert not has_work(guest)

    def test_when_another_thread_calls(self, guest: EventLoop) -> None:
        calls: list[str] = []
        thread = threading.Timer(0.005, guest.call_soon_threadsafe, [calls.append, "x"])
        thread.start()
        assert has_work(guest, timeout=5)
        thread.join()
        guest.run_once(0)
        assert calls == ["x"]
        assert not has_work(guest)

    def test_when_the_deadline_moves_ahead_between_rounds(self, guest: EventLoop) -> None:
        later = guest.call_later(60, nothing)
        guest.run_once(0)
        assert guest.next_deadline() == later.when
        guest.call_later(61, nothing)
        assert not has_work(guest)
        sooner = guest.call_at(later.when - 1, nothing)
        assert has_work(guest)
        guest.run_once(0)
        assert not has_work(guest)
        assert guest.next_deadline() == sooner.when
        sooner.cancel()
        assert guest.next_deadline() == later.when

    def test_a_stop_before_it_was_hosted_holds(self) -> None:
        loop = EventLoop()
        loop.stop()
        loop.fileno()
        assert not loop.run_once(0)
        loop.close()

    def test_when_there_was_work_before_it_was_hosted(self) -> None:
        loop = EventLoop()
        loop.call_soon(nothing)
        assert has_work(loop)
        loop.run_once(0)
        assert not has_work(loop)
        loop.close()

    def test_not_again_for_work_that_was_done_by_a_run(self, guest: EventLoop) -> None:
        guest.call_soon(nothing)
        guest.call_later(0.001, nothing)
        guest.run()
        guest.run_once(0)
        assert not has_work(guest)

    def test_still_when_the_pollster_has_to_begin_anew(
        self, facility: Facility, guest: EventLoop, numbers: Numbers, pair: MakePair
    ) -> None:
        """A host that watches with epoll loses nothing when the guest's set is replaced."""
        excuse_libkqueue(facility)
        host = EventLoop()
        turns: list[str] = []
        host.add_reader(guest, turns.append, "turn")
        read_end, write_end = numbers.pipe()
        here, there = pair()
        guest.add_reader(here, nothing)
        guest.add_reader(read_end, nothing)
        numbers.duplicate(read_end)
        numbers.close(read_end)
        os.write(write_end, b"x")
        guest.remove_reader(read_end)
        guest.run_once(0)
        assert not has_work(guest)
        there.send(b"x")
        assert has_work(guest)
        host.run_once(0)
        assert turns == ["turn"]
        host.close()


class TestHosts:
    """Real hosts."""

    def test_asyncio(self, guest: EventLoop, pair: MakePair) -> None:
        here, there = pair()
        order: list[str] = []

        def receive() -> None:
            order.append(here.recv(10).decode())
            guest.call_soon(order.append, "soon")

        async def host() -> None:
            done = asyncio.Event()
            turns = hosting_asyncio.Guest(guest, asyncio.get_running_loop())
            guest.add_reader(here, receive)
            guest.call_later(0.005, there.send, b"received")
            guest.call_later(0.010, order.append, "timer")
            await asyncio.sleep(0.001)
            order.append("host")
            guest.call_later(0.020, done.set)
            await done.wait()
            # On a machine that is busy enough, all timers are due before the first receive.
            while "soon" not in order:
                await asyncio.sleep(0.001)
            turns.leave()

        asyncio.run(host())
        assert sorted(order) == ["host", "received", "soon", "timer"]
        assert order.index("received") < order.index("soon")
        # Nor does a guest with nothing to do take the host's time.
        assert guest.stats().rounds < 12

    def test_another_tulip_loop(self, guest: EventLoop, loop: EventLoop, pair: MakePair) -> None:
        here, there = pair()
        order: list[str] = []
        turns = hosting_tulip.Guest(guest, loop)

        def receive() -> None:
            order.append(here.recv(10).decode())
            guest.call_soon(pytest.fail, "nobody drives it any more")
            turns.leave()

        guest.add_reader(here, receive)
        guest.call_later(0.003, order.append, "guest")
        loop.call_later(0.006, order.append, "host")
        guest.call_later(0.009, there.send, b"received")
        loop.run()
        assert order == ["guest", "host", "received"]

    def test_a_callback_that_raises_takes_no_timer_with_it(
        self, guest: EventLoop, loop: EventLoop
    ) -> None:
        turns = hosting_tulip.Guest(guest, loop)
        guest.call_later(0.001, pytest.fail, "in the guest")
        guest.call_later(0.003, turns.leave)
        with pytest.raises(pytest.fail.Exception, match="in the guest"):
            loop.run()
        assert loop.next_deadline() is not None
        loop.run()

    def test_threads_wake_a_hosted_loop(self, guest: EventLoop, loop: EventLoop) -> None:
        count = 0
        turns = hosting_tulip.Guest(guest, loop)

        def arrive() -> None:
            nonlocal count
            count += 1
            if count == 4 * 250:
                turns.leave()

        def call() -> None:
            for _ in range(250):
                guest.call_soon_threadsafe(arrive)

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        loop.run()
        for thread in threads:
            thread.join()
        assert count == 1000


class TestExamples:
    """The programs that people copy."""

    def test_asyncio(self, capsys: pytest.CaptureFixture[str]) -> None:
        asyncio.run(hosting_asyncio.main())
        assert capsys.readouterr().out.splitlines() == [
            "tulip's timer fired",
            "asyncio slept",
            "tulip received a message",
            "tulip ran a callback",
        ]

    def test_tulip(self, capsys: pytest.CaptureFixture[str]) -> None:
        hosting_tulip.main()
        lines = capsys.readouterr().out.splitlines()
        assert lines == ["inner 1", "outer 1", "inner 2", "outer 2", "inner 3", "outer 3"]
