"""A cluster's executor is an executor: the example that shows it, as a program of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.opponents import need

EXAMPLE = Path(__file__).parents[2] / "examples" / "cluster.py"


@pytest.mark.slow
def test_functions_run_on_a_cluster_of_two_processes() -> None:
    need.library("distributed", requirement="distributed")
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    # There are 5,133 primes below 50,000.
    assert re.search(r"^5133 primes, counted by [12] processes$", done.stdout, re.MULTILINE)
