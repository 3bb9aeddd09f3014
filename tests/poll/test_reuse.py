"""Numbers closed behind a pollster's back, where the kernel keeps a set: epoll, kqueue."""

import os
import select
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.poll import kqueue_model
from tests.poll.facilities import Facility
from tests.poll.numbers import Numbers
from tulip_poll import EpollPollster, KqueuePollster, Pollster
from tulip_poll.pollsters._epoll import FEW

MakePair = Callable[[], tuple[socket.socket, socket.socket]]

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="Linux's epoll")


def nothing() -> None:
    """Be a callback."""


@pytest.fixture
def epoll() -> Iterator[EpollPollster]:
    """A pollster over epoll."""
    made = EpollPollster()
    yield made
    made.close()


@pytest.fixture(
    params=[Facility("epoll", EpollPollster), Facility("kqueue", KqueuePollster, kqueue_model)],
    ids=["epoll", "kqueue-model"],
)
def keeper(request: pytest.FixtureRequest) -> Iterator[Pollster]:
    """A pollster whose kernel knows which file a registration was for."""
    with request.param.in_place() as kind:
        made = kind()
        yield made
        made.close()


def test_the_other_direction_of_the_old_file_is_not_the_new_ones(
    keeper: Pollster, pair: MakePair, numbers: Numbers
) -> None:
    here, there = pair()
    number, _ = numbers.pipe()
    stale = keeper.add_reader(number, nothing)
    numbers.duplicate_at(here.fileno(), number)
    writer = keeper.add_writer(number, nothing)
    there.send(b"x")
    assert stale.cancelled
    assert keeper.poll(0) == [writer]
    assert keeper.pollable() == 1


def test_adding_a_refused_file_under_a_reused_number_changes_nothing(
    epoll: EpollPollster, numbers: Numbers, tmp_path: Path
) -> None:
    read_end, _ = numbers.pipe()
    reader = epoll.add_reader(read_end, nothing)
    with (tmp_path / "file").open("w") as file:
        numbers.duplicate_at(file.fileno(), read_end)
        with pytest.raises(PermissionError, match=r"\(a regular file or a folder\?\)"):
            epoll.add_writer(read_end, nothing)
    assert not reader.cancelled
    assert epoll.pollable() == 1


def make_ghost(pollster: Pollster, numbers: Numbers) -> tuple[int, int]:
    """Register, duplicate, close: the kernel reports a number for a file that has it no more.

    Returns:
        The number, and what makes the ghost speak when written to.
    """
    read_end, write_end = numbers.pipe()
    pollster.add_reader(read_end, nothing)
    numbers.duplicate(read_end)
    numbers.close(read_end)
    pollster.remove_reader(read_end)
    return read_end, write_end


def test_a_ghost_is_gone_after_its_first_event(epoll: EpollPollster, numbers: Numbers) -> None:
    before = epoll._epoll
    _, write_end = make_ghost(epoll, numbers)
    os.write(write_end, b"x")
    assert epoll.poll(0) == []
    assert epoll._epoll is not before
    after = epoll._epoll
    assert epoll.poll(0) == []
    assert epoll._epoll is after


def test_a_ghost_that_speaks_under_a_number_that_is_ready_too_does_not_spin(
    epoll: EpollPollster, numbers: Numbers, pair: MakePair
) -> None:
    """The ghost has input, and so has the new file, but only a writer is registered for it."""
    here, there = pair()
    number, write_end = make_ghost(epoll, numbers)
    numbers.duplicate_at(here.fileno(), number)
    there.send(b"x")
    while True:
        try:
            os.write(here.fileno(), b"x" * 65536)
        except BlockingIOError:
            break
    epoll.add_writer(number, nothing)
    os.write(write_end, b"x")
    assert epoll.poll(0) == []
    before = epoll._epoll
    assert epoll.poll(0) == []
    assert epoll._epoll is before


def test_a_ghost_with_more_events_than_the_new_file_is_found_out(
    epoll: EpollPollster, numbers: Numbers, pair: MakePair
) -> None:
    """Both are writable, but only the ghost has input; a reader is registered for the new file."""
    (old, old_there), (new, new_there) = pair(), pair()
    number = numbers.duplicate(old.fileno())
    epoll.add_reader(number, nothing)
    epoll.add_writer(number, nothing)
    numbers.duplicate_at(new.fileno(), number)
    reader = epoll.add_reader(number, nothing)
    old_there.send(b"x")
    assert epoll.poll(0) == []
    new_there.send(b"x")
    assert epoll.poll(0) == [reader]


def test_making_the_set_anew_keeps_every_registration(
    epoll: EpollPollster, numbers: Numbers, pair: MakePair
) -> None:
    ends = [pair() for _ in range(10)]
    handles = []
    for here, there in ends:
        handles += [epoll.add_reader(here, nothing), epoll.add_writer(here, nothing)]
        there.send(b"x")
    _, write_end = make_ghost(epoll, numbers)
    os.write(write_end, b"x")
    epoll.poll(0)
    assert sorted(epoll.poll(0), key=id) == sorted(handles, key=id)


def test_making_the_set_anew_passes_over_what_is_closed(
    epoll: EpollPollster, numbers: Numbers
) -> None:
    closed, _ = numbers.pipe()
    handle = epoll.add_reader(closed, nothing)
    _, write_end = make_ghost(epoll, numbers)
    numbers.close(closed)
    os.write(write_end, b"x")
    assert epoll.poll(0) == []
    assert epoll.forget(closed) == [handle]


def test_suspicion_ends_when_many_numbers_are_under_it(
    epoll: EpollPollster, numbers: Numbers
) -> None:
    """Closing before removing costs a check for each event, so it does not go on for ever."""
    highest = 0
    for _ in range(3 * FEW):
        ends = [numbers.pipe() for _ in range(2)]
        for read_end, _ in ends:
            epoll.add_reader(read_end, nothing)
        for read_end, write_end in ends:
            numbers.close(read_end)
            epoll.remove_reader(read_end)
            numbers.close(write_end)
        numbers.pipe()
        highest = max(highest, len(epoll._suspects))
    assert FEW / 2 < highest <= FEW + 3


def test_a_child_that_holds_the_file_is_a_ghost_too(epoll: EpollPollster, numbers: Numbers) -> None:
    """The usual way for a file to live on: a program started while it was open."""
    read_end, write_end = numbers.pipe()
    epoll.add_reader(read_end, nothing)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[read_end]):
        numbers.close(read_end)
        epoll.remove_reader(read_end)
        os.write(write_end, b"x")
        assert epoll.poll(0) == []
        assert epoll.poll(0.001) == []
