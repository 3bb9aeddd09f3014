"""What the tests of this layer share: virtual time, socket pairs."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.sched.invariants import between_rounds
from tests.sched.virtual import Virtual
from tulip_sched import set_context_provider


@pytest.fixture
def virtual() -> Iterator[Virtual]:
    """A context with virtual time and books that are checked, which nothing may be left in."""
    # With a thousand tasks a look at each of them, and at its scopes, takes long.
    made = Virtual(lambda queue: check(queue) if len(made.context.tasks) < 100 else len(queue))
    violations: list[AssertionError] = []
    check = between_rounds(made, None, violations)
    previous = set_context_provider(lambda: made.context)
    try:
        yield made
        left = made.left()
    finally:
        set_context_provider(previous)
        made.context.close()
        made.loop.close()
    assert not violations, violations[0]
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
