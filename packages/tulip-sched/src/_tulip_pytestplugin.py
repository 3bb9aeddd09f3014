"""The pytest plugin: tests that are coroutines, virtual time, seeds.

pytest imports this module in every run in which tulip-sched is installed, also for projects that
have nothing to do with tulip. So it lies outside of the package, imports nothing of it before a
test needs it, and touches only tests that are marked (or, with ``tulip_mode = auto``, coroutines
that no other plugin's marker claims).
"""

import inspect
import shlex
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tulip_sched.testing import VirtualClock

MARKER = (
    "tulip(seeds=None): run this coroutine, a generator function or an `async def`, as tulip's "
    "main task; with seeds, a number or several, once for each seed, in virtual time."
)

FOREIGN_MARKERS = ("anyio", "asyncio", "trio", "twisted", "curio")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the mode, and the seed to replay."""
    parser.addini(
        "tulip_mode", "'auto' to run every coroutine that no other marker claims", default="strict"
    )
    parser.getgroup("tulip").addoption(
        "--tulip-seed", type=int, metavar="N", help="run tests that have seeds with this one only"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; refuse a mode that does not exist."""
    config.addinivalue_line("markers", MARKER)
    mode = config.getini("tulip_mode")
    if mode not in {"strict", "auto"}:
        raise pytest.UsageError(f"tulip_mode must be 'strict' or 'auto', got {mode!r}")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item | pytest.Collector] | None:
    """Collect generator functions, which pytest itself refuses."""
    function = obj.__func__ if isinstance(obj, staticmethod | classmethod) else obj
    if not inspect.isgeneratorfunction(_untracked(function)):
        return None
    if not collector.istestfunction(obj, name):
        return None
    marks = {mark.name for mark in getattr(function, "pytestmark", ())}
    marks.update(mark.name for mark in collector.iter_markers())
    if not _is_ours(collector.config, marks):
        return None
    return list(collector._genfunctions(name, function))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine."""
    if not _is_ours(pyfuncitem.config, {mark.name for mark in pyfuncitem.iter_markers()}):
        return None
    hypothesis = getattr(pyfuncitem.obj, "hypothesis", None)
    if hypothesis is not None and _is_coroutine(hypothesis.inner_test):
        # Hypothesis calls it once for each example, and pytest goes on to call Hypothesis.
        hypothesis.inner_test = _as_function(pyfuncitem, hypothesis.inner_test)
    elif _is_coroutine(pyfuncitem.obj):
        names = pyfuncitem._fixtureinfo.argnames
        arguments = {name: pyfuncitem.funcargs[name] for name in names}
        _as_function(pyfuncitem, pyfuncitem.obj)(**arguments)
        return True
    return None


@pytest.fixture
def virtual_clock() -> "Iterator[VirtualClock]":
    """The clock of a test that waits without taking time; what it leaves behind fails it."""
    from tulip_sched.testing import VirtualClock, virtual_time

    clock = VirtualClock()
    with virtual_time(clock):
        yield clock


def _is_ours(config: pytest.Config, marks: set[str]) -> bool:
    if "tulip" in marks:
        return True
    return config.getini("tulip_mode") == "auto" and marks.isdisjoint(FOREIGN_MARKERS)


def _is_coroutine(test: object) -> bool:
    # Inside its decorators, too: mock.patch() makes a plain function of a generator function.
    function = _untracked(inspect.unwrap(test) if callable(test) else test)
    return inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)


def _untracked(test: object) -> object:
    """Return the function as it is without tulip's debug mode."""
    debug = sys.modules.get("tulip_sched._debug")  # where no test has imported it, none is wrapped
    return test if debug is None else debug.untracked(test)


def _as_function(
    item: pytest.Function, test: Callable[..., Generator[None, None, object] | None]
) -> Callable[..., None]:
    """Return a function that runs a coroutine test to its end."""
    seeds = _seeds_of(item)

    def run_test(*args: Any, **kwargs: Any) -> None:
        from tulip_sched import run
        from tulip_sched.testing import virtual_time

        def run_once() -> None:
            coro = test(*args, **kwargs)
            if coro is not None:  # else a decorator has run it
                run(coro)

        if seeds is None:
            run_once()
            return
        for seed in seeds:
            try:
                with virtual_time(seed=seed):
                    run_once()
            except BaseException as error:
                command = f"pytest {shlex.quote(item.nodeid)} --tulip-seed={seed}"
                error.add_note(f"with seed {seed}; to replay: {command}")
                raise

    return run_test


def _seeds_of(item: pytest.Function) -> Iterable[int] | None:
    marker = item.get_closest_marker("tulip")
    try:
        seeds = None if marker is None else _checked(*marker.args, **marker.kwargs)
    except TypeError as error:
        pytest.fail(f"wrong mark, {MARKER.partition(':')[0]} is right: {error}", False)
    if seeds is not None and "virtual_clock" in item.fixturenames:
        pytest.fail("a test with seeds has virtual time already: use no virtual_clock", False)
    replayed: int | None = item.config.getoption("--tulip-seed")
    if seeds is None:
        return None
    if replayed is not None:
        return [replayed]
    return seeds


def _checked(seeds: int | Iterable[int] | None = None) -> list[int] | None:
    if seeds is None:
        return None
    every = list(range(seeds) if isinstance(seeds, int) else seeds)
    if not every:
        raise TypeError(f"no test is run with no seed, got seeds={seeds!r}")
    return every
