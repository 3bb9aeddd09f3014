"""Two transports connected to each other, in every way this layer offers."""

import os
import socket
from collections.abc import Callable
from typing import TypeAlias

from tests.opponents.certificates import Certificates
from tulip_net import (
    Gen,
    PipeTransport,
    SocketTransport,
    Transport,
    coroutine,
    create_task,
    start_tls,
)
from tulip_net.testing import FaultyTransport, MakePair, memory_pair

Wrapper: TypeAlias = Callable[[MakePair], MakePair]


@coroutine
async def unix() -> tuple[Transport, Transport]:
    """Two ends of a socketpair."""
    a, b = socket.socketpair()
    return SocketTransport(a), SocketTransport(b)


@coroutine
async def tcp() -> tuple[Transport, Transport]:
    """A TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    return SocketTransport(a), SocketTransport(b)


@coroutine
async def memory() -> tuple[Transport, Transport]:
    """Two ends of a memory pair."""
    return memory_pair()


@coroutine
async def pipes() -> tuple[Transport, Transport]:
    """Two pipes, one in each direction."""
    (here, there), (back, forth) = os.pipe(), os.pipe()
    return PipeTransport(here, forth), PipeTransport(back, there)


def faulty(below: MakePair) -> MakePair:
    """Either end slow and given to short reads and writes."""

    @coroutine
    def make() -> Gen[tuple[Transport, Transport]]:
        a, b = yield from below()
        bad = {"slow": 0.05, "longest_delay": 0.001}
        return FaultyTransport(a, 1, **bad), FaultyTransport(b, 2, **bad)

    return make


def over_tls(below: MakePair, certificates: Certificates) -> MakePair:
    """TLS, server and client, over another pair."""

    @coroutine
    def make() -> Gen[tuple[Transport, Transport]]:
        a, b = yield from below()
        answering = create_task(start_tls(b, certificates.server_context(), server_side=True))
        client = yield from start_tls(a, certificates.client_context(), server_hostname="localhost")
        return client, (yield from answering)

    return make


def every_pair(certificates: Certificates) -> dict[str, MakePair]:
    """Return all kinds of pairs, by name."""
    return {
        "unix": unix,
        "tcp": tcp,
        "pipes": pipes,
        "memory": memory,
        "faulty tcp": faulty(tcp),
        "faulty memory": faulty(memory),
        "tls": over_tls(tcp, certificates),
        "tls in memory": over_tls(memory, certificates),
        "tls over faulty tcp": over_tls(faulty(tcp), certificates),
        "tls in tls": over_tls(over_tls(tcp, certificates), certificates),
    }


WHOLE = ["unix", "tcp", "pipes", "memory", "faulty tcp", "faulty memory"]
TLS = ["tls", "tls in memory", "tls over faulty tcp", "tls in tls"]
