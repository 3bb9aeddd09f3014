"""Failures that nobody waited for: each is told once, and makes the run fail.

When a task fails and nobody waits for it, somebody may still ask later, so nothing is said yet.
As soon as the task object is gone nobody can ask any more: the failure is logged, with its
traceback. Whatever is left when the run ends is raised by `run`.
"""

import logging
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tulip_sched._context import Context
    from tulip_sched._task import Task

logger = logging.getLogger("tulip_sched")


def note_failure(context: "Context", task: "Task[Any]", error: BaseException) -> None:
    """Remember that a task failed and that nobody was waiting."""
    context.failures[id(task)] = Failure(context, task, error)


class Failure:
    """One failure nobody has asked for yet."""

    __slots__ = ("_context", "_key", "_name", "_reference", "error", "told")

    def __init__(self, context: "Context", task: "Task[Any]", error: BaseException) -> None:
        self._context = context
        self._key = id(task)
        self._name = task.name
        self.error = error
        self.told = False
        self._reference = weakref.ref(task, self._gone)

    def _gone(self, _: object) -> None:
        if self._context.failures.get(self._key) is not self:
            return
        # The number may now be given to another task; this failure keeps its own key.
        del self._context.failures[self._key]
        self._key = id(self)
        self._context.failures[self._key] = self
        self.tell()

    def tell(self) -> None:
        """Log the failure with its traceback, unless that was done."""
        if self.told:
            return
        self.told = True
        logger.error("task %r failed and nobody waited for it", self._name, exc_info=self.error)


def tell_failures(context: "Context", error: BaseException) -> None:
    """Log the failures that nobody asked for, and note them on the error that ends the run."""
    for failure in list(context.failures.values()):
        if failure.error is not error:
            failure.tell()
            error.add_note(f"besides, a task failed that nobody waited for: {failure.error!r}")
    context.failures.clear()


def take_failures(context: "Context") -> list[BaseException]:
    """Return the failures that nobody asked for, and forget them."""
    failures = [failure.error for failure in context.failures.values()]
    context.failures.clear()
    return failures
