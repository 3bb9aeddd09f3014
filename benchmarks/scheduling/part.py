"""Scheduling: switches, spawning, timeouts, threads, locks, queues."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import Case, Competitor, Effort, Part
from benchmarks.harness.processes import take_sample

CASES: Final = (
    Case("switch", "task switch, sleep(0) among 100 tasks", "ns", "switch"),
    Case("spawn_one", "spawn and join a task, one at a time", "ns", "task"),
    Case("spawn_many", "spawn and join tasks, 100 at a time in a group", "ns", "task"),
    Case("timeout", "timeout scope entered and left", "ns", "scope"),
    Case("threadsafe", "call_soon_threadsafe, 100 in a burst", "ns", "call"),
    Case("lock", "uncontended lock", "ns", "acquire and release"),
    Case("queue", "queue, put and get", "ns", "item"),
)

COMPETITORS: Final = (
    Competitor("bare loop", "benchmarks.scheduling.bare", floor=True),
    Competitor("tulip", "benchmarks.scheduling.on_tulip", "tulip-sched", ours=True),
    Competitor("tulip, await", "benchmarks.scheduling.on_tulip_await", "tulip-sched", ours=True),
    Competitor("asyncio", "benchmarks.scheduling.on_asyncio"),
    Competitor("uvloop", "benchmarks.scheduling.on_uvloop", "uvloop"),
    Competitor("trio", "benchmarks.scheduling.on_trio", "trio"),
    Competitor("curio", "benchmarks.scheduling.on_curio", "curio"),
    Competitor("anyio", "benchmarks.scheduling.on_anyio", "anyio"),
)


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Take each sample in a process of its own; nothing else is needed."""

    def sample(case: Case, competitor: Competitor) -> Sample:
        return take_sample(
            "benchmarks.scheduling.program", competitor.program, case.name, effort.seconds
        )

    yield sample


PART: Final = Part(
    name="scheduling",
    title="Scheduling",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of the process per unit. The bare loop is a deque of generators: it keeps no "
    "names, no results, no context variables, and cannot cancel. uvloop runs asyncio's own "
    "primitives, and so does anyio, on asyncio's loop.",
)
