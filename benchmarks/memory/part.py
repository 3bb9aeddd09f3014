"""Memory: what a server keeps for an idle connection, and a scheduler for a task that waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.echo.part import COMPETITORS as SERVERS
from benchmarks.harness.certificates import Certificates
from benchmarks.harness.meter import Sample
from benchmarks.harness.part import AbsentError, Case, Competitor, Effort, Part
from benchmarks.harness.processes import background, take_sample
from benchmarks.scheduling.part import COMPETITORS as SCHEDULERS

CASES: Final = (
    Case("plain", "idle connection, plain", "bytes", "connection"),
    Case("tls", "idle connection, TLS", "bytes", "connection"),
    Case("task", "parked task", "bytes", "task"),
)

CONNECTIONS: Final = 1000
TASKS: Final = 10_000

COMPETITORS: Final = (
    *SERVERS,
    *(each for each in SCHEDULERS if each.name not in {server.name for server in SERVERS}),
)
_SCHEDULERS: Final = {each.name: each.program for each in SCHEDULERS}


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Make certificates; a sample is a server with its connections, or a process with tasks."""
    connections = max(20, round(CONNECTIONS * effort.scale))
    tasks = max(20, round(TASKS * effort.scale))
    with TemporaryDirectory() as folder:
        certificates = Certificates.make(Path(folder))

        def sample(case: Case, competitor: Competitor) -> Sample:
            if case.name == "task":
                if competitor.name not in _SCHEDULERS:
                    raise AbsentError("a way to serve; its tasks are in another row")
                program = _SCHEDULERS[competitor.name]
                return take_sample("benchmarks.memory.tasks", program, tasks)
            if competitor not in SERVERS:
                raise AbsentError("no server; its connections are in other rows")
            key = str(certificates.server) if case.name == "tls" else None
            authority = str(certificates.authority) if case.name == "tls" else None
            with background("benchmarks.echo.server", competitor.program, key) as (pid, port):
                return take_sample(
                    "benchmarks.memory.connections", pid, port, authority, connections
                )

        yield sample


PART: Final = Part(
    name="memory",
    title="Memory",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="Anonymous memory of the process (the kernel's account in `smaps_rollup`; its own "
    "buffers for sockets are not in it), divided by what was added: 1,000 connections on which one "
    "message of 1 KiB was echoed, or 10,000 tasks that wait for one event; both after a tenth as "
    "many to warm up.",
)
