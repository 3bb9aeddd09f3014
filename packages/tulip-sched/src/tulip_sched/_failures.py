"""Failures that nobody waited for: each is told once, and makes the run fail.

When a task fails and nobody waits for it, somebody may still ask later, so nothing is said yet.
As soon as the task object is gone nobody can ask any more: the failure is logged, with its
traceback. Whatever is left when the run ends is raised by `run`.

A program that runs for months must not collect failures for as long: of those that were logged
only the first `MOST_KEPT` are kept to be raised, the others are counted.
"""

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import logging

    from tulip_sched._context import Context
    from tulip_sched._task import Task

MOST_KEPT: Final = 100
"""More than a person will read; and each holds a traceback with all its frames' variables."""


def logger() -> "logging.Logger | _StandardError":
    """Return the logger ``tulip_sched``. Its module costs 5 ms, and few runs need it."""
    try:
        import logging
    except OSError:
        # No descriptor is left to read the module with. Whoever asks is in the middle of ending a
        # task, and an error there would leave those that wait for it waiting for ever.
        return _StandardError()
    return logging.getLogger("tulip_sched")


class _StandardError:
    """Tells what a logger without handlers would, without importing anything."""

    def error(self, message: str, *values: object, exc_info: BaseException) -> None:
        sys.stderr.write(message % values + "\n")
        # Not by sys.excepthook: there a program may have put anything.
        sys.__excepthook__(type(exc_info), exc_info, exc_info.__traceback__)


def note_failure(context: "Context", task: "Task[Any]", error: BaseException) -> None:
    """Remember that a task failed and that nobody was waiting."""
    context.failures[id(task)] = Failure(context, task, error)


class Failure:
    """One failure nobody has asked for yet."""

    __slots__ = ("_context", "_key", "_logger", "_name", "_reference", "error", "told")

    def __init__(self, context: "Context", task: "Task[Any]", error: BaseException) -> None:
        self._context = context
        self._key = id(task)
        self._name = task.name
        # Not when the task is gone: that may be when Python ends, and can import nothing more.
        self._logger = logger()
        self.error = error
        self.told = False
        self._reference = weakref.ref(task, self._gone)

    def _gone(self, _: object) -> None:
        context = self._context
        if context.failures.get(self._key) is not self:
            return
        # The number may now be given to another task; this failure keeps its own key.
        del context.failures[self._key]
        self._key = id(self)
        context.lost_failures += 1
        if context.lost_failures <= MOST_KEPT:
            context.failures[self._key] = self
        self.tell()

    def tell(self) -> None:
        """Log the failure with its traceback, unless that was done."""
        if self.told:
            return
        self.told = True
        self._logger.error(
            "task %r failed and nobody waited for it", self._name, exc_info=self.error
        )


def tell_failures(context: "Context", error: BaseException) -> None:
    """Log the failures that nobody asked for, and note them on the error that ends the run."""
    failures, more = _take(context)
    for failure in failures:
        if failure.error is not error:
            failure.tell()
            error.add_note(f"besides, a task failed that nobody waited for: {failure.error!r}")
    if more:
        error.add_note(f"and {more} more, which were logged")


def raise_failures(context: "Context") -> None:
    """Raise the failures that nobody asked for, if there are any, and forget them.

    Raises:
        ExceptionGroup: All of them; a `BaseExceptionGroup` if one is no `Exception`.
    """
    failures, more = _take(context)
    if failures:
        told = "tasks failed that nobody waited for"
        told += f" (and {more} more, which were logged)" if more else ""
        raise BaseExceptionGroup(told, [failure.error for failure in failures])


def _take(context: "Context") -> "tuple[list[Failure], int]":
    """Return the failures that were kept, and how many were not; forget them."""
    failures = list(context.failures.values())
    context.failures.clear()
    more = max(0, context.lost_failures - MOST_KEPT)
    context.lost_failures = 0
    return failures, more
