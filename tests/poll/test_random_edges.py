"""Random histories of TCP connections whose readers take all there is: no input goes unreported.

Who reads short has to be told of what comes later, or is there still: data behind an urgent byte,
an end, a reset. Readers and writers come and go meanwhile, descriptors are closed behind the
pollster's back while duplicates live on, and the pollster may be hosted.
"""

import random
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from tests.poll.facilities import Facility, facilities
from tests.seeds import every_seed, telling
from tulip_poll import Handle, Pollster

STEPS = 60


@dataclass
class Connection:
    """One connection, and what its reader knows.

    Attributes:
        told: There was an event, and nobody has read since.
        more: The last read filled its limit, or met the end: there may be more to read.
    """

    here: socket.socket
    there: socket.socket
    reader: Handle | None = None
    writer: Handle | None = None
    told: bool = False
    more: bool = False

    def is_readable(self) -> bool:
        return self.is_ready(select.POLLIN)

    def is_ready(self, events: int) -> bool:
        probe = select.poll()
        probe.register(self.here, events)
        return bool(probe.poll(0))

    def read(self, limit: int) -> None:
        self.told = False
        try:
            data = self.here.recv(limit)
        except BlockingIOError:
            self.more = False
        except OSError:
            self.more = True
        else:
            self.more = len(data) == limit or not data


@dataclass
class World:
    """A few connections to one listener, watched by one pollster."""

    pollster: Pollster
    listener: socket.socket
    luck: random.Random
    cleanup: ExitStack
    history: list[str] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    hosted: bool = False
    ghosts: bool = False

    def connect(self) -> tuple[socket.socket, socket.socket]:
        there = self.cleanup.enter_context(socket.create_connection(self.listener.getsockname()))
        here = self.cleanup.enter_context(self.listener.accept()[0])
        for end in (here, there):
            end.setblocking(False)
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return here, there

    def step(self) -> None:
        connection, operation = self.luck.choice(self.connections), self.luck.choice(OPERATIONS)
        name = operation.__name__.strip("_")
        self.history.append(f"{name} {self.connections.index(connection)}")
        with suppress(OSError):
            operation(self, connection)
        if self.luck.random() < 0.2:
            self.poll()

    def poll(self) -> None:
        host_told = self.hosted and bool(select.select([self.pollster.fileno()], [], [], 0)[0])
        returned = self.pollster.poll(0)
        assert host_told or not (self.hosted and returned), "the host was not told"
        if self.ghosts:
            # A poll may return early, with a ghost found out; the next one makes up for it.
            returned += self.pollster.poll(0) + self.pollster.poll(0)
        self.history.append(f"poll: {len(returned)}")
        for number, each in enumerate(self.connections):
            each.told |= each.reader in returned
            if each.reader is not None and not (each.told or each.more) and each.is_readable():
                # It may have come since the poll, where the kernel is in no hurry.
                each.told = each.reader in self.pollster.poll(0)
                assert each.told, f"the input of {number} is not reported"
            if each.writer is not None and each.writer not in returned:
                assert not each.is_ready(select.POLLOUT), f"the room of {number} is not reported"

    def drain(self) -> None:
        """Read all there is, as far as we are told."""
        for each in self.connections:
            if each.reader is None:
                _add(self, each)
        for _ in range(500):
            self.poll()
            waiting = [each for each in self.connections if each.told or each.more]
            if not [each for each in waiting if each.told or each.is_readable()]:
                return
            for each in waiting:
                each.read(200)
                if each.more and not each.here.fileno() < 0 and self.is_at_its_end(each):
                    _reopen(self, each)

    def is_at_its_end(self, connection: Connection) -> bool:
        try:
            return not connection.here.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


def _send(world: World, connection: Connection) -> None:
    connection.there.send(b"x" * world.luck.choice([1, 2, 5, 10, 200]))


def _send_urgent(world: World, connection: Connection) -> None:
    connection.there.send(b"!", socket.MSG_OOB)


def _shut(world: World, connection: Connection) -> None:
    if world.luck.random() < 0.3:
        connection.there.shutdown(world.luck.choice([0, 1, 2]))


def _reset(world: World, connection: Connection) -> None:
    if world.luck.random() < 0.2:
        linger = b"\1\0\0\0\0\0\0\0"
        connection.there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.there.close()


def _add_writer(world: World, connection: Connection) -> None:
    connection.writer = world.pollster.add_writer(connection.here, str)


def _remove_writer(world: World, connection: Connection) -> None:
    world.pollster.remove_writer(connection.here)
    connection.writer = None


def _add(world: World, connection: Connection) -> None:
    edge = world.luck.random() < 0.8
    connection.reader = world.pollster.add_reader(connection.here, str, edge=edge)
    connection.told = False


def _remove(world: World, connection: Connection) -> None:
    if connection.reader is None or world.luck.random() < 0.5:
        world.pollster.remove_reader(connection.here)
    else:
        connection.reader.cancel()
    connection.reader = None


def _forget(world: World, connection: Connection) -> None:
    if world.luck.random() < 0.3:
        world.pollster.forget(connection.here)
        connection.reader = connection.writer = None


def _read(world: World, connection: Connection) -> None:
    if connection.told or connection.more:
        connection.read(world.luck.choice([1, 2, 5, 100]))


def _be_hosted(world: World, connection: Connection) -> None:
    if world.luck.random() < 0.1:
        world.pollster.fileno()  # or there is none, and the error ends the step
        world.hosted = True


def _reopen(world: World, connection: Connection) -> None:
    world.pollster.forget(connection.here)
    connection.here.close()
    connection.there.close()
    _begin_anew(world, connection)


def _begin_anew(world: World, connection: Connection) -> None:
    connection.here, connection.there = world.connect()
    connection.reader = connection.writer = None
    connection.told = connection.more = False


def _reopen_silently(world: World, connection: Connection) -> None:
    if world.luck.random() < 0.2:
        if world.luck.random() < 0.5:
            world.cleanup.enter_context(connection.here.dup())
        world.ghosts = True
        connection.here.close()
        _begin_anew(world, connection)


OPERATIONS: list[Callable[[World, Connection], None]] = [
    *([_send] * 3 + [_read] * 4 + [_add] * 2),
    *(_send_urgent, _shut, _reset, _add_writer, _remove_writer, _remove, _forget),
    *(_be_hosted, _reopen, _reopen_silently),
]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as made:
        yield made


@every_seed(12)
@pytest.mark.parametrize(
    "facility", [each for each in facilities() if each.name != "libkqueue"], ids=lambda it: it.name
)
def test_no_input_goes_unreported(listener: socket.socket, facility: Facility, seed: int) -> None:
    for each in range(10):
        with facility.in_place() as kind, ExitStack() as cleanup:
            pollster = kind()
            cleanup.callback(pollster.close)
            world = World(pollster, listener, random.Random(10 * seed + each), cleanup)
            world.connections += [Connection(*world.connect()) for _ in range(3)]
            with telling(seed, world.history):
                for _ in range(STEPS):
                    world.step()
                world.drain()
