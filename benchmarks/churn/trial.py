"""What every client goes through: a time of churn, then probes."""

import random
import time
from typing import Final

from benchmarks.churn.server import SIZE
from benchmarks.http.job import OK

TASKS: Final = 30
CONNECTIONS: Final = 10
LONGEST_PATIENCE: Final = 0.012
"""Seconds."""

PROBES: Final = 10
PROBE_SECONDS: Final = 1.0
REST: Final = 0.1
"""Seconds between the churn and the probes."""


class Trial:
    """A run: for how long, and what came of it.

    Attributes:
        url: What to ask for.
        completed: Requests that were answered in time.
        probes: Of those at the end.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.url = url
        self.completed = 0
        self.probes = 0
        self._random = random.Random(0)
        self._ends = time.monotonic() + seconds

    def goes_on(self) -> bool:
        """Return whether there is time left."""
        return time.monotonic() < self._ends

    def patience(self) -> float:
        """Return after how many seconds the next request is given up."""
        return self._random.uniform(0, LONGEST_PATIENCE)

    def check(self, status: int, size: int) -> None:
        """Refuse any answer but the right one."""
        if status != OK or size != SIZE:
            raise ValueError(f"status {status} with {size} bytes")
