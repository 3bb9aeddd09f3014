"""Instructions of the process under test per switch, per echo, and per GET.

Each figure is a difference: the same program is run with a small and with a large count, so what
starting and ending costs falls out. One connection at a time, so the order of events is fixed.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import AbsentError, Case, Competitor, Effort, Part
from benchmarks.harness.processes import ROOT, SAMPLE_SECONDS, command, environment, explain
from benchmarks.http import nginx

FEW: Final = 100
MANY: Final = 600

CASES: Final = (
    Case("switch", "task switch, sleep(0) among 100 tasks", "instructions", "switch"),
    Case("echo", "1 KiB echo, plain, 1 connection", "instructions", "message"),
    Case("get", "GET, plain, kept connection, 1 at a time", "instructions", "request"),
)

COMPETITORS: Final = (
    Competitor("tulip", "benchmarks.instructions.on_tulip", "tulip-http", ours=True),
    Competitor("asyncio, aiohttp", "benchmarks.instructions.on_asyncio", "aiohttp"),
)

_COLLECTED: Final = re.compile(r"Collected : (\d+)")


@contextmanager
def staged(_effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Find valgrind, and start nginx for the GETs."""
    with TemporaryDirectory() as folder, nginx.running(Path(folder), 1) as server:
        url = server.url("page.txt", tls=False, kept=True)

        def sample(case: Case, competitor: Competitor) -> Sample:
            # A hundred tasks need as many switches to start and to end.
            factor = 100 if case.name == "switch" else 1
            # The first run does not count: it may have modules to compile.
            run_once(program_command(competitor.program, case.name, factor, url))
            few, many = (
                instructions(competitor.program, case.name, count * factor, url)
                for count in (FEW, MANY)
            )
            count = (MANY - FEW) * factor
            return Sample((many - few) / count, None, count)

        yield sample


def instructions(program: str, case: str, count: int, url: str) -> int:
    """Run a program under callgrind and return how many instructions it took.

    Raises:
        AbsentError: There is no valgrind, or the program failed under it.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise AbsentError("no valgrind: apt-get install valgrind")
    finished = run_once(
        [
            valgrind,
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            *program_command(program, case, count, url),
        ]
    )
    collected = _COLLECTED.search(finished.stderr)
    if collected is None:
        raise AbsentError("failed: callgrind printed no count")
    return int(collected.group(1))


def program_command(program: str, case: str, count: int, url: str) -> list[str]:
    """Return the command that does so much work."""
    return command("benchmarks.instructions.program", program, case, count, url)


def run_once(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Raises:
        AbsentError: It failed.
    """
    finished = subprocess.run(
        arguments,
        cwd=ROOT,
        # The same addresses of hashed names in each run.
        env=environment() | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SAMPLE_SECONDS,
        check=False,
    )
    if finished.returncode:
        explain(finished.returncode, finished.stderr)
    return finished


PART: Final = Part(
    name="instructions",
    title="Instructions",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="Instructions in user space, counted by valgrind's callgrind: the kernel's are not among "
    "them. The difference between two runs of the same program with different counts.",
)
