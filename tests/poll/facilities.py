"""The pollster classes, each with what has to be in place for it on this platform."""

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.poll import kqueue_model, libkqueue
from tulip_poll import EpollPollster, KqueuePollster, PollPollster, Pollster, SelectPollster


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


def facilities() -> list[object]:
    """Return every facility that can be tried here, as parameters of a fixture."""
    found: list[object] = [Facility("select", SelectPollster)]
    if hasattr(select, "poll"):
        found.append(Facility("poll", PollPollster))
    if hasattr(select, "epoll"):
        found.append(Facility("epoll", EpollPollster))
    if hasattr(select, "kqueue"):
        found.append(Facility("kqueue", KqueuePollster))
    elif sys.platform == "linux":
        found += [Facility("kqueue-model", KqueuePollster, kqueue_model), _libkqueue()]
    return found


def _libkqueue() -> object:
    name = libkqueue.find()
    if name is None:
        reason = "no libkqueue here: name it with TULIP_LIBKQUEUE, or install it"
        return pytest.param(
            Facility("libkqueue", KqueuePollster), marks=pytest.mark.skip(reason), id="libkqueue"
        )
    return Facility("libkqueue", KqueuePollster, libkqueue.load(name))
