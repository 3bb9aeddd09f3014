"""Names known beforehand, and names remembered for a while; both are resolvers."""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from tulip_net._errors import ResolveError
from tulip_net._resolve import AddressInfo, Resolver, getaddrinfo
from tulip_sched import Gen, coroutine, current_context

__all__ = ["NamesCache", "StaticNames"]


@final
class StaticNames:
    """A resolver that knows some names by heart and asks another one for the rest.

    Args:
        names: Literal addresses by name, such as ``{"db.internal": ["10.0.0.7"]}``. Names are
            compared without case.
        otherwise: Asked for every other name.
    """

    def __init__(
        self, names: Mapping[str, Sequence[str]], otherwise: Resolver = getaddrinfo
    ) -> None:
        self._names = {name.lower(): tuple(addresses) for name, addresses in names.items()}
        self._otherwise = otherwise

    @coroutine
    def __call__(
        self, host: str, port: int, *, family: int = socket.AF_UNSPEC
    ) -> Gen[Sequence[AddressInfo]]:
        """Return the addresses of ``host``. See `getaddrinfo`."""
        addresses = self._names.get(host.lower())
        if addresses is None:
            return (yield from self._otherwise(host, port, family=family))
        answers: list[AddressInfo] = []
        for address in addresses:
            answers += yield from getaddrinfo(address, port)
        answers = [each for each in answers if family in {socket.AF_UNSPEC, each[0]}]
        if not answers:
            raise ResolveError(host, "the static map has no address of that family for it")
        return answers


class _Entry(NamedTuple):
    expires: float
    answers: Sequence[AddressInfo]


@final
class NamesCache:
    """A resolver that remembers what another one answered, for a while.

    Failures are not remembered: the next attempt asks again.

    Args:
        otherwise: Asked for what is not remembered.
        maximum_age: Seconds after which an answer is forgotten. The operating system does not
            tell how long one is good for; name servers commonly say a minute or more.
        size: How many answers are kept; the one not asked for the longest goes first.

    A cache belongs to one loop.
    """

    def __init__(
        self, otherwise: Resolver = getaddrinfo, *, maximum_age: float = 30.0, size: int = 1000
    ) -> None:
        if not maximum_age >= 0 or size < 1:
            raise ValueError(f"a cache of {size} answers for {maximum_age} seconds is none")
        self._otherwise = otherwise
        self._maximum_age = maximum_age
        self._size = size
        self._entries: OrderedDict[tuple[str, int, int], _Entry] = OrderedDict()

    @coroutine
    def __call__(
        self, host: str, port: int, *, family: int = socket.AF_UNSPEC
    ) -> Gen[Sequence[AddressInfo]]:
        """Return the addresses of ``host``, remembered or asked for. See `getaddrinfo`."""
        key = (host.lower(), port, family)
        loop = current_context().eventloop
        entry = self._entries.get(key)
        if entry is not None and loop.time() < entry.expires:
            self._entries.move_to_end(key)
            return entry.answers
        answers = yield from self._otherwise(host, port, family=family)
        self._entries[key] = _Entry(loop.time() + self._maximum_age, answers)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return answers

    def clear(self) -> None:
        """Forget everything, as after a change of network."""
        self._entries.clear()
