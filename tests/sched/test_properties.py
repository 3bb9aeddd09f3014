"""Random interleavings of tasks, cancellations and timeouts: nothing lost, twice, or left.

A failing program is printed, smallest first, with the seed that finds it again; the same program
runs the same way every time, as the time is virtual and the queue is first come, first served.
"""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.sched.programs import Step, World, perform, programs
from tests.sched.virtual import Virtual
from tulip_sched import set_context_provider

IN_CI = bool(os.environ.get("CI"))

quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
thorough = settings(
    max_examples=1500,
    deadline=None,
    derandomize=IN_CI,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def check(program: list[list[Step]]) -> World:
    """Run a program in a context of its own, and look at what is left."""
    virtual = Virtual()
    previous = set_context_provider(lambda: virtual.context)
    try:
        world = perform(virtual, program)
        left, rounds = virtual.left(), virtual.rounds
    finally:
        set_context_provider(previous)
        virtual.context.close()
        virtual.loop.close()
    assert not left, f"left in the loop: {left}"
    assert not world.running
    assert virtual.context.failures == {}
    tokens = world.tokens
    assert tokens.made == tokens.taken + tokens.left, "a token was lost, or given twice"
    assert tokens.waiting == 0, "a task that has ended waits still"
    for task in world.tasks:
        kept = task._callbacks or task._joiner or task._more_joiners
        assert not kept, "a callback was left"
    assert rounds < 1000, "the loop turns and turns"
    return world


@given(programs)
@example([[("token", 0, 0)], [("give", 0, 0), ("cancel", 0, 0)]])
@example([[("token", 0, 0)], [("cancel", 0, 0), ("give", 0, 0)]])
@example([[("timeout", 2, 0), ("token", 0, 0)], [("sleep", 2, 0), ("give", 0, 0)]])
@example([[("group", 2, 0), ("fail", 0, 0)], [("cancel", 0, 0)]])
@quick
def test_a_few_random_programs(program: list[list[Step]]) -> None:
    check(program)


@pytest.mark.slow
@given(programs)
@thorough
def test_many_random_programs(program: list[list[Step]]) -> None:
    check(program)


@given(programs)
@quick
def test_a_program_replays(program: list[list[Step]]) -> None:
    assert check(program).log == check(program).log
