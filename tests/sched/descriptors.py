"""Steps of random programs that wait on descriptors, which others read, forget and close."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.sched.sockets import drain, fill, readable, writable
from tulip_sched import (
    BusyError,
    CancelScope,
    ClosedError,
    Coroutine,
    Gen,
    SuspendError,
    Watch,
    block_r,
    block_w,
    coroutine,
    current_context,
    move_on_after,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sched.programs import World


class Ends:
    """Two socket pairs, and a Watch for each end that somebody waited on in that way."""

    def __init__(self) -> None:
        self.all: list[socket.socket] = []
        self.watches: dict[socket.socket, Watch] = {}
        for _ in range(2):
            self.all += self._pair()

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            # So little that who writes has to wait.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        return pair

    def end(self, number: int) -> socket.socket:
        return self.all[number % len(self.all)]

    def wait(self, end: socket.socket, how: int, to_read: bool) -> Coroutine[None]:
        """Wait in one of the three ways there are."""
        if how < 2:
            watch = self.watches.get(end)
            if watch is None or watch._fd < 0:
                watch = self.watches[end] = Watch(end.fileno())
                watch.edge_after = 2 if how else None
            return readable(watch) if to_read else writable(watch)
        file = end if how == 2 else end.fileno()
        return block_r(file) if to_read else block_w(file)

    def forget(self, end: socket.socket) -> None:
        watch = self.watches.pop(end, None)
        if watch is not None:
            watch.forget()

    def reopen(self, number: int, silently: bool) -> None:
        """Replace a pair; ``silently``, without a word about what nobody waits for."""
        at = number % 2 * 2
        for end in self.all[at : at + 2]:
            self.watches.pop(end, None)
            watch = current_context().watches.get(end.fileno())
            if watch is not None and not (silently and watch.idle() and watch.owner is not None):
                watch.forget()
            end.close()
        self.all[at : at + 2] = self._pair()

    def close(self) -> None:
        for end in self.all:
            end.close()


@coroutine
def _wait(world: World, one: int, two: int, *, to_read: bool) -> Gen[None]:
    end = world.ends.end(one)
    with suppress(BusyError, ClosedError):
        for _ in range(1 + (one + two) % 3):
            if end.fileno() < 0:
                return
            yield from world.ends.wait(end, two, to_read)
            with suppress(BlockingIOError, OSError):
                if to_read:
                    end.recv(1)
                else:
                    end.send(b"x" * 10_000)


@coroutine
def _read(world: World, one: int, two: int) -> Gen[None]:
    yield from _wait(world, one, two, to_read=True)


@coroutine
def _write(world: World, one: int, two: int) -> Gen[None]:
    yield from _wait(world, one, two, to_read=False)


@coroutine
def _read_a_while(world: World, one: int, two: int) -> Gen[None]:
    with move_on_after(two):
        yield from _wait(world, one, two // 2, to_read=True)


@coroutine
def _read_and_cancel(world: World, one: int, two: int) -> Gen[None]:
    """Be woken, and wait again at once, in a scope that is cancelled by then."""
    end = world.ends.end(one)
    with CancelScope() as scope, world.open(scope), suppress(BusyError, ClosedError):
        for _ in range(2):
            if end.fileno() >= 0:
                yield from world.ends.wait(end, two, to_read=True)
                scope.cancel()


@coroutine
def _read_twice(world: World, one: int, two: int) -> Gen[None]:
    """Wait for one end, and be refused a wait for another before the `yield`."""
    end, other = world.ends.end(one), world.ends.end(one + 1 + two)
    with move_on_after(two), suppress(BusyError, ClosedError):
        next(iter(world.ends.wait(end, 0, to_read=True)))
        with suppress(BusyError, ClosedError, SuspendError):
            next(iter(world.ends.wait(other, 1, to_read=True)))
        yield
        with suppress(OSError):
            end.recv(1)


@coroutine
def _write_a_while(world: World, one: int, two: int) -> Gen[None]:
    with move_on_after(two):
        yield from _wait(world, one, two // 2, to_read=False)


@coroutine
def _send(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    with suppress(OSError):
        world.ends.end(one).send(b"x" * (1 + two))


@coroutine
def _fill(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    with suppress(OSError):
        fill(world.ends.end(one))


@coroutine
def _drain(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    with suppress(OSError):
        drain(world.ends.end(one))


@coroutine
def _forget(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    world.ends.forget(world.ends.end(one))


@coroutine
def _reopen(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    world.ends.reopen(one, silently=two < 2)


DESCRIPTORS: dict[str, Callable[..., Coroutine[None]]] = {
    "read": _read,
    "read a while": _read_a_while,
    "read and cancel": _read_and_cancel,
    "read twice": _read_twice,
    "write": _write,
    "write a while": _write_a_while,
    "send": _send,
    "fill": _fill,
    "drain": _drain,
    "forget": _forget,
    "reopen": _reopen,
}
