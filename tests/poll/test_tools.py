"""What testing tools build on: a pollster around another, the order of a round, receivers."""

import os
import socket
from collections import deque

import pytest

from tulip_poll import (
    ClosedError,
    EventLoop,
    Handle,
    PollsterWrapper,
    QueueEntry,
    default_pollster,
)


class Counting(PollsterWrapper):
    """Counts the polls."""

    polls = 0

    def poll(self, timeout: float | None = None) -> list[Handle]:  # type: ignore[explicit-override]
        self.polls += 1
        return super().poll(timeout)


def test_a_wrapper_is_one_with_the_pollster_inside() -> None:
    inner = default_pollster()
    wrapper = Counting(inner)
    left, right = socket.socketpair()
    with left, right:
        seen: list[str] = []
        reader = wrapper.add_reader(left, seen.append, "reader")
        wrapper.add_writer(left, seen.append, "writer")
        assert wrapper.pollable() == inner.pollable() == 2
        assert [type(handle).__name__ for handle in wrapper.poll(0)] == ["DescriptorHandle"]
        right.send(b"x")
        assert reader in wrapper.poll(0)
        reader.cancel()
        assert reader not in wrapper.poll(0)
        assert not wrapper.remove_reader(left)
        assert len(wrapper.forget(left)) == 1
        assert wrapper.pollable() == 0
        assert wrapper.polls == 3
    wrapper.close()
    with pytest.raises(ClosedError):
        wrapper.add_reader(0, print)
    with pytest.raises(ClosedError):
        inner.poll(0)


def test_a_loop_runs_on_a_wrapper_and_tells_what_is_registered() -> None:
    pollster = Counting(default_pollster())
    loop = EventLoop(pollster)
    reader, writer = os.pipe()
    try:
        loop.add_reader(reader, os.read, reader, 1)
        assert loop.stats().readers == 1
        loop.call_later(0, loop.stop)
        loop.run()
        assert pollster.polls == 1
        assert len(loop.close().readers) == 1
    finally:
        os.close(reader)
        os.close(writer)


def test_a_wrapper_shows_the_descriptor_of_the_pollster_inside() -> None:
    wrapper = PollsterWrapper(default_pollster())
    try:
        assert wrapper.fileno() >= 0
    finally:
        wrapper.close()


def test_an_arranged_loop_runs_its_queue_in_the_order_given() -> None:
    def backwards(queue: deque[QueueEntry]) -> int:
        queue.reverse()
        return len(queue)

    loop = EventLoop(arrange=backwards)
    seen: list[int] = []
    for number in range(4):
        loop.call_soon(seen.append, number)
    loop.call_later(-1, seen.append, 4)
    loop.run()
    loop.close()
    assert seen == [4, 3, 2, 1, 0]


def test_what_an_arranged_round_leaves_comes_in_the_next() -> None:
    sizes: list[int] = []

    def one_at_a_time(queue: deque[QueueEntry]) -> int:
        sizes.append(len(queue))
        return 1

    loop = EventLoop(arrange=one_at_a_time)
    seen: list[int] = []
    for number in range(3):
        loop.call_soon(seen.append, number)
    loop.run()
    loop.close()
    assert seen == [0, 1, 2]
    assert sizes == [3, 2, 1]


def test_a_failure_to_arrange_counts_no_callbacks() -> None:
    """It comes after a round that failed itself, and left one."""
    failing = False

    def arrange(queue: deque[QueueEntry]) -> int:
        if failing:
            raise LookupError("no order")
        return len(queue)

    loop = EventLoop(arrange=arrange)
    seen: list[int] = []
    loop.call_soon(int, "x")
    loop.call_soon(seen.append, 1)
    with pytest.raises(ValueError, match="'x'"):
        loop.run()
    told: list[str] = []

    def handler(error: Exception, _: QueueEntry) -> None:
        nonlocal failing
        told.append(str(error))
        failing = not failing

    loop.exception_handler = handler
    loop.call_soon(int, "y")
    loop.run()
    assert told == ["invalid literal for int() with base 10: 'y'"]
    failing = False
    loop.call_soon(int, "z")
    loop.call_soon(seen.append, 2)
    loop.run()
    assert told[1:] == ["invalid literal for int() with base 10: 'z'", "no order"]
    assert seen == [1, 2]
    assert loop.stats().callbacks == 5
    loop.close()


def test_a_handle_in_the_queue_can_be_redirected() -> None:
    seen: list[str] = []
    loop = EventLoop()
    handle = loop.call_soon(seen.append, "first")
    handle.redirect(lambda: seen.append("second"))
    loop.run()
    handle.cancel()
    handle.redirect(lambda: seen.append("third"))
    assert handle.cancelled
    loop.schedule(handle)
    loop.run()
    loop.close()
    assert seen == ["second"]


def test_a_handle_tells_whose_method_it_calls() -> None:
    seen: list[int] = []
    assert Handle(seen.clear).receiver is seen
    assert Handle(seen.append, 1).receiver is None
    assert Handle(lambda: None).receiver is None
    handle = Handle(seen.clear)
    handle.cancel()
    assert handle.receiver is None
