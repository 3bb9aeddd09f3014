"""The tests of the client run a second time over a bad line: what they expect stays the same.

Every connection that a client opens then reads short, writes short and dawdles, as a seed has it.
The seed is in the name of the test, as in ``test_methods[seed 1-get]``, and that test meets the
same faults again. ``TULIP_SEEDS=2,3,4`` in the environment tries others. (Resets are another
matter: see `test_resets`.)
"""

import pytest

from tests.http.bad_line import BadLine
from tests.seeds import seeds
from tulip_http import _pool
from tulip_http._opening import open_transport

SEEDS = seeds(1)

OVER_BAD_LINES = {
    "test_bad_input",
    "test_client",
    "test_connections",
    "test_decoding",
    "test_nginx",
    "test_odd_responses",
    "test_servers",
    "test_sync",
    "test_uploads",
}

NOT_OVER_BAD_LINES: dict[str, str] = {}
"""Tests, and what of theirs a bad line changes by its nature."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    name = metafunc.function.__name__
    # Hypothesis has examples of its own, and repeats them in one and the same way.
    by_example = getattr(metafunc.function, "is_hypothesis_test", False)
    if module in OVER_BAD_LINES and name not in NOT_OVER_BAD_LINES and not by_example:
        metafunc.fixturenames.insert(0, "line")
        seeds = [None, *SEEDS]
        names = ["good line" if seed is None else f"seed {seed}" for seed in seeds]
        metafunc.parametrize("line", seeds, indirect=True, ids=names)


@pytest.fixture
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have clients connect over a bad line, if the parameter is a seed."""
    if request.param is not None:
        bad = BadLine(open_transport, request.param)
        monkeypatch.setattr(_pool, "open_transport", bad.open)
