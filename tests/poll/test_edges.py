"""Readers with ``edge``: every pollster tells of what comes, and of what must not be missed.

Whoever reads until a read is short has it all, unless the stream ends there, is broken, or has
urgent data: the cases below. All are checked on TCP, as the kernel decides what a short read means.
"""

import gc
import os
import select
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.poll.numbers import Numbers
from tulip_poll import EpollPollster, EventLoop, Handle, Pollster, PollsterWrapper
from tulip_poll._typing import override

Pair = tuple[socket.socket, socket.socket]

POLLRDHUP = select.POLLRDHUP if sys.platform == "linux" else 0


def nothing() -> None:
    """Be a callback."""


@pytest.fixture
def connect(cleanup: ExitStack) -> Iterator[Callable[[], Pair]]:
    """A function that makes two ends of a TCP connection, the first one non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def connect() -> Pair:
            there = cleanup.enter_context(socket.create_connection(listener.getsockname()))
            here = cleanup.enter_context(listener.accept()[0])
            here.setblocking(False)
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return here, there

        yield connect


@pytest.fixture
def pair(connect: Callable[[], Pair]) -> Pair:
    """Two ends of a TCP connection."""
    return connect()


def wait_until(sock: socket.socket, events: int) -> None:
    """Wait until poll() shows all these events of a socket."""
    probe = select.poll()
    probe.register(sock, events)
    for _ in range(1000):
        if sum(mask for _, mask in probe.poll(1)) & events == events:
            return
    raise AssertionError(f"no {events} on {sock}")


def test_input_is_told_of_whenever_it_comes(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    assert pollster.poll(0) == []
    for message in (b"first", b"second", b"third"):
        there.send(message)
        assert pollster.poll(5) == [handle]
        assert here.recv(100) == message
        assert pollster.poll(0) == []


def test_what_was_there_before_is_told_of(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    there.send(b"early")
    wait_until(here, select.POLLIN)
    handle = pollster.add_reader(here, nothing, edge=True)
    assert pollster.poll(0) == [handle]


def test_epoll_does_not_tell_twice(connect: Callable[[], Pair]) -> None:
    """Else there would be nothing to gain."""
    here, there = connect()
    pollster = EpollPollster()
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"input")
    assert pollster.poll(5) == [handle]
    assert pollster.poll(0) == []
    pollster.close()


@pytest.mark.parametrize("how", ["shutdown", "close"])
def test_an_end_that_came_with_the_data_is_told_of_after_it(
    pollster: Pollster, pair: Pair, how: str
) -> None:
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"last words")
    if how == "shutdown":
        there.shutdown(socket.SHUT_WR)
    else:
        there.close()
    wait_until(here, select.POLLIN | POLLRDHUP)
    assert pollster.poll(0) == [handle]
    assert here.recv(100) == b"last words"
    assert [pollster.poll(0) for _ in range(3)] == [[handle]] * 3
    assert here.recv(100) == b""


def test_an_end_that_comes_between_the_event_and_the_read(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"last words")
    assert pollster.poll(5) == [handle]
    there.shutdown(socket.SHUT_WR)
    wait_until(here, POLLRDHUP)
    assert here.recv(100) == b"last words"
    assert pollster.poll(5) == [handle]
    assert here.recv(100) == b""


def test_a_reset_is_told_of(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    here.send(b"never read")
    wait_until(there, select.POLLIN)
    there.close()
    assert pollster.poll(5) == [handle]
    with pytest.raises(ConnectionResetError):
        here.recv(100)


@pytest.mark.parametrize("early", [True, False], ids=["at once", "after the event"])
def test_data_behind_an_urgent_byte_is_told_of(pollster: Pollster, pair: Pair, early: bool) -> None:
    """A read stops at the urgent mark, short, with more behind it."""
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"before")
    if not early:
        assert pollster.poll(5) == [handle]
    there.send(b"!", socket.MSG_OOB)
    there.send(b"behind")
    wait_until(here, select.POLLIN | select.POLLPRI)
    assert pollster.poll(0) == [handle]
    assert here.recv(100) == b"before"
    assert pollster.poll(0) == [handle]
    assert here.recv(100) == b"behind"
    assert pollster.poll(0) == []


def test_beside_a_writer_both_are_told_of(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    reader = pollster.add_reader(here, nothing, edge=True)
    there.send(b"input")
    wait_until(here, select.POLLIN)
    writer = pollster.add_writer(here, nothing)
    assert set(pollster.poll(0)) == {reader, writer}
    assert set(pollster.poll(0)) == {reader, writer}
    pollster.remove_writer(here)
    assert pollster.poll(0) == [reader]
    assert here.recv(100) == b"input"
    there.send(b"more")
    assert pollster.poll(5) == [reader]


def test_both_are_told_of_whichever_comes_first(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    writer = pollster.add_writer(here, nothing)
    reader = pollster.add_reader(here, nothing, edge=True)
    assert [pollster.poll(0) for _ in range(2)] == [[writer]] * 2
    there.send(b"input")
    wait_until(here, select.POLLIN)
    assert [set(pollster.poll(0)) for _ in range(2)] == [{reader, writer}] * 2


def test_a_reader_without_it_takes_the_place_of_one_with(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    there.send(b"input")
    wait_until(here, select.POLLIN)
    pollster.add_reader(here, nothing, edge=True)
    assert len(pollster.poll(0)) == 1
    handle = pollster.add_reader(here, nothing)
    assert [pollster.poll(0) for _ in range(3)] == [[handle]] * 3


def test_a_reader_with_it_takes_the_place_of_another_one(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    there.send(b"input")
    wait_until(here, select.POLLIN)
    for edge in (True, False):
        pollster.add_reader(here, nothing, edge=edge)
        assert len(pollster.poll(0)) == 1
        handle = pollster.add_reader(here, nothing, edge=True)
        assert pollster.poll(0) == [handle]


def test_a_closed_connection_of_which_the_end_was_told(
    pollster: Pollster, connect: Callable[[], Pair]
) -> None:
    """Its number is another's with the next poll, whose entry is none of its business."""
    here, there = connect()
    pollster.add_reader(here, nothing, edge=True)
    there.close()
    assert len(pollster.poll(5)) == 1
    pollster.forget(here)
    number = here.fileno()
    here.close()
    here, there = connect()
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"input")
    assert here.fileno() == number
    assert pollster.poll(5) == [handle]
    if isinstance(pollster, EpollPollster):
        assert pollster.poll(0) == []


