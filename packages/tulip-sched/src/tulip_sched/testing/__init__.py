"""Tools for tests of programs that run on tulip; those that the stack's own tests use.

- `virtual_time`: a run in which waiting takes no time.
- ``virtual_time(seed=...)`` and `run_seeds`: the same program under many orders of its tasks; an
  order that shows a bug is replayed by its seed.
- `no_leaks`, `find_leaks`: what is left behind, by name.

The pytest plugin, installed with ``tulip-sched[pytest]``, runs tests that are coroutines, marked
with ``pytest.mark.tulip``, and has the fixture ``virtual_clock``.

Reading order: ``_clock``, ``_virtual_time``, ``_random_order``, ``_leaks``, ``_seeds``.
"""

from tulip_sched.testing._clock import VirtualClock
from tulip_sched.testing._leaks import LeakError, find_leaks, no_leaks
from tulip_sched.testing._random_order import RandomOrder
from tulip_sched.testing._seeds import run_seeds
from tulip_sched.testing._virtual_time import virtual_time

__all__ = [
    "LeakError",
    "RandomOrder",
    "VirtualClock",
    "find_leaks",
    "no_leaks",
    "run_seeds",
    "virtual_time",
]
