"""Random histories of descriptors: opened, duplicated, closed with and without a word.

Whatever happened before, a registration made since its number was opened is returned exactly when
poll(), asked by number, finds it ready. The history that breaks this is printed, shortened.
``TULIP_FUZZ=10000`` tries that many, other ones each time.
"""

import os
import select
import socket
from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.poll.facilities import Facility, facilities
from tests.poll.numbers import Numbers
from tulip_poll import Handle, Pollster

MORE = os.environ.get("TULIP_FUZZ")

# Numbers so high that nothing else gets them by itself.
FIRST, PLACES = 500, 2
# Each as often as it takes for histories in which something can go wrong.
OPERATIONS = {
    "add_reader": 3,
    "add_edge_reader": 2,
    "add_writer": 2,
    "remove_reader": 1,
    "remove_writer": 1,
    "cancel_reader": 1,
    "cancel_writer": 1,
    "forget": 1,
    "write": 2,
    "read": 1,
    "hang_up": 1,
    "close_with_a_word": 1,
    "close_without_a_word": 2,
    "duplicate": 2,
    "return_of_a_duplicate": 1,
    "reopen": 3,
}
NAMES = [name for name, weight in OPERATIONS.items() for _ in range(weight)]
HISTORIES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, PLACES - 1)), min_size=30, max_size=60
)


class World:
    """A few numbers, each with a pipe or socket behind it that comes and goes."""

    def __init__(self, pollster: Pollster, numbers: Numbers) -> None:
        self.pollster = pollster
        self.numbers = numbers
        self.places: list[int] = []
        self.peers: dict[int, int] = {}
        self.duplicates: dict[int, tuple[int, int]] = {}
        # What is registered for the file that a number has now.
        self.readers: dict[int, Handle] = {}
        self.writers: dict[int, Handle] = {}
        # Of which of the readers it suffices to report what came since they were last reported.
        self.edges: set[Handle] = set()
        self.news: set[int] = set()
        self.ended: set[int] = set()
        for place in range(PLACES):
            self.places.append(FIRST + place)
            self.reopen(FIRST + place)

    def do(self, operation: str, fd: int) -> None:
        getattr(self, operation)(fd)

    def is_open(self, fd: int) -> bool:
        return fd in self.peers

    def add_reader(self, fd: int) -> None:
        if self.is_open(fd):
            self.readers[fd] = self.pollster.add_reader(fd, str)

    def add_edge_reader(self, fd: int) -> None:
        if self.is_open(fd):
            self.readers[fd] = handle = self.pollster.add_reader(fd, str, edge=True)
            self.edges.add(handle)
            self.news.add(fd)

    def add_writer(self, fd: int) -> None:
        if self.is_open(fd):
            self.writers[fd] = self.pollster.add_writer(fd, str)

    def remove_reader(self, fd: int) -> None:
        self.pollster.remove_reader(fd)
        self.readers.pop(fd, None)

    def remove_writer(self, fd: int) -> None:
        self.pollster.remove_writer(fd)
        self.writers.pop(fd, None)

    def cancel_reader(self, fd: int) -> None:
        if fd in self.readers:
            self.readers.pop(fd).cancel()

    def cancel_writer(self, fd: int) -> None:
        if fd in self.writers:
            self.writers.pop(fd).cancel()

    def forget(self, fd: int) -> None:
        self.pollster.forget(fd)
        self.readers.pop(fd, None)
        self.writers.pop(fd, None)

    def write(self, fd: int) -> None:
        if self.is_open(fd):
            self.news.add(fd)
            # The peer may have been hung up on.
            with suppress(BrokenPipeError):
                os.write(self.peers[fd], b"x")

    def read(self, fd: int) -> None:
        if self.is_open(fd):
            with suppress(BlockingIOError):
                os.read(fd, 100)

    def hang_up(self, fd: int) -> None:
        if self.is_open(fd):
            self.ended.add(fd)
            with socket.socket(fileno=os.dup(self.peers[fd])) as peer, suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def close_with_a_word(self, fd: int) -> None:
        self.forget(fd)
        self.close_without_a_word(fd)

    def close_without_a_word(self, fd: int) -> None:
        if self.is_open(fd):
            self.numbers.close(fd)
            self.ended.discard(fd)
            del self.peers[fd]
            self.readers.pop(fd, None)
            self.writers.pop(fd, None)

    def duplicate(self, fd: int) -> None:
        """Keep the open file alive beyond the closing of its number, and let it speak."""
        if self.is_open(fd):
            self.duplicates[fd] = self.numbers.duplicate(fd), self.peers[fd]
            self.write(fd)

    def return_of_a_duplicate(self, fd: int) -> None:
        """Open the number again, for the file that it once had."""
        if not self.is_open(fd) and fd in self.duplicates:
            duplicate, self.peers[fd] = self.duplicates.pop(fd)
            self.numbers.move(duplicate, fd)

    def reopen(self, fd: int) -> None:
        if not self.is_open(fd):
            ours, peer = self.numbers.socketpair()
            self.numbers.move(ours, fd)
            self.peers[fd] = peer

    def check(self) -> None:
        """Compare what the pollster says with what poll() says of the numbers."""
        # A poll may return early, with a ghost found out; the next one makes up for it.
        polls = [self.pollster.poll(0) for _ in range(3)]
        returned = [handle for handles in polls for handle in handles]
        assert not [handle for handle in returned if handle.cancelled]
        for book, event in ((self.readers, select.POLLIN), (self.writers, select.POLLOUT)):
            for fd, handle in book.items():
                probe = select.poll()
                probe.register(fd, event)
                told, ready = handle in returned, bool(probe.poll(0))
                if handle in self.edges and fd not in self.news | self.ended:
                    assert told <= ready, (fd, event)
                else:
                    assert told == ready, (fd, event)
        self.news.clear()


@pytest.mark.slow
@pytest.mark.parametrize(
    "facility", [each for each in facilities() if each.name != "libkqueue"], ids=lambda it: it.name
)
@settings(
    max_examples=int(MORE or 150),
    deadline=None,
    derandomize=MORE is None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=HISTORIES)
def test_no_history_makes_a_registration_miss_or_lie(
    facility: Facility, history: list[tuple[str, int]]
) -> None:
    with ExitStack() as stack:
        kind = stack.enter_context(facility.in_place())
        numbers = Numbers()
        stack.callback(numbers.close_all)
        pollster = kind()
        stack.callback(pollster.close)
        world = World(pollster, numbers)
        for operation, place in history:
            world.do(operation, world.places[place])
            world.check()
