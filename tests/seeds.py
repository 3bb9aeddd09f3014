"""The seeds of the random tests: a few in every run of the suite, others by hand.

``TULIP_SEEDS=7,8,9`` or ``TULIP_SEEDS=1000-1999`` tries those instead; each is in the name of its
test, and repeats it. See docs/testing.md.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def seeds(usual: int) -> list[int]:
    """Return the numbers from 1 to ``usual``, or those that the environment asks for."""
    return parsed(os.environ.get("TULIP_SEEDS") or f"1-{usual}")


def parsed(wanted: str) -> list[int]:
    """Read numbers and ranges, both ends included."""
    found: list[int] = []
    for part in wanted.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def every_seed(usual: int) -> pytest.MarkDecorator:
    """Have a test run with each seed."""
    return pytest.mark.parametrize("seed", seeds(usual))


@contextmanager
def telling(seed: int, history: list[str], last: int = 40) -> Iterator[None]:
    """Add the seed, and the end of what happened, to an error that leaves the block."""
    try:
        yield
    except BaseException as error:
        shown = history[-last:]
        error.add_note(f"with seed {seed}, after {len(history)} steps, of which the last were:")
        error.add_note("  " + "\n  ".join(shown))
        raise