def test_one_that_is_closed_without_a_word_is_no_error(pollster: Pollster, pair: Pair) -> None:
    here, there = pair
    handle = pollster.add_reader(here, nothing, edge=True)
    there.close()
    assert pollster.poll(5) == [handle]
    number = here.fileno()
    here.close()
    assert pollster.poll(0) in ([], [handle])
    assert pollster.forget(number) in ([], [handle])


def test_a_set_that_is_made_anew_tells_of_what_was_not_told(
    numbers: Numbers, connect: Callable[[], Pair]
) -> None:
    pollster = EpollPollster()
    here, there = connect()
    handle = pollster.add_reader(here, nothing, edge=True)
    ghost, write_end = numbers.pipe()
    pollster.add_reader(ghost, nothing)
    numbers.duplicate(ghost)
    numbers.close(ghost)
    pollster.remove_reader(ghost)
    os.write(write_end, b"x")
    there.send(b"input")
    wait_until(here, select.POLLIN)
    assert handle in pollster.poll(0) + pollster.poll(0)
    pollster.close()


def test_a_host_hears_of_the_end_behind_the_data(connect: Callable[[], Pair]) -> None:
    """It does not poll before the descriptor of our set is readable."""
    here, there = connect()
    loop = EventLoop(EpollPollster())
    received: list[bytes] = []
    loop.add_reader(here, lambda: received.append(here.recv(100)), edge=True)
    with select.epoll() as host:
        host.register(loop.fileno(), select.EPOLLIN)
        there.send(b"last words")
        there.shutdown(socket.SHUT_WR)
        wait_until(here, select.POLLIN | POLLRDHUP)
        while b"" not in received:
            assert host.poll(5)
            loop.run_once(0)
    assert received == [b"last words", b""]
    loop.forget(here)
    loop.close()


