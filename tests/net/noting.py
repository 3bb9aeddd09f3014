"""Running a program over a pollster that notes what is registered with it."""

from collections.abc import Coroutine
from typing import Any

from tulip_net import run
from tulip_net._typing import override
from tulip_poll import EpollPollster, EventLoop
from tulip_poll._pollster import EDGE
from tulip_poll._wrapper import PollsterWrapper
from tulip_sched import Context, set_context_provider


class Noting(PollsterWrapper):
    """Notes of each registration whose it is, and whether it is edge-triggered."""

    def __init__(self) -> None:
        super().__init__(EpollPollster())
        self.registrations: list[tuple[int, bool]] = []

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        self.registrations.append((fd, direction & EDGE != 0))
        super()._attach(fd, direction)


def registrations(main: Coroutine[Any, Any, None]) -> list[tuple[int, bool]]:
    """Run a program and return what it registered: numbers, and whether edge-triggered."""
    pollster = Noting()
    context = Context(EventLoop(pollster))
    previous = set_context_provider(lambda: context)
    try:
        run(main)
    finally:
        set_context_provider(previous)
        context.eventloop.close()
    return pollster.registrations
