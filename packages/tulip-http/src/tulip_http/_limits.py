"""How much the client takes, of connections and of memory."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, final

from tulip_http.wire._http1 import MAX_HEAD_BYTES, MAX_HEAD_FIELDS

# Of these there is always some; and of the others None is no limit.
_NEVER_NONE: Final = frozenset({"slow_seconds", "max_head_bytes", "max_head_fields"})
_AT_LEAST_ONE: Final = frozenset(
    {"max_connections", "max_per_host", "max_ratio", "min_speed"}
    | {"max_head_bytes", "max_head_fields"}
)


@final
@dataclass(frozen=True)
class Limits:
    """Most of everything; None for no limit.

    Attributes:
        max_connections: Open at once, in total.
        max_per_host: Open at once to one origin (scheme, host and port).
        max_idle: Kept open without a request.
        idle_seconds: How long a connection is kept open without a request. Below what servers
            allow (nginx 75 s, apache2 and uvicorn 5 s), so that they rarely close first.
        max_age_seconds: How long a connection is used at all: after that long a name may lead to
            another address, and a balancer may have more servers. A request under way is finished.
        min_speed: Bytes of a body that must come per second, on the average of ``slow_seconds``;
            what the program does between two pieces does not count.
        slow_seconds: See ``min_speed``.
        max_body: Bytes of a body that is read whole, decoded, and characters of a line of one that
            is read in lines; `Client.stream` hands out bodies of any size in pieces.
        max_ratio: How many times larger than itself a compressed body may become; counts from 1 MiB
            on. gzip cannot exceed 1032, br and zstd can by far.
        max_head_bytes: Bytes of a response's head.
        max_head_fields: Fields of a response's head.

    Raises:
        TypeError: One is no number, or None where there is always a limit.
        ValueError: One is too small to be a limit.
    """

    max_connections: int | None = 100
    max_per_host: int | None = None
    max_idle: int | None = 50
    idle_seconds: float | None = 4.5
    max_age_seconds: float | None = None
    min_speed: float | None = None
    slow_seconds: float = 30.0
    max_body: int | None = 1 << 30
    max_ratio: float | None = 1100
    max_head_bytes: int = MAX_HEAD_BYTES
    max_head_fields: int = MAX_HEAD_FIELDS

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))


def _check(name: str, value: object) -> None:
    if value is None and name not in _NEVER_NONE:
        return
    if not isinstance(value, (int, float)):
        or_none = "" if name in _NEVER_NONE else " or None"
        raise TypeError(f"the limit {name} must be a number{or_none}, got {value!r}")
    least = 1 if name in _AT_LEAST_ONE else 0
    if not value >= least:
        raise ValueError(f"the limit {name} must be at least {least}, got {value!r}")


DEFAULT_LIMITS: Final = Limits()
