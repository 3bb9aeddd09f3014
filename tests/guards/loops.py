"""Every test leaves this thread's context as it found it: no task, registration, timer or failure.

The check that tulip-sched offers its users, `tulip_sched.testing.find_leaks`, after each test of
every layer. It is set up after the check of the process (`tests.guards.leftovers`), so it comes
first in the end and can name what that one would only count.
"""

from collections.abc import Generator

import pytest

from tests.guards.leftovers import FAILED
from tulip_poll import Leftovers
from tulip_sched import Context, current_context, set_context_provider
from tulip_sched.testing import find_leaks


@pytest.fixture(autouse=True)
def _leaves_the_context_clean(
    request: pytest.FixtureRequest, _leaves_nothing_behind: None
) -> Generator[None]:
    context = current_context()
    yield
    node = request.node
    found = find_leaks(context)
    if current_context() is not context:
        set_context_provider(None)
        found.append("a context provider")
    if found:
        forget(context)
    if found and not node.get_closest_marker("leaves_behind") and not node.stash.get(FAILED, False):
        pytest.fail("left in the context of this thread:\n  " + "\n  ".join(found))


def forget(context: Context) -> None:
    """Empty a context, so that one test's fault is not the next one's as well."""
    context.tasks.clear()
    context.failures.clear()
    context.close()
    context.leftovers = Leftovers()
