"""The pollster classes, each with what has to be in place for it on this platform."""

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.poll import kqueue_model, libkqueue
from tulip_poll import (
    EpollPollster,
    KqueuePollster,
    PollPollster,
    Pollster,
    PollsterWrapper,
    SelectPollster,
    default_pollster,
)


@dataclass(frozen=True)
class Facility:
    """A pollster class over one implementation of what it stands on."""

    name: str
    pollster: type[Pollster]
    # Where `select` has no kqueue, what takes the place of it.
    stand_in: object = None

    @contextmanager
    def in_place(self) -> Iterator[type[Pollster]]:
        """Put the stand-in into `select`, for as long as the block runs."""
        with pytest.MonkeyPatch.context() as patch:
            for name in dir(self.stand_in):
                if name.startswith("KQ_") or name in {"kqueue", "kevent"}:
                    patch.setattr(select, name, getattr(self.stand_in, name), raising=False)
            yield self.pollster


class Wrapped(PollsterWrapper):
    """The default pollster with a wrapper around it, which is to change nothing."""

    def __init__(self) -> None:
        super().__init__(default_pollster())


def facilities() -> list[Facility]:
    """Return every facility that can be tried here, as the parameters of a fixture."""
    found = [Facility("select", SelectPollster), Facility("wrapped", Wrapped)]
    if hasattr(select, "poll"):
        found.append(Facility("poll", PollPollster))
    if hasattr(select, "epoll"):
        found.append(Facility("epoll", EpollPollster))
    if hasattr(select, "kqueue"):
        found.append(Facility("kqueue", KqueuePollster))
    elif sys.platform == "linux":
        found.append(Facility("kqueue-model", KqueuePollster, kqueue_model))
        name = libkqueue.find()
        if name is not None:
            found.append(Facility("libkqueue", KqueuePollster, libkqueue.load(name)))
    return found


def excuse_libkqueue(facility: Facility) -> None:
    """Skip what holds for a kernel's kqueue, and not for one that stands on epoll itself.

    libkqueue inherits epoll's ghosts: events of a file that lives on after its number was closed.
    """
    if facility.name == "libkqueue":
        pytest.skip("libkqueue stands on epoll, and cannot know of a closed number")
