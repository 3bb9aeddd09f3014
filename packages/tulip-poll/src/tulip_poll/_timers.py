"""The queue of deadlines.

Rules:

- The heap holds ``(when, seq, handle)``: ``seq`` counts up, so that equal deadlines fire in
  the order they were set, and handles are never compared.
- A cancelled timer stays in the heap, counted. When more than half are dead, the heap is
  rebuilt without them, by the next ``add``: a storm of set and cancelled timeouts keeps
  memory flat, and each cancel costs a constant, amortized.
- Due timers are collected first and run after (the event loop does that), so a timer that
  sets itself again cannot starve the loop. libuv does the same.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from math import inf

from tulip_poll._handle import QueueEntry, TimerHandle

# Below this many entries a rebuild is not worth its call.
FEW = 64


class TimerQueue:
    """Timers, the earliest first."""

    __slots__ = ("_dead", "_sequence", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, TimerHandle]] = []
        self._sequence = 0
        # A list of one number, which every handle in the heap shares and counts up when it
        # is cancelled: a handle then needs no reference to the queue.
        self._dead = [0]

    def add(self, handle: TimerHandle) -> None:
        """Put a timer into the queue."""
        heap, when = self.heap, handle.when
        try:
            comparable = when <= inf
        except TypeError:
            raise TypeError(f"a deadline must be a number of seconds, got {when!r}") from None
        if not comparable:
            # Not a number compares false to everything, and would undo the heap's order.
            raise ValueError(f"a deadline must be a number of seconds, got {when}")
        if self._dead[0] * 2 > len(heap) > FEW:
            self._rebuild()
        self._sequence = sequence = self._sequence + 1
        handle._tally = self._dead
        heappush(heap, (when, sequence, handle))

    def next_deadline(self) -> float | None:
        """Return the deadline of the earliest timer that is not cancelled, if any."""
        heap = self.heap
        while heap:
            when, _, handle = heap[0]
            if handle._tally is not None:  # not cancelled; each round asks, so without a call
                return when
            heappop(heap)
            self._dead[0] -= 1
        return None

    def move_due(self, now: float, ready: deque[QueueEntry]) -> None:
        """Append every timer due at ``now`` to ``ready``, the earliest first."""
        heap = self.heap
        while heap and heap[0][0] <= now:
            handle = heappop(heap)[2]
            if handle.cancelled:
                self._dead[0] -= 1
            else:
                handle._tally = None
                ready.append(handle)

    def clear(self) -> list[TimerHandle]:
        """Empty the queue and return the timers that were not cancelled, in order."""
        left = [entry[2] for entry in sorted(self.heap) if not entry[2].cancelled]
        self.heap.clear()
        self._dead[0] = 0
        for handle in left:
            handle._tally = None
        return left

    def _rebuild(self) -> None:
        """Leave out the cancelled timers, in place: the loop holds on to the list."""
        self.heap[:] = [entry for entry in self.heap if not entry[2].cancelled]
        heapify(self.heap)
        self._dead[0] = 0

    def __len__(self) -> int:
        """Count the timers that are not cancelled."""
        return len(self.heap) - self._dead[0]
