"""Async generators that are dropped half-way: their clean-up is a task of the run.

An ``async for`` that is left early drops its generator, and the clean-up of that, its ``finally``
and ``async with`` blocks, may have to wait. Python then calls a hook of the thread in which the
generator was begun, instead of closing it in the midst of whatever task was running.

Source: PEP 525, "Finalization".
"""

import sys
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tulip_poll import ClosedError, EventLoop
from tulip_sched._context import Context
from tulip_sched._task import Task


@contextmanager
def closing_dropped_generators(context: Context) -> Iterator[None]:
    """Have those that are begun in this block closed by a task of the context's run."""
    before = sys.get_asyncgen_hooks()
    dropped = partial(_note_dropped, context, context.eventloop)
    sys.set_asyncgen_hooks(context.async_generators.add, dropped)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)


def some_left(context: Context) -> bool:
    """Return whether there are tasks left, those included that close what generators are left."""
    if not context.tasks:
        # Only now: a generator cannot be closed while a task is inside of it.
        _close_dropped(context)
        left = list(context.async_generators)
        context.async_generators.clear()
        for generator in left:
            _close(generator)
    return bool(context.tasks)


def _note_dropped(context: Context, loop: EventLoop, generator: AsyncGenerator[Any, Any]) -> None:
    """See to it that it is closed; called by the garbage collector, in any thread."""
    # Noted, as the run may be in its last step: then no round of the loop is left for a callback.
    context.dropped_generators.append(generator)
    try:
        loop.call_soon_threadsafe(_close_dropped, context)
    except ClosedError:
        context.dropped_generators.remove(generator)
        if context.left_behind:
            return
        warnings.warn(
            f"{generator!r} was dropped after its run: its clean-up was not done",
            ResourceWarning,
            stacklevel=2,
        )


def _close_dropped(context: Context) -> None:
    while context.dropped_generators:
        _close(context.dropped_generators.popleft())


def _close(generator: AsyncGenerator[Any, Any]) -> None:
    name = getattr(generator, "__qualname__", repr(generator))
    Task(generator.aclose(), f"clean-up of {name}()").start()
