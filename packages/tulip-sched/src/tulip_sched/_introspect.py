"""Seeing inside: the tree of live tasks, what each waits for, since when, and where.

A task hangs below the one in whose group it runs, else below the task that started it, or at the
top if that one is done. Making a snapshot costs time for each task; keeping what it needs costs a
running task nearly nothing: since when it is blocked is told by the clock's last reading, after the
loop's last poll.
"""

import signal
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

from tulip_sched._context import Context, current_context
from tulip_sched._errors import DeadlockError
from tulip_sched._stepping import WOKEN
from tulip_sched._suspension import coroutine_stack, describe_undo
from tulip_sched._task import Task

if TYPE_CHECKING:
    from traceback import FrameSummary

DEEPEST_INDENT: Final = 30
"""What is below is not indented further."""


class TaskInfo(NamedTuple):
    """One live task, as it was when the snapshot was made.

    Attributes:
        name: The task's name.
        waiting_for: What would have to be undone for it to go on: the function that it named
            when it blocked; ``None`` for a task that is running or about to run.
        seconds: How long it has been blocked, on the event loop's clock; 0 if it is not.
        stack: Its coroutines, the outermost first, each where it is suspended.
        children: The live tasks of its groups, and those that it started outside of any.
    """

    name: str
    waiting_for: str | None
    seconds: float
    stack: "tuple[FrameSummary, ...]"
    children: "tuple[TaskInfo, ...]"


def task_tree(context: Context | None = None) -> tuple[TaskInfo, ...]:
    """Return the live tasks of a context, the calling thread's by default.

    Returns:
        The tasks at the top, in the order of their start; the others are their children.
    """
    context = context or current_context()
    if not context.tasks:
        return ()
    now = context.eventloop.time()
    below: dict[Task[Any] | None, list[TaskInfo]] = {}
    # The last one first: whoever started a task was started before it, so all below a task is
    # there when its turn comes, without recursion, however long the chain.
    for task in reversed(context.tasks):
        undo = task._undo
        blocked = undo is not None and undo is not WOKEN
        info = TaskInfo(
            task.name,
            describe_undo(undo) if undo is not None and blocked else None,
            now - task._since if blocked else 0.0,
            tuple(coroutine_stack(task._coro)),
            tuple(reversed(below.pop(task, ()))),
        )
        parent = task._parent()
        below.setdefault(parent if parent in context.tasks else None, []).append(info)
    return tuple(reversed(below.get(None, ())))


def format_task_tree(tree: Iterable[TaskInfo], *, stacks: bool = True) -> str:
    """Write a tree of tasks down for people.

    Args:
        tree: As `task_tree` returns it.
        stacks: Show each task's stack, not only what it waits for.
    """
    lines: list[str] = []
    left = [(info, 0) for info in reversed(tuple(tree))]
    while left:
        info, depth = left.pop()
        indent = "  " * min(depth, DEEPEST_INDENT)
        lines.extend(indent + line for line in _lines(info, stacks))
        left.extend((child, depth + 1) for child in reversed(info.children))
    return "\n".join(lines) or "no tasks"


def dump_tasks(file: TextIO | None = None) -> None:
    """Print the calling thread's tree of tasks.

    Args:
        file: Where to; default: standard error.
    """
    print(format_task_tree(task_tree()), file=file or sys.stderr)


def dump_tasks_on_signal(
    number: int = signal.SIGUSR1 if sys.platform != "win32" else signal.SIGTERM,
    file: TextIO | None = None,
) -> Callable[[], object]:
    """Print the tree of tasks whenever a signal arrives.

    Args:
        number: The signal; default: ``SIGUSR1``.
        file: Where to; default: standard error.

    Returns:
        A function that ends it.

    Raises:
        ValueError: This is not the main thread, where alone signals can be handled.

    The loop must be turning: for a task that never suspends, see `faulthandler`.
    """
    import traceback  # noqa: F401 - when the signal comes there may be no descriptor left for it

    context = current_context()
    loop = context.eventloop
    loop.add_signal_handler(number, dump_tasks, file)
    context.dumps.add(number)

    def end() -> None:
        context.dumps.discard(number)
        loop.remove_signal_handler(number)

    return end


def deadlock(context: Context) -> DeadlockError:
    """Return the error for tasks that nothing could ever resume."""
    tree = format_task_tree(task_tree(context))
    return DeadlockError(
        "nothing is left that could resume these tasks (a thread could, through an open Portal):\n"
        + tree
    )


def _lines(info: TaskInfo, stacks: bool) -> list[str]:
    state = "ready to run"
    if info.waiting_for is not None:
        state = f"waits for {info.waiting_for}, {info.seconds:.3f} s"
    lines = [f"task {info.name!r}: {state}"]
    if stacks:
        for entry in _format(info.stack):
            lines.extend("    " + line.strip("\n") for line in entry.splitlines())
    return lines


def _format(stack: "tuple[FrameSummary, ...]") -> list[str]:
    try:
        from traceback import format_list

        return format_list(list(stack))
    except OSError:  # from Python 3.13 on that imports what reads sources: see `coroutine_stack`
        return [f'  File "{at.filename}", line {at.lineno}, in {at.name}' for at in stack]
