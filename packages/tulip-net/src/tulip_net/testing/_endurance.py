"""What a transport must do for as long as it takes: checks of several seconds each."""

from __future__ import annotations

import random
import resource
import sys
from pathlib import Path

from tulip_net._transport import Transport
from tulip_net.testing._check import Check, MakePair
from tulip_net.testing._exchange import PATIENCE
from tulip_sched import Gen, coroutine, create_task, with_timeout

__all__ = ["ENDURANCE_CHECKS"]

GIGABYTE = 1 << 30

BOUND = 32 << 20
"""Bytes by which the process may grow meanwhile: more than any chain of buffers, and a small part
of what goes through."""

PIECE = 262_139
"""Bytes. A prime, so that no buffer's or record's size divides it: a piece that is lost or comes
twice shows."""


@coroutine
def a_gigabyte_in_bounded_memory(make_pair: MakePair) -> Gen[None]:
    """A gigabyte goes through unharmed, and at no moment is much of it in memory."""
    a, b = yield from make_pair()
    piece = random.Random(30).randbytes(PIECE)  # noqa: S311 - for repetition, not for secrets
    before = resident_bytes()
    try:
        sender = create_task(_send_again_and_again(a, piece))
        most = yield from _receive_and_compare(b, piece * 2)
        yield from sender
    finally:
        a.close()
        b.close()
    grown = most - before
    assert grown < BOUND, f"the process grew by {grown} bytes while {GIGABYTE} went through"


@coroutine
def _send_again_and_again(transport: Transport, piece: bytes) -> Gen[None]:
    left = GIGABYTE
    while left:
        part = piece[:left]
        yield from with_timeout(PATIENCE, transport.send(part))
        left -= len(part)


@coroutine
def _receive_and_compare(transport: Transport, pattern: bytes) -> Gen[int]:
    """Receive everything; return the most memory that the process had."""
    got = most = look = 0
    while got < GIGABYTE:
        data = yield from with_timeout(PATIENCE, transport.recv(PIECE))
        at = got % PIECE
        assert data, f"the stream ended after {got} of {GIGABYTE} bytes"
        assert data == pattern[at : at + len(data)], f"not what was sent, after {got} bytes"
        got += len(data)
        if got > look:
            most, look = max(most, resident_bytes()), got + BOUND // 4
    return most


def resident_bytes() -> int:
    """Return how much memory this process has, or where nobody tells, the most it ever had."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2) there, and elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return int(pages) * resource.getpagesize()


ENDURANCE_CHECKS: tuple[Check, ...] = (a_gigabyte_in_bounded_memory,)
"""What every transport must do, and what takes a while."""
