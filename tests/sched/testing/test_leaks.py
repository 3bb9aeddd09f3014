"""The leak check: what it finds, by name, and what it lets pass."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from tulip_sched import (
    Event,
    TaskGroup,
    block_r,
    call_in_thread,
    create_task,
    current_context,
    move_on_after,
    run,
    sleep,
)
from tulip_sched.testing import LeakError, find_leaks, no_leaks


def test_nothing_is_found_where_nothing_is_left() -> None:
    async def main() -> None:
        async with TaskGroup() as group:
            group.start_soon(sleep(0.001))
            with move_on_after(0):
                await Event().wait()
            await call_in_thread(os.getpid)

    with no_leaks():
        run(main())
        assert find_leaks() == []
    assert find_leaks() == []


def test_a_look_in_the_midst_of_a_run_changes_nothing() -> None:
    left, right = socket.socketpair()
    released = threading.Event()

    async def main() -> list[str]:
        async with TaskGroup() as group:
            group.start_soon(block_r(left), "reader")
            group.start_soon(sleep(0.001), "sleeper")
            group.start_soon(call_in_thread(released.wait), "thread")
            await sleep(0)
            found = find_leaks()
            right.send(b"x")
            released.set()
        return found

    with left, right, no_leaks():
        found = "\n".join(run(main()))
    for told in ("'reader'", "<Watch", "1 descriptors", "1 timers", "1 functions in threads"):
        assert told in found


@pytest.fixture
def opened() -> Iterator[list[int]]:
    """Descriptors that a test leaves open on purpose."""
    numbers: list[int] = []
    yield numbers
    for number in numbers:
        os.close(number)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of descriptors")  # noqa: PTH112
def test_a_descriptor_left_open_is_found(opened: list[int]) -> None:
    with pytest.raises(LeakError, match=r"descriptor .* -> pipe") as found, no_leaks():
        opened.extend(os.pipe())
    assert str(found.value).count("descriptor") == 2


def test_a_reader_left_registered_is_found() -> None:
    left, right = socket.socketpair()
    with left, right, pytest.raises(LeakError, match=r"descriptor .*print"), no_leaks() as context:
        context.eventloop.add_reader(left, print)


def test_a_task_left_over_is_found() -> None:
    with pytest.raises(LeakError, match="'forgotten'"), no_leaks():
        _task = create_task(sleep(0), "forgotten")


def test_a_block_that_fails_is_not_searched() -> None:
    def fail() -> None:
        current_context().eventloop.call_later(9, print)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), no_leaks():
        fail()
