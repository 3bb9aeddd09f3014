"""One sample: warm up, then measure the cost of one unit of work.

A competitor's program is given a meter and does as much work as the meter says, again and again::

    for count in meter:
        do(count)

The first counts are small and grow: they warm up caches, allocators and connections, and find out
how much work fills the time. Only the last count is measured. So the clocks are read in one place,
and a competitor's file holds nothing but the competitor's own code.
"""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

NANOSECONDS: Final = 1_000_000_000

WARM_UP_SHARE: Final = 0.5
"""How long the last warm-up run takes at least, of the time that is measured afterwards."""

Clock = Callable[[], int]


@dataclass(frozen=True)
class Sample:
    """What one unit of work cost in one process.

    Attributes:
        figure: The figure of the case in its unit; for times, nanoseconds of CPU time per unit of
            work, user and system together, of all threads of the process under test.
        wall: Nanoseconds of wall time per unit of work; ``None`` where time is not the point.
        count: Units of work measured.
        facts: What else was seen, by name.
    """

    figure: float
    wall: float | None
    count: int
    facts: dict[str, float] = field(default_factory=dict)


class Meter:
    """Says how much work to do, and takes the time of the last portion.

    Args:
        seconds: Wall time that the measured portion should take.
        multiple: Every count is a multiple of this.
        cpu: The clock of the process under test, in nanoseconds of CPU time.
        most: No count is larger than this; ``None`` for no limit.

    Attributes:
        sample: The result, once the iteration has ended.
    """

    def __init__(
        self,
        seconds: float,
        *,
        multiple: int = 1,
        cpu: Clock = time.process_time_ns,
        most: int | None = None,
    ) -> None:
        self._goal = max(1, int(seconds * NANOSECONDS))
        self._multiple = multiple
        self._cpu = cpu
        self._most = most
        self.sample: Sample | None = None

    def __iter__(self) -> Iterator[int]:
        """Give the counts of the warm-up, then the one that is measured."""
        count = self._multiple
        while True:
            began = time.perf_counter_ns()
            yield count
            spent = max(1, time.perf_counter_ns() - began)
            if spent >= self._goal * WARM_UP_SHARE or count == self._most:
                break
            # Towards the goal, but never more than ten times as much: the first runs are slow.
            count = self._rounded(min(count * 10, count * self._goal / spent))
        count = self._rounded(count * self._goal / spent)
        gc.collect()  # the garbage of the warm-up is not the sample's
        wall, cpu = time.perf_counter_ns(), self._cpu()
        yield count
        cpu, wall = self._cpu() - cpu, time.perf_counter_ns() - wall
        self.sample = Sample(cpu / count, wall / count, count)

    def _rounded(self, count: float) -> int:
        rounded = max(1, round(count / self._multiple)) * self._multiple
        return rounded if self._most is None else min(rounded, self._most)


class Exactly(Meter):
    """Asks for one fixed count and no warm-up: for tools that count instructions."""

    def __init__(self, count: int) -> None:
        super().__init__(0)
        self._count = count

    @override
    def __iter__(self) -> Iterator[int]:
        """Give the one count."""
        yield self._count
        self.sample = Sample(0, None, self._count)
