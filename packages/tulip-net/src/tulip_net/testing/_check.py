"""What a check is: a function that puts two connected transports through something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tulip_net._transport import Transport
from tulip_net.testing._exchange import PATIENCE
from tulip_sched import Coroutine, Gen, coroutine, with_timeout

__all__ = ["LARGE", "Check", "MakePair", "check"]

MakePair: TypeAlias = Callable[[], Coroutine[tuple[Transport, Transport]]]
"""A coroutine function that returns two transports, connected to each other."""

Check: TypeAlias = Callable[[MakePair], Coroutine[None]]

LARGE = 8 * 1024 * 1024
"""Bytes; more than any chain of kernel and TLS buffers holds, so that sending it must wait."""

_Body: TypeAlias = Callable[[Transport, Transport], Coroutine[None]]


def check(body: _Body) -> Check:
    """Make a check of a function that gets the two transports; it may leave them open."""

    @coroutine
    def checked(make_pair: MakePair) -> Gen[None]:
        a, b = yield from make_pair()
        try:
            yield from with_timeout(6 * PATIENCE, body(a, b))
        finally:
            a.close()
            b.close()

    checked.__name__ = body.__name__
    checked.__doc__ = body.__doc__
    return checked
