"""uvloop: asyncio's cases on another loop."""

from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from benchmarks.harness.meter import Meter
from benchmarks.scheduling.on_asyncio import (
    lock,
    park,
    queue,
    spawn_many,
    spawn_one,
    switch,
    threadsafe,
    timeout,
)

__all__ = [
    "lock",
    "park",
    "queue",
    "run",
    "spawn_many",
    "spawn_one",
    "switch",
    "threadsafe",
    "timeout",
]


def run(case: Callable[[Meter], Coroutine[Any, Any, None]], meter: Meter) -> None:
    """Run a case."""
    uvloop.run(case(meter))
