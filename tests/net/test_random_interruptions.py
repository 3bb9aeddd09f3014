"""Transports in both directions at once, every operation cancelled now and then: no byte is lost.

Nor is one there twice: what `unsent` says was not taken is sent again, and the two ends agree.
"""

import random
import socket
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import BinaryIO

import pytest

from tests.net.interrupting import interrupted
from tests.net.pairs import every_pair, faulty, over_tls
from tests.opponents.certificates import Certificates
from tests.seeds import every_seed, telling
from tulip_net import (
    BufferedReader,
    Coroutine,
    SocketTransport,
    Transport,
    coroutine,
    create_task,
    run,
    wait_all,
)
from tulip_net.testing import MakePair, memory_pair
from tulip_sched.testing import virtual_time

SIZES = [0, 1, 1000, 20_000, 100_000]
PIECES = [1, 10, 1000, 16384, 16385, 70_000, 262_145]
LIMITS = [1, 5, 1000, 16384, 65536, 300_000]
# How many exchanges make a test of each kind.
KINDS = {
    "unix": 6,
    "tcp": 6,
    "tight unix": 6,
    "pipes": 6,
    "memory": 6,
    "tight memory": 6,
    "faulty memory": 6,
    "tls over tight unix": 3,
    "tls in memory": 3,
    "tls in tight memory": 3,
    "tls over faulty memory": 3,
    "tls in tls": 2,
    "tls in tls in tight memory": 2,
}
TIGHT = 4500
"""Bytes: room for so little that whoever sends has to wait, also for what TLS says by itself."""


@coroutine
async def tight_memory() -> tuple[Transport, Transport]:
    return memory_pair(TIGHT)


@coroutine
async def tight_unix() -> tuple[Transport, Transport]:
    a, b = socket.socketpair()
    for end in (a, b):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, TIGHT)
    return SocketTransport(a), SocketTransport(b)


def pair_of_kind(kind: str, certificates: Certificates) -> MakePair:
    tls_in_tight_memory = over_tls(tight_memory, certificates)
    return {
        **every_pair(certificates),
        "tight memory": tight_memory,
        "tight unix": tight_unix,
        "tls over tight unix": over_tls(tight_unix, certificates),
        "tls in tight memory": tls_in_tight_memory,
        "tls over faulty memory": over_tls(faulty(tight_memory), certificates),
        "tls in tls in tight memory": over_tls(tls_in_tight_memory, certificates),
    }[kind]


class Direction:
    """One direction of a connection: what is sent, how much of it has come, and what was done."""

    def __init__(self, seed: int, name: str, file: BinaryIO, history: list[str]) -> None:
        self.luck = {who: random.Random(f"{seed} {name} {who}") for who in ("sender", "receiver")}
        self.data = self.luck["sender"].randbytes(self.luck["sender"].choice(SIZES))
        self.file = file
        file.write(self.data)
        file.flush()
        # Whether the stream ends with the data, or goes on without a word.
        self.ends = self.luck["sender"].random() < 0.8
        self.got = 0
        self.name = name
        self.history = history

    async def send(self, transport: Transport) -> None:
        """Send all of it in random pieces, each in one of the ways there are; then the end."""
        luck, at = self.luck["sender"], 0
        while at < len(self.data):
            piece = self.data[at : at + luck.choice(PIECES)]
            way = luck.randrange(4)
            done = await interrupted(luck, self.sending(transport, way, at, piece))
            unsent = transport.unsent
            self.note(f"sent in way {way}: {len(piece)} but {unsent}, {bool(done)}")
            assert 0 <= unsent <= len(piece)
            assert not (done and unsent)
            at += len(piece) - unsent
        while not await interrupted(
            luck, transport.send_eof() if self.ends else transport.send(b"")
        ):
            self.note("the last of it was cancelled")

    def sending(self, transport: Transport, way: int, at: int, piece: bytes) -> Coroutine[object]:
        half = self.luck["sender"].randint(0, len(piece))
        match way:
            case 0:
                return transport.send(piece)
            case 1:
                return transport.send(memoryview(piece))
            case 2:
                return transport.send(piece[:half], bytearray(piece[half:]))
        return transport.send_file(self.file, at, len(piece))

    async def receive(self, transport: Transport) -> None:
        """Receive to the end, in random ways."""
        luck = self.luck["receiver"]
        buffered = BufferedReader(transport) if luck.random() < 0.5 else None
        while self.ends or self.got < len(self.data):
            limit = luck.choice(LIMITS)
            if buffered is None:
                taken = await self.receive_plainly(transport, limit)
            else:
                taken = await self.read(buffered, limit)
            for data in taken:
                self.note(f"{len(data)} of {limit} received")
                assert self.data.startswith(data, self.got), "something else was sent"
                self.got += len(data)
                if not data:
                    assert self.got == len(self.data), f"{self.got} have come, then the end"
                    return

    async def receive_plainly(self, transport: Transport, limit: int) -> list[bytes]:
        luck = self.luck["receiver"]
        if luck.random() < 0.7:
            return await interrupted(luck, transport.recv(limit))
        buffer = bytearray(limit)
        counts = await interrupted(luck, transport.recv_into(buffer))
        return [bytes(buffer[:count]) for count in counts]

    async def read(self, buffered: BufferedReader, limit: int) -> list[bytes]:
        luck, left = self.luck["receiver"], len(self.data) - self.got
        match luck.randrange(3):
            case 0 if left:
                return await interrupted(luck, buffered.readexactly(min(limit, left)))
            case 1:
                count = min(limit, 60_000, max(left, 1))
                for seen in await interrupted(luck, buffered.peek(count)):
                    assert self.data.startswith(seen, self.got)
        return await interrupted(luck, buffered.read(limit))

    def note(self, what: str) -> None:
        self.history.append(f"{self.name}: {what}")


async def exchange(there: Direction, back: Direction, make_pair: MakePair) -> None:
    a, b = await make_pair()
    with a, b:
        coros = [there.send(a), there.receive(b), back.send(b), back.receive(a)]
        tasks = [create_task(coro) for coro in coros]
        await wait_all(tasks)
        for task in tasks:
            task.result()
        luck = there.luck["sender"]
        closing = [create_task(end.aclose()) for end in (a, b) if luck.random() < 0.7]
        await wait_all(closing)
        for task in closing:
            task.result()


@every_seed(8)
@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_is_lost_or_there_twice(seed: int, kind: str, certificates: Certificates) -> None:
    make_pair = pair_of_kind(kind, certificates)
    for each in range(100 * seed, 100 * seed + KINDS[kind]):
        history: list[str] = []
        with telling(each, history), ExitStack() as stack, virtual_time():
            there, back = (
                Direction(each, name, stack.enter_context(TemporaryFile()), history)
                for name in ("there", "back")
            )
            run(exchange(there, back, make_pair))
