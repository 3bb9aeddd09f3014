"""Every program in ``examples/`` runs, prints what it should, and leaves nothing running."""

import re
import subprocess
import sys

import pytest

from tests.stack.workspace import ROOT

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"

# What each one prints, line by line, as patterns.
PRINTS = {
    "crawler": [r"200 OK +/", r"404 Not Found +/missing"],
    "demo": [
        r"who won: +quick",
        r"who played: +https, large, quick, too slow",
        r" +\d\.\d+ s +quick +200 OK, \d+ bytes",
        r" +\d\.\d+ s +https +200 OK, \d+ bytes",
        r" +\d\.\d+ s +large +200 OK, [\d,]{7,} bytes",
        r" +[12]\.\d+ s +too slow +TotalTimeout: .* took longer than 1 s.*",
    ],
    "graceful": ["idle: goodbye", "busy: slept, goodbye", "slow: cut off"],
    "hello_await": [r"200 hello"],
    "hello_yield_from": [r"200 hello"],
    "hosting_asyncio": [r"tulip received a message"],
    "hosting_tulip": [r"inner 3", r"outer 3"],
    "pipelining": [
        "1000 answers, the last is 1998",
        r"sent in \d pieces",
        "the next answer is 42",
        r"no answer to b'please\?\\n'",
    ],
    "several_cores": [rf"process {n} served [1-9]\d* visits and ended with 0" for n in (1, 2, 3)],
}

# Imported by the others, and nothing to run.
NO_PROGRAMS = {"embedded_server"}

# Takes several seconds, so it is run once, where its layer is tested.
TESTED_IN = {"cluster": "tests/poll/test_cluster.py"}


def test_each_example_is_listed_here() -> None:
    listed = {*PRINTS, *NO_PROGRAMS, *TESTED_IN}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == listed


@pytest.mark.parametrize("name,place", TESTED_IN.items())
def test_an_example_that_is_run_elsewhere(name: str, place: str) -> None:
    assert f"{name}.py" in (ROOT / place).read_text()


@pytest.mark.parametrize("name", PRINTS)
def test_an_example(name: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]
    # From another folder, with nothing to read: it must not matter where a person stands.
    result = subprocess.run(
        command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for pattern in PRINTS[name]:
        assert re.search(rf"^{pattern}$", result.stdout, re.MULTILINE), result.stdout
