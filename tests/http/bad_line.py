"""Connections of a client that are given to faults, by a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tulip_http._info import ConnectionInfo
from tulip_http._opening import Connect, TlsTypes
from tulip_http._url import Origin
from tulip_net import Coroutine, Gen, Transport, coroutine
from tulip_net.testing import FaultyTransport

Open: TypeAlias = (
    "Callable[[Origin, TlsTypes, Connect | None], Coroutine[tuple[Transport, ConnectionInfo]]]"
)


class BadLine:
    """Opens connections as another function does, and puts faults on each of them.

    Args:
        opened_by: `tulip_http._opening.open_transport`, or the like.
        seed: Each connection has luck of its own, made from this.
    """

    def __init__(self, opened_by: Open, seed: int) -> None:
        self._opened_by = opened_by
        self._seed = seed
        self._connections = 0

    @coroutine
    def open(
        self, origin: Origin, tls: TlsTypes, connect: Connect | None
    ) -> Gen[tuple[Transport, ConnectionInfo]]:
        transport, info = yield from self._opened_by(origin, tls, connect)
        self._connections += 1
        seed = self._seed * 1000 + self._connections
        return FaultyTransport(transport, seed, short=0.8, slow=0.05, longest_delay=0.001), info
