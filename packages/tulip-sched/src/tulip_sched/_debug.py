"""Debug mode: reports the mistakes that cost too much to look for always.

``TULIP_DEBUG=1`` in the environment, or Python's development mode (``python -X dev``), switches
it on when the package is imported, for every coroutine function that is defined from then on, and
for every run. It reports:

- A coroutine that was called and never driven, as a `RuntimeWarning` at the line that called it.
  Of a bare ``async def`` Python itself tells; here it also tells which line called it.
- A coroutine that is driven again after its end, as the `RuntimeError` that Python raises for an
  ``async def``; a bare generator gives None then. (To ask each one before it is driven makes a
  frame object: 2 % of starting a task and waiting for it.)
- A scope opened in a generator that yielded to its caller, where the scope covers what the caller
  waits for, as a `RuntimeWarning` at that ``yield``.
- A callback or a step of a task that held up the loop for `SLOW_SECONDS`, in the log of
  ``tulip_poll``.

``run(..., debug=True)`` switches on, for one run, what can be switched on for code that is loaded
already: the last point, and the first for a bare ``async def``. The generators under `coroutine`
cannot be followed from then on: what `coroutine` returns is a plain function whose calls nothing
can see, which is why they cost nothing in normal mode.

A ``yield`` of something that is not ours raises in any mode: it costs nothing to see.
"""

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from types import CodeType, FrameType, FunctionType, GeneratorType
from typing import Any, Final, final

from tulip_poll import ClosedError, EventLoop
from tulip_sched._flags import CO_ASYNC_GENERATOR, CO_GENERATOR
from tulip_sched._typing import override

TOLD: Final = os.environ.get("TULIP_DEBUG") or ("1" if sys.flags.dev_mode else "0")

DEBUG: Final = TOLD != "0"

GENERATOR_FLAGS: Final = CO_GENERATOR | CO_ASYNC_GENERATOR

SLOW_SECONDS: Final = 0.1
"""What asyncio's debug mode takes for slow, and what people notice."""


def tracked(func: FunctionType) -> Callable[..., "TrackedCoroutine"]:
    """Wrap a generator function so that calls which are never driven are reported."""

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> TrackedCoroutine:
        return TrackedCoroutine(func(*args, **kwargs), _caller(sys._getframe(1)))

    return call


def untracked(func: Any) -> Any:
    """Return the generator function behind one that `tracked` made; anything else as it is."""
    # By the code that they all share: `functools.wraps` copies attributes to functions around it.
    code = getattr(func, "__code__", None)
    shared = isinstance(code, CodeType) and code in tracked.__code__.co_consts
    return func.__wrapped__ if shared else func


@contextlib.contextmanager
def debugging(loop: EventLoop) -> Iterator[None]:
    """Report what can be reported of code that is loaded already, for the length of the block."""
    reports = loop.report_slow_callbacks(SLOW_SECONDS)
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(1, depth))  # 1: the line that called
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)
        with contextlib.suppress(ClosedError):  # in a process that was forked meanwhile
            loop.report_slow_callbacks(*reports)


def _caller(frame: FrameType) -> FrameType:
    """Skip our own functions that pass a call on, such as `sleep`."""
    while frame.f_globals.get("__name__", "").startswith("tulip_sched.") and frame.f_back:
        frame = frame.f_back
    return frame


def check_unspent(coro: object) -> None:
    """Refuse a generator that is over, as Python does a coroutine of ``async def``.

    Raises:
        RuntimeError: It has returned, raised, or been closed.
    """
    if getattr(coro, "gi_frame", coro) is None:
        raise RuntimeError(f"cannot reuse already awaited coroutine {coro!r}")


def generator_that_enters(frame: FrameType) -> FrameType | None:
    """Return the frame of the generator that opens a scope, to be looked for when a task blocks.

    Returns:
        ``None`` for a plain function, and for a generator that `contextlib` runs as a context
        manager: those are expected to cover their callers.
    """
    frame = _caller(frame)
    if not frame.f_code.co_flags & GENERATOR_FLAGS:
        return None
    driver = frame.f_back
    if driver is not None and driver.f_code.co_filename == contextlib.__file__:
        return None
    return frame


def warn_of_foreign_frame(scope: object, owner: FrameType) -> bool:
    """Report a scope whose generator is suspended at a yield to its caller; return whether so."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not owner:
        frame = frame.f_back
    # One that is over has left its scope open for its caller, as an __aenter__ may.
    if frame is owner or not _at_yield(owner):
        return False
    warnings.warn_explicit(
        f"{scope!r} was opened in {owner.f_code.co_qualname}(), which yielded to its caller and "
        "left it open: what the caller waits for now is inside of it",
        RuntimeWarning,
        owner.f_code.co_filename,
        owner.f_lineno,
    )
    return True


def _at_yield(frame: FrameType) -> bool:
    from opcode import opname

    # Python 3.13 has gone on to the instruction behind the yield.
    return opname[frame.f_code.co_code[frame.f_lasti]] in {"YIELD_VALUE", "RESUME"}


@final
class TrackedCoroutine:
    """A generator that knows who called for it, and tells when nobody, or two, drive it."""

    def __init__(self, generator: "GeneratorType[None, None, Any]", frame: FrameType) -> None:
        self._generator = generator
        self._place = (frame.f_code.co_filename, frame.f_lineno)
        self._driven = False

    def __iter__(self) -> Generator[None, None, Any]:
        self._drive()
        return self._generator

    def __await__(self) -> Generator[None, None, Any]:
        self._drive()
        return (yield from self._generator)

    def send(self, value: None) -> None:
        self._drive()
        return self._generator.send(value)

    def throw(self, error: BaseException) -> None:
        self._driven = True
        try:
            return self._generator.throw(error)
        finally:
            del error  # whose traceback holds this frame

    def close(self) -> None:
        self._driven = True
        self._generator.close()

    def _drive(self) -> None:
        self._driven = True
        check_unspent(self._generator)

    @property
    def gi_frame(self) -> FrameType | None:
        return self._generator.gi_frame

    @property
    def gi_yieldfrom(self) -> object:
        return self._generator.gi_yieldfrom

    @override
    def __repr__(self) -> str:
        # What errors name it by, as in normal mode.
        return repr(self._generator)

    def __del__(self) -> None:
        if not self._driven:
            name = self._generator.__qualname__.removeprefix("_")  # sleep() calls _sleep()
            warnings.warn_explicit(
                f"coroutine {name}() was called and never driven: "
                "is a 'yield from' or an 'await' missing?",
                RuntimeWarning,
                *self._place,
            )
