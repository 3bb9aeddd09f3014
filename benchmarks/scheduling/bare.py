"""The floor: a queue of generators, and nothing that a library would need besides."""

from collections import deque
from collections.abc import Callable, Iterator

from benchmarks.harness.meter import Meter

NOTHING = "a bare loop has nothing of the kind"
ABSENT = dict.fromkeys(("timeout", "threadsafe", "lock", "queue", "park"), NOTHING)


def run(case: Callable[[Meter], None], meter: Meter) -> None:
    """Run a case."""
    case(meter)


def switch(meter: Meter) -> None:
    """Take turns among 100 generators."""

    def turns(count: int) -> Iterator[None]:
        for _ in range(count):
            yield

    for count in meter:
        drive(deque(turns(count // 100) for _ in range(100)))


def spawn_one(meter: Meter) -> None:
    """Make a generator and run it, one at a time."""
    for count in meter:
        for _ in range(count):
            drive(deque((ends_at_once(),)))


def spawn_many(meter: Meter) -> None:
    """Make generators and run them, 100 at a time."""
    for count in meter:
        for _ in range(count // 100):
            drive(deque(ends_at_once() for _ in range(100)))


def ends_at_once() -> Iterator[None]:
    """Do nothing, as a generator."""
    yield from ()


def drive(ready: deque[Iterator[None]]) -> None:
    """Resume each generator in turn until all have ended."""
    while ready:
        generator = ready.popleft()
        try:
            generator.__next__()
        except StopIteration:
            continue
        ready.append(generator)
