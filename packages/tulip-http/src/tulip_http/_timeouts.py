"""How long the client waits for what.

Every limit is on by default: a program that never thought about time must not hang. Each phase has
its own limit and its own error, so the message says what was slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, TypeAlias, final


class Usual(Enum):
    """Stands for a limit that was not given, where None has a meaning."""

    LIMIT = "the usual limit"


@final
@dataclass(frozen=True, init=False)
class Timeout:
    """Limits in seconds; None for no limit.

    Args:
        seconds: For each limit that is not given by name. ``Timeout(5, read=60)`` is 5 s for
            everything, the whole call included, but 60 s of silence.

    Attributes:
        connect: To find the address, connect and agree on TLS.
        read: From one byte of the answer to the next.
        write: Until the server takes the next piece of the request.
        pool: Until one of the allowed connections is free.
        total: For one call as a whole. A call is a request with its whole answer, or, for
            `Client.stream`, the request up to the answer's head and then each reading of the body.

    The defaults: 10 s to connect (a lost SYN costs 1, 3 and 7 s on Linux, so two may be lost), 30 s
    of silence, 30 s for a connection to become free, and 5 minutes for the whole.

    Raises:
        TypeError: A limit is no number.
        ValueError: A limit is negative or not a number (``nan``).
    """

    connect: float | None
    read: float | None
    write: float | None
    pool: float | None
    total: float | None

    def __init__(
        self,
        seconds: float | Usual | None = Usual.LIMIT,
        *,
        connect: float | Usual | None = Usual.LIMIT,
        read: float | Usual | None = Usual.LIMIT,
        write: float | Usual | None = Usual.LIMIT,
        pool: float | Usual | None = Usual.LIMIT,
        total: float | Usual | None = Usual.LIMIT,
    ) -> None:
        for name, given, usual in (
            ("connect", connect, 10.0),
            ("read", read, 30.0),
            ("write", write, 30.0),
            ("pool", pool, 30.0),
            ("total", total, 300.0),
        ):
            limit = seconds if given is Usual.LIMIT else given
            limit = usual if limit is Usual.LIMIT else limit
            if limit is not None and not isinstance(limit, (int, float)):
                raise TypeError(f"the {name} timeout must be seconds or None, got {limit!r}")
            if limit is not None and not limit >= 0:
                raise ValueError(f"the {name} timeout must be at least 0 seconds, got {limit!r}")
            object.__setattr__(self, name, limit)

    @classmethod
    def of(cls, timeout: TimeoutTypes) -> Timeout:
        """Return the limits for what a caller gave.

        A number limits each phase and the whole call to that many seconds; None limits nothing.
        """
        if isinstance(timeout, cls):
            return timeout
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise TypeError(f"a timeout is seconds, None or a Timeout, got {timeout!r}")
        return _the_same_for_all(timeout)


@lru_cache(maxsize=64, typed=True)  # the same number, request after request: 0.3 us, not 2
def _the_same_for_all(seconds: float | None) -> Timeout:
    return Timeout(seconds)


TimeoutTypes: TypeAlias = Timeout | float | None
"""What is accepted wherever a timeout is given."""

DEFAULT_TIMEOUT: Final = Timeout()
