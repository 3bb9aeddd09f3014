"""A meter of memory instead of time."""

import gc
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from benchmarks.harness.meter import Meter, Sample


class Census(Meter):
    """Asks for some things to be made and kept, then for many, and sees what each has taken.

    Args:
        count: How many.
        pid: Of the process whose memory counts; default: this one.
    """

    def __init__(self, count: int, pid: int | str = "self") -> None:
        super().__init__(0)
        self._count = count
        self._pid = pid

    @override
    def __iter__(self) -> Iterator[int]:
        """Give a tenth of the count, then the count."""
        yield max(1, self._count // 10)
        gc.collect()
        before = anonymous_bytes(self._pid)
        yield self._count
        gc.collect()
        taken = anonymous_bytes(self._pid) - before
        self.sample = Sample(taken / self._count, None, self._count)


def anonymous_bytes(pid: int | str) -> int:
    """Return how much memory a process has to itself that is no file's.

    Source: Linux, Documentation/filesystems/proc.rst, smaps_rollup.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no account of the memory of process {pid}")
