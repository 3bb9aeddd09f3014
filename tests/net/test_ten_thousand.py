"""Ten thousand connections to one server process at once: all are served, nothing is left."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.net.ten_thousand import SPARE

pytestmark = pytest.mark.slow

COUNT = 10_000
ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.net.ten_thousand", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def need_descriptors(count: int) -> None:
    """Skip where a child process may not have so many: only root can raise the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"a process may have {hard} descriptors here, and this needs {count}")


def test_ten_thousand_connections_at_once() -> None:
    need_descriptors(COUNT + SPARE)
    with start("server", str(COUNT)) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with start("client", str(COUNT), port) as client:
            said, _ = client.communicate()
        assert json.loads(said) == {"served": COUNT}
        said, _ = server.communicate()  # the end of its input ends it
        assert json.loads(said) == {"connections": COUNT, "most": COUNT, "left": 0}
    assert (server.returncode, client.returncode) == (0, 0)
