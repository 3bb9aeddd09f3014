"""CPython's own tests of its selectors pass over every pollster."""

import unittest
from typing import Any

import pytest

from tests.poll.facilities import Facility
from tests.poll.selector_facade import NumberedSelector, PollsterSelector
from tulip_poll import EpollPollster, PollPollster, Pollster, SelectPollster

suite: Any = pytest.importorskip("test.test_selectors", reason="this Python lacks its own tests")

NAMES = {name for name in dir(suite.BaseSelectorTestCase) if name.startswith("test_")}
# This one looks inside CPython's own classes, and skips all others.
NAMES.remove("test_modify_unregister")
# These wait for an alarm that comes after a second.
SLOW = {"test_select_interrupt_exc", "test_select_interrupt_noraise", "test_timeout"}


@pytest.mark.parametrize("name", sorted(NAMES - SLOW))
def test_cpython(name: str, facility: Facility) -> None:
    run(name, facility.pollster)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_cpython_slow(name: str, facility: Facility) -> None:
    run(name, facility.pollster)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [PollPollster, EpollPollster])
def test_cpython_many_descriptors(kind: type[Pollster]) -> None:
    """As many as there can be. select() has a highest number, and the model of kqueue is slow."""
    run("test_above_fd_setsize", kind)


def run(name: str, pollster_class: type[Pollster]) -> None:
    """Run one of CPython's tests, and fail with its traceback."""
    unnumbered = issubclass(pollster_class, (SelectPollster, PollPollster))

    class Selector(PollsterSelector if unnumbered else NumberedSelector):  # type: ignore[misc]
        kind = pollster_class

    class Case(suite.BaseSelectorTestCase, suite.ScalableSelectorMixIn, unittest.TestCase):  # type: ignore[misc]
        SELECTOR = Selector

    result = unittest.TestResult()
    Case(name).run(result)
    for _, reason in result.skipped:
        pytest.skip(reason)
    problems = [trace for _, trace in result.errors + result.failures]
    assert not problems, "\n".join(problems)
    assert result.testsRun == 1
