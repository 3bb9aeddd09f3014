"""Forked processes: what a child has of its parent's loops and pollsters.

The memory of a child is a copy, but what the kernel keeps is often one thing for both. An epoll set
is: an entry that the child takes out, as it does when it closes a transport, is gone for its parent
too, who would wait for ever. What one of them reads from the descriptor of wake-ups, the other does
not see; and a signal in the child would wake the parent. A kernel queue (kqueue) is not inherited
at all. So a child gets its own of each, before its first line is run:

- A loop that does not run, and is no other thread's, is a copy that can be used: with the same
  registrations, under the same numbers, for a server that opens its ports first and forks then.
- A loop that runs, or was another thread's, is *left behind*: what is in its queue, and who waits
  for it, is the parent's. The child's copy is as good as closed.

The rules that hold here:

1. Nothing in the child asks the kernel to change what is the parent's as well. Closing a descriptor
   is no such thing: the parent has its own.
2. Python destroys what other threads had for themselves (`threading.local`) before it calls the
   functions of `os.register_at_fork`. So whoever is called by that, or by a copy of a number that
   stands for another thread, compares `os.getpid` itself; and what is done here is done once.
3. What nobody needs any more must not be kept for this.

Source: fork(2), epoll(7), kqueue(2); CPython's `PyOS_AfterFork_Child`.
"""

import os
import socket
from typing import Protocol
from weakref import ref


class Inherited(Protocol):
    """What has to do something in a child before it is used there, in two steps."""

    def _let_go(self) -> None:
        """Close what is the parent's as well, or is not here at all.

        Nothing is opened that gets a number of its own: the number might be one of those that
        another one is yet to close.
        """
        ...

    def _begin_anew(self) -> None:
        """Become the child's own, or useless."""
        ...


_living: set[ref[Inherited]] = set()
_forget = _living.discard


def heed_forks(thing: Inherited) -> None:
    """Have the two steps done in each forked process, as long as there is this thing."""
    # All in C, as each run makes a loop: with a `WeakSet` this takes twice as long.
    _living.add(ref(thing, _forget))


def _begin_anew() -> None:
    things = [thing for each in list(_living) if (thing := each()) is not None]
    for thing in things:
        thing._let_go()
    for thing in things:
        thing._begin_anew()


def replace(new: int, old: int) -> None:
    """Put the file behind one descriptor behind another one, in place of that one's; close it."""
    os.dup2(new, old, inheritable=False)
    os.close(new)


def replace_pair(read_fd: int, write_fd: int) -> None:
    """Put a new pair of non-blocking sockets behind two descriptors."""
    for new, old in zip(socket.socketpair(), (read_fd, write_fd), strict=True):
        new.setblocking(False)
        replace(new.detach(), old)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