def test_who_becomes_a_host_after_the_event_hears_of_the_end_too(
    connect: Callable[[], Pair],
) -> None:
    here, there = connect()
    pollster = EpollPollster()
    handle = pollster.add_reader(here, nothing, edge=True)
    there.send(b"last words")
    there.shutdown(socket.SHUT_WR)
    wait_until(here, select.POLLIN | POLLRDHUP)
    assert pollster.poll(0) == [handle]
    assert here.recv(100) == b"last words"
    with select.epoll() as host:
        host.register(pollster.fileno(), select.EPOLLIN)
        assert host.poll(5)
    assert pollster.poll(0) == [handle]
    pollster.close()


@pytest.mark.parametrize("then", ["polled", "closed"])
def test_no_callback_is_kept_of_which_the_end_was_told(
    connect: Callable[[], Pair], then: str
) -> None:
    class Owner:
        def called(self) -> None:
            pass

    here, there = connect()
    pollster, owner = EpollPollster(), Owner()
    pollster.add_reader(here, owner.called, edge=True)
    there.close()
    assert len(pollster.poll(5)) == 1
    pollster.forget(here)
    if then == "polled":
        assert pollster.poll(0) == []
    else:
        pollster.close()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    pollster.close()


class Interrupted(PollsterWrapper):
    """Raises once, when there were events: a signal's handler may, before anybody has them."""

    interrupts = 1

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        handles = super().poll(timeout)
        if handles and self.interrupts:
            self.interrupts = 0
            raise KeyboardInterrupt
        return handles


@pytest.mark.parametrize("how", ["run", "run_once"])
def test_an_event_that_an_interrupt_has_swallowed_is_told_of_by_the_next_run(
    connect: Callable[[], Pair], how: str
) -> None:
    here, there = connect()
    loop = EventLoop(Interrupted(EpollPollster()))
    received: list[bytes] = []

    def callback() -> None:
        received.append(here.recv(100))
        loop.remove_reader(here)

    loop.add_reader(here, callback, edge=True)
    there.send(b"input")
    wait_until(here, select.POLLIN)
    run: Callable[[], bool] = loop.run if how == "run" else lambda: loop.run_once(0)
    with pytest.raises(KeyboardInterrupt):
        run()
    loop.run_once(0)
    assert received == [b"input"]
    loop.close()


@pytest.mark.parametrize("args", [(), (1,)])
def test_a_loop_tells_epoll_of_it(connect: Callable[[], Pair], args: tuple[int, ...]) -> None:
    here, there = connect()
    loop = EventLoop(EpollPollster())
    calls: list[tuple[int, ...]] = []
    loop.add_reader(here, lambda *args: calls.append(args), *args, edge=True)
    there.send(b"input")
    wait_until(here, select.POLLIN)
    for _ in range(3):
        loop.run_once(0)
    assert calls == [args]
    loop.forget(here)
    loop.close()


def test_a_loop_passes_arguments_on(any_loop: EventLoop, pair: Pair) -> None:
    here, there = pair
    calls: list[tuple[bytes, str]] = []

    def callback(word: str) -> None:
        calls.append((here.recv(100), word))
        any_loop.remove_reader(here)

    handle: Handle = any_loop.add_reader(here, callback, "word", edge=True)
    there.send(b"input")
    any_loop.run()
    assert calls == [(b"input", "word")]
    assert handle.cancelled
