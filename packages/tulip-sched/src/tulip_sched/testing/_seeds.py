"""The same program under many orders of its tasks."""

from collections.abc import Callable, Iterable

from tulip_sched._coroutine import AnyCoroutine
from tulip_sched._run import run
from tulip_sched.testing._virtual_time import virtual_time


def run_seeds(main: Callable[[], AnyCoroutine[object]], seeds: int | Iterable[int] = 100) -> None:
    """Run a coroutine function once for each seed, in virtual time and that seed's order.

    Args:
        main: Called without arguments for each run; what it returns is run to its end.
        seeds: The seeds, or how many to try, from 0 on.

    Raises:
        BaseException: Whatever the first run that fails raises, `LeakError` included. A note on
            it names the seed; with ``seeds=[that]`` the run is repeated exactly.
    """
    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        try:
            with virtual_time(seed=seed):
                run(main())
        except BaseException as error:
            name = getattr(main, "__qualname__", repr(main))
            error.add_note(f"with seed {seed}; to replay: run_seeds({name}, seeds=[{seed}])")
            raise
