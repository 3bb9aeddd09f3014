"""What the tests of this layer share: virtual time, socket pairs."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import set_context_provider


@pytest.fixture
def virtual() -> Iterator[Virtual]:
    """A context with virtual time, which nothing may be left in."""
    made = Virtual()
    previous = set_context_provider(lambda: made.context)
    try:
        yield made
        left = made.left()
    finally:
        set_context_provider(previous)
        made.context.close()
        made.loop.close()
    assert not left, f"left in the loop: {left}"


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """A function that makes two connected, non-blocking sockets."""
    with ExitStack() as cleanup:

        def make() -> tuple[socket.socket, socket.socket]:
            ends = socket.socketpair()
            for end in ends:
                end.setblocking(False)
                cleanup.enter_context(end)
            return ends

        yield make
