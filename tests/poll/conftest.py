"""What the tests of this layer share: pollsters of every kind, loops over them, socket pairs."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.poll.facilities import Facility, facilities
from tests.poll.numbers import Numbers
from tests.poll.virtual import Clock, ScriptedPollster
from tulip_poll import EventLoop, Pollster


@pytest.fixture(params=facilities(), ids=lambda facility: facility.name)
def facility(request: pytest.FixtureRequest) -> Iterator[Facility]:
    """Each kind of pollster in turn."""
    with request.param.in_place():
        yield request.param


@pytest.fixture
def pollster(facility: Facility) -> Iterator[Pollster]:
    """A pollster of each kind."""
    made = facility.pollster()
    yield made
    made.close()


@pytest.fixture
def any_loop(pollster: Pollster) -> Iterator[EventLoop]:
    """An event loop over a pollster of each kind."""
    loop = EventLoop(pollster)
    yield loop
    loop.close()


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    """An event loop over the default pollster."""
    made = EventLoop()
    yield made
    made.close()


@pytest.fixture
def virtual_loop() -> Iterator[EventLoop]:
    """An event loop whose time passes only when it waits."""
    clock = Clock()
    made = EventLoop(ScriptedPollster(clock), clock)
    yield made
    made.close()


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Callbacks for the end of the test."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pair(cleanup: ExitStack) -> Callable[[], tuple[socket.socket, socket.socket]]:
    """A function that makes two connected, non-blocking sockets."""

    def make() -> tuple[socket.socket, socket.socket]:
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
            cleanup.enter_context(end)
        return ends

    return make


@pytest.fixture
def numbers() -> Iterator[Numbers]:
    """Bare descriptor numbers, closed at the end."""
    made = Numbers()
    yield made
    made.close_all()
