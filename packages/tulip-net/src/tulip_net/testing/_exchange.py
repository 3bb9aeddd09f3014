"""Small steps that the checks are made of."""

from __future__ import annotations

import random

from tulip_net._transport import Transport
from tulip_sched import AnyCoroutine, Gen, coroutine, sleep, with_timeout

__all__ = [
    "PATIENCE",
    "must_raise",
    "receive",
    "receive_all",
    "receive_in_pieces",
    "receive_slowly",
    "send_in_pieces",
    "settle",
]

PATIENCE = 10.0
"""Seconds until a step that does not come counts as one that never will."""


@coroutine
def settle() -> Gen[None]:
    """Let every task get as far as it can, the kernel's part included."""
    for _ in range(5):
        yield from sleep(0.002)


@coroutine
def must_raise(error: type[Exception], coro: AnyCoroutine[object]) -> Gen[None]:
    """Fail unless the coroutine raises this error, within patience."""
    try:
        result = yield from with_timeout(PATIENCE, coro)
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, but got {result!r}")


@coroutine
def receive(transport: Transport, limit: int, *, exactly: int = 0) -> Gen[bytes]:
    """Receive once; with ``exactly``, until so many bytes have come, and not one more."""
    data: bytes = yield from with_timeout(PATIENCE, transport.recv(limit))
    while exactly and data and len(data) < exactly:
        data += yield from with_timeout(PATIENCE, transport.recv(limit - len(data)))
    assert len(data) <= limit, f"asked for {limit} bytes, got {len(data)}"
    return data


@coroutine
def receive_all(transport: Transport, count: int) -> Gen[bytes]:
    """Receive ``count`` bytes, as fast as they come."""
    whole = bytearray()
    while len(whole) < count:
        data = yield from with_timeout(PATIENCE, transport.recv(min(count - len(whole), 262144)))
        assert data, f"the stream ended after {len(whole)} of {count} bytes"
        whole += data
    return bytes(whole)


@coroutine
def receive_slowly(transport: Transport, count: int) -> Gen[bytes]:
    """Receive ``count`` bytes with pauses, so that the sender must wait."""
    whole = bytearray()
    while len(whole) < count:
        whole += yield from receive_all(transport, min(count - len(whole), 400_000))
        yield from sleep(0.001)
    return bytes(whole)


@coroutine
def receive_in_pieces(transport: Transport, count: int, luck: random.Random) -> Gen[bytes]:
    """Receive ``count`` bytes, with limits and pauses of random size."""
    whole = bytearray()
    while len(whole) < count:
        limit = min(luck.choice([1, 3, 1000, 16384, 65536]), count - len(whole))
        data = yield from receive(transport, limit)
        assert data, f"the stream ended after {len(whole)} of {count} bytes"
        whole += data
        if luck.random() < 0.1:
            yield from sleep(0)
    return bytes(whole)


@coroutine
def send_in_pieces(transport: Transport, data: bytes, luck: random.Random) -> Gen[None]:
    """Send ``data``, in pieces and with pauses of random size."""
    sent = 0
    while sent < len(data):
        size = luck.choice([0, 1, 7, 1000, 16384, 16385, 100_000])
        yield from with_timeout(PATIENCE, transport.send(data[sent : sent + size]))
        sent += size
        if luck.random() < 0.1:
            yield from sleep(0)
