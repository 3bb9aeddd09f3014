"""Random interleavings of tasks, cancellations and timeouts: nothing lost, twice, or left.

A failing program is printed, smallest first, with the seed that finds it again; the same program
runs the same way every time, as the time is virtual, and the order is first come, first served, or
made from a seed that is part of the program. ``TULIP_FUZZ=10000`` tries that many.
"""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sched.invariants import between_rounds
from tests.sched.programs import Step, World, perform, programs, programs_on_descriptors
from tests.sched.virtual import Virtual
from tulip_sched import set_context_provider
from tulip_sched.testing import RandomOrder

IN_CI = bool(os.environ.get("CI"))
EXAMPLES = int(os.environ.get("TULIP_FUZZ", "1000"))
orders = st.none() | st.integers(0, 2**16)

quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=IN_CI,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def check(program: list[list[Step]], seed: int | None = None) -> World:
    """Run a program in a context of its own, and look at every round, and at what is left.

    Args:
        program: Of each task.
        seed: Of the order in which tasks run; ``None`` for the usual one.
    """
    order = None if seed is None else RandomOrder(seed)
    virtual = Virtual(lambda queue: look(queue))
    violations: list[AssertionError] = []
    look = between_rounds(virtual, order, violations)
    previous = set_context_provider(lambda: virtual.context)
    try:
        world = perform(virtual, program)
        left, rounds = virtual.left(), virtual.rounds
    finally:
        set_context_provider(previous)
        virtual.context.close()
        virtual.loop.close()
        if violations:
            raise violations[0]
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
@given(programs, orders)
@thorough
def test_many_random_programs(program: list[list[Step]], seed: int | None) -> None:
    check(program, seed)


@pytest.mark.slow
@given(programs_on_descriptors, orders)
@thorough
def test_many_random_programs_on_descriptors(program: list[list[Step]], seed: int | None) -> None:
    """Whoever waits, cancels, forgets and closes: each registration is accounted for."""
    check(program, seed)


@given(programs)
@quick
def test_a_program_replays(program: list[list[Step]]) -> None:
    assert check(program).log == check(program).log
