"""Forked processes: a client that was made before the fork has connections of its own in each.

A connection is one for both processes, though each has a descriptor of it, and TLS has its state in
the memory of each: were both to use it, answers would go to the wrong one, and records make no
sense. So what a pool has is forgotten in the child before its first line is run. The descriptors
are closed there, as the server would not see the end of a connection while any process has one;
nothing is sent. Answers that are still coming are the parent's, and its threads are not there.

Source: fork(2); CPython's documentation of `os.register_at_fork`.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import ref


class Inherited(Protocol):
    """What has to do something in a forked process before it is used there."""

    def begin_anew(self) -> None:
        """Let go of what is the parent's."""
        ...


_process = os.getpid()

_living: set[ref[Inherited]] = set()
_forget = _living.discard


def heed_forks(thing: Inherited) -> None:
    """Have ``begin_anew`` called in each forked process, as long as there is this thing."""
    _living.add(ref(thing, _forget))


def being_forked() -> bool:
    """Whether this is a forked process in which nobody has been told of it yet.

    Python collects what other threads had for themselves (`threading.local`) before it tells.
    """
    return os.getpid() != _process


def _begin_anew() -> None:
    global _process  # noqa: PLW0603 - the one place where it changes
    _process = os.getpid()
    for each in list(_living):
        thing = each()
        if thing is not None:
            thing.begin_anew()


if hasattr(os, "register_at_fork"):
    # After those of the layers below, by the order of the imports.
    os.register_at_fork(after_in_child=_begin_anew)
