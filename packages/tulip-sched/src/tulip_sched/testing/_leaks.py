"""What a program leaves behind: tasks, registrations, timers, descriptors."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import final

from tulip_poll import EventLoop, Leftovers, QueueEntry
from tulip_sched._context import Context, current_context, set_context_provider
from tulip_sched._watch import Watch


@final
class LeakError(AssertionError):
    """Something was left behind; the message lists what."""


def find_leaks(context: Context | None = None) -> list[str]:
    """Return what a context still holds, a line for each thing; empty for nothing.

    Args:
        context: Default: that of this thread.

    Tasks that are not done, failures that nobody asked for, descriptors that tasks wait on; and
    in the event loop, or in the one that the last run closed, registrations, timers, callbacks
    and threads at work. A registration that is kept for the next wait is no leak.

    Nothing is changed, so this can be called at any time, also in the midst of a run.
    """
    context = current_context() if context is None else context
    found = _of_context(context)
    if context.loop is not None:
        stats = context.loop.stats()
        counts = {
            "descriptors waited for": stats.readers + stats.writers - stats.parked,
            "timers": stats.timers,
            "callbacks in the queue": stats.queued,
            "functions in threads": stats.held,
        }
        found += [f"{count} {what}" for what, count in counts.items() if count]
    else:
        found += _of_loop(context.leftovers)
    return found


@contextmanager
def no_leaks() -> Iterator[Context]:
    """Check that what runs inside this ``with`` block, in this thread, leaves nothing behind.

    Returns:
        For ``as``: a new context, this thread's for the block.

    Raises:
        LeakError: At the end of the block: there are tasks, registrations, timers, callbacks or
            failures left in the context, or descriptors are open that were not before. Not if
            the block fails.

    Descriptors are compared where the system lists them (Linux), and are the whole process's.
    """
    before = _open_descriptors()
    with checked(Context(EventLoop())) as context:
        yield context
    opened = sorted(_open_descriptors().items() - before.items())
    _raise_for(f"descriptor {number} -> {target}" for number, target in opened)


@contextmanager
def checked(context: Context) -> Iterator[Context]:
    """Make a context this thread's own for the block; then close it, with its loop.

    Raises:
        LeakError: It held something. Not if the block fails.
    """
    thread = get_ident()
    previous = set_context_provider(lambda: context if get_ident() == thread else previous())
    try:
        yield context
        found = _of_context(context)
    finally:
        set_context_provider(previous)
        loop = context.eventloop
        context.close()
        left = loop.close()
    _raise_for(found + _of_loop(left))


def _of_context(context: Context) -> list[str]:
    return [
        *(repr(task) for task in context.tasks),
        *(f"a failure that nobody asked for: {f.error!r}" for f in context.failures.values()),
        *(repr(watch) for watch in context.watches.values() if not watch.idle()),
    ]


def _of_loop(left: Leftovers) -> list[str]:
    """Say what a loop reported when it was closed."""
    handles = (*left.readers, *left.writers, *left.timers, *left.callbacks)
    found = [repr(handle) for handle in handles if not _is_parked(handle)]
    found += [f"a handler of signal {number}" for number in left.signals]
    found += [f"a watch for child process {pid}" for pid in left.children]
    if left.held:
        found.append(f"{left.held} functions in threads")
    return found


def _is_parked(handle: QueueEntry) -> bool:
    watch = handle.receiver
    return isinstance(watch, Watch) and watch.idle()


def _open_descriptors() -> dict[int, str]:
    """Return each open descriptor with the file behind it, as far as the system tells."""
    found = {}
    for entry in list(Path("/proc/self/fd").glob("*")):
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:
            continue  # the descriptor that listed the folder
    return found


def _raise_for(found: Iterable[str]) -> None:
    lines = list(found)
    if lines:
        raise LeakError("left behind:\n" + "\n".join(f"  {line}" for line in lines))
