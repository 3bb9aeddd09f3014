"""Every test leaves the process as it found it: no descriptor, thread or child stays behind.

The check is the first fixture to be set up, so the last to be torn down. What sessions and modules
share is set up before it and is not counted. Nothing is collected by force beforehand: a descriptor
that only the garbage collector would close has been leaked.
"""

import threading
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

# A thread or a child that was told to end may need a moment to do so, not more.
GRACE_SECONDS = 2.0

FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Holdings:
    """What this process holds: descriptors and what they lead to, threads, child processes."""

    descriptors: Mapping[int, str]
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    def beyond(self, earlier: "Holdings") -> list[str]:
        """Return a line for each thing held now that was not held earlier."""
        files = self.descriptors.items() - earlier.descriptors.items()
        return [
            *(f"descriptor {number} -> {target}" for number, target in sorted(files)),
            *(f"thread {thread!r}" for thread in self.threads - earlier.threads),
            *(f"child process {child}" for child in sorted(self.children - earlier.children)),
        ]


def holdings() -> Holdings:
    """Look at what this process holds now."""
    return Holdings(open_descriptors(), frozenset(threading.enumerate()), child_processes())


def open_descriptors() -> dict[int, str]:
    """Return each open descriptor with the file it leads to, as far as the platform shows them."""
    found: dict[int, str] = {}
    tracker = getattr(resource_tracker._resource_tracker, "_fd", None)
    for entry in list(Path("/proc/self/fd").glob("*")):
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue  # the descriptor that listed the folder
        if int(entry.name) != tracker:  # multiprocessing's own helper lives as long as the process
            found[int(entry.name)] = target
    return found


def child_processes() -> frozenset[int]:
    """Return the ids of all children, ended ones that nobody has waited for included."""
    tracker = getattr(resource_tracker._resource_tracker, "_pid", None)
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread may just have ended
            found.update(int(child) for child in listing.read_text().split())
    return frozenset(found - {tracker})


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(request: pytest.FixtureRequest) -> Generator[None]:
    before = holdings()
    yield
    node = request.node
    if node.get_closest_marker("leaves_behind") or node.stash.get(FAILED, False):
        return  # the traceback of a failed test keeps alive what its frames hold
    deadline = time.monotonic() + GRACE_SECONDS
    while (extra := holdings().beyond(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    if extra:
        pytest.fail("left behind:\n  " + "\n  ".join(extra))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed, for the check that follows it."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report
