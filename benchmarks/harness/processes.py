"""Processes: one for each sample, the one under test on a core of its own.

The harness and the load keep to one core, the process under test to the other, and one sample is
taken at a time. A machine with one core runs both on it, and the results say so.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final, NoReturn

from benchmarks.harness.meter import Clock, Sample
from benchmarks.harness.part import AbsentError

ROOT: Final = Path(__file__).resolve().parents[2]
STOP_SECONDS: Final = 5.0
SAMPLE_SECONDS: Final = 300.0
"""No sample takes nearly as long; one that does hangs."""

ABSENT: Final = 77
"""Exit status of a program whose competitor does not take part: what automake's tests use."""

_LED_ASTRAY: Final = re.compile("PROXY|CA_BUNDLE|SSL_CERT", re.IGNORECASE)
"""Variables that some clients obey and others do not: proxies, and whom to trust."""

CORES_VARIABLE: Final = "TULIP_BENCHMARK_CORES"
"""Tells our programs the two cores; they inherit being pinned, so they cannot find out."""


def _cores() -> tuple[int, int]:
    if told := os.environ.get(CORES_VARIABLE):
        load, tested = map(int, told.split())
        return load, tested
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


_LOAD_CORE, _TESTED_CORE = _cores()


def load_core() -> int:
    """Return the core of the harness, the load and the servers that are not under test."""
    return _LOAD_CORE


def tested_core() -> int:
    """Return the core of the process under test."""
    return _TESTED_CORE


def pin(core: int) -> None:
    """Keep this process, and those it starts, on one core."""
    os.sched_setaffinity(0, {core})


def command(module: str, *arguments: object) -> list[str]:
    """Return the command that runs one of our modules, with each argument as JSON."""
    return [sys.executable, "-m", module, *map(json.dumps, arguments)]


def arguments() -> list[Any]:
    """Return what `command` was given, in the process that it started."""
    return [json.loads(argument) for argument in sys.argv[1:]]


def environment() -> dict[str, str]:
    """Return the environment of our programs, without what would send clients elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not _LED_ASTRAY.search(name)}
    ours = {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
        CORES_VARIABLE: f"{_LOAD_CORE} {_TESTED_CORE}",
    }
    return kept | ours


def take_sample(module: str, *values: object) -> Sample:
    """Run a module that prints a sample, and return it.

    Raises:
        AbsentError: The competitor does not take part.
    """
    finished = subprocess.run(
        command(module, *values),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SAMPLE_SECONDS,
        check=False,
    )
    if finished.returncode:
        explain(finished.returncode, finished.stderr)
    return Sample(**json.loads(finished.stdout.splitlines()[-1]))


def explain(status: int, stderr: str) -> NoReturn:
    """Raise the reason why a program ended."""
    last = (stderr.strip().splitlines() or [f"it ended with status {status}"])[-1]
    raise AbsentError(last if status == ABSENT else f"failed: {last}")


def print_sample(sample: Sample | None) -> None:
    """Hand a sample to `take_sample`, from the process that it started."""
    assert sample is not None, "the competitor's program did not use up its meter"
    print(json.dumps(asdict(sample)), flush=True)


@contextmanager
def exits() -> Iterator[None]:
    """Turn an absent competitor into the exit status that says so."""
    try:
        yield
    except AbsentError as absent:
        print(absent, file=sys.stderr)
        sys.exit(ABSENT)


@contextmanager
def background(module: str, *values: object) -> Iterator[tuple[int, Any]]:
    """Run one of our servers: give its process id and the JSON it prints once it listens.

    Raises:
        AbsentError: The competitor does not take part.
    """
    with subprocess.Popen(
        command(module, *values),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process.pid, json.loads(_first_line(process))
        finally:
            stop(process)


def _first_line(process: subprocess.Popen[str]) -> str:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    line = stdout.readline()
    if not line:
        _, stderr = process.communicate(timeout=STOP_SECONDS)
        explain(process.returncode, stderr)
    return line


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process we started: at once, then by force."""
    process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def cpu_clock(pid: int) -> Clock:
    """Return the CPU-time clock of another process, all its threads together.

    Source: Linux, include/linux/posix-timers_types.h: the clock of a process is the complement of
    its id, shifted by 3, and 2 for CPUCLOCK_SCHED (what clock_getcpuclockid(3) computes).
    """
    clock = (~pid << 3) | 2
    return lambda: time.clock_gettime_ns(clock)
