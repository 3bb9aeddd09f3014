"""The lowest speed at which a body may come: to drip is as bad as to be silent."""

from __future__ import annotations

import math
from typing import final

from tulip_http._typing import override


@final
class Pace:
    """Counts what came while it was waited for; what the caller takes in between is not counted.

    Args:
        least: Bytes per second.
        seconds: Over which they are averaged.
    """

    __slots__ = ("_began", "_least", "_seconds", "_size", "_waited")

    def __init__(self, least: float, seconds: float) -> None:
        self._least = least
        self._seconds = seconds
        self._size = 0
        self._waited = 0.0
        self._began = math.inf

    def wait(self, now: float) -> float:
        """Begin to wait, and return until when something must have come."""
        self._began = now
        return now + max(self._seconds, self._size / self._least) - self._waited

    def come(self, size: int, now: float) -> None:
        """Count what has come."""
        self._waited += now - self._began
        self._size += size
        if self._waited >= self._seconds and self._size >= self._least * self._waited:
            self._size, self._waited = 0, 0.0

    def over(self, now: float) -> bool:
        """Say whether too little has come by now."""
        waited = self._waited + now - self._began
        # A little less than it says: the sums of `wait` are rounded otherwise.
        return waited >= self._seconds * 0.999 and self._size < self._least * waited * 1.001

    @override
    def __str__(self) -> str:
        """Say what is too slow."""
        return f"less than {self._least:g} bytes per second for {self._seconds:g} s"
