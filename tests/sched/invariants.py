"""What must hold between any two callbacks of a loop, whatever its tasks do."""

from collections import Counter, deque
from collections.abc import Callable

from tests.sched.virtual import Virtual
from tulip_poll import QueueEntry
from tulip_sched import Cancelled, Context, Gen, coroutine, current_task
from tulip_sched._scopes import is_cancelled
from tulip_sched._stepping import WOKEN


def check_books(context: Context) -> None:
    """Check the books of a context, its loop and its tasks, between two steps or in one."""
    if context.current_task is None:
        check_watches(context)
    check_tasks(context)
    timers = context.eventloop._timers
    assert timers._dead[0] == sum(entry[2].cancelled for entry in timers.heap), "timers miscounted"


def check_watches(context: Context) -> None:
    """Every registration belongs to a Watch, and is counted as parked when nobody waits there.

    Who has the reader's place waits there: an event would resume it without a look.
    """
    stats = context.eventloop.stats()
    registered = parked = 0
    for watch in context.watches.values():
        registered += watch._reading + watch._writing
        parked += watch._reading and watch._waiting_reader() is None
        parked += watch._writing and watch._writer is None
        reader = watch._reader
        if reader is not None:
            assert reader._reads is watch, f"{reader!r} has left {watch!r}"
            assert watch._waiting_reader() is reader, f"{reader!r} waits for something else"
        if watch._reading:
            called = [watch._on_unwanted]
            if reader is not None:
                called = [watch._on_early_readable, reader._step]
            assert watch._handle._call in called, f"an event of {watch!r} calls another"
    assert registered == stats.readers + stats.writers, f"{registered} registered, {stats}"
    assert parked == stats.parked, f"{parked} parked, {stats}"


def check_tasks(context: Context) -> None:
    """A task is in the queue once when it can run, else not; cancelled, it is not blocked."""
    queued = Counter(map(id, context.eventloop._ready))
    for task in context.tasks:
        if task is context.current_task:
            continue
        runnable = task._undo is None or task._undo is WOKEN
        assert queued[id(task)] == runnable, f"{task!r} is queued {queued[id(task)]} times"
        assert task._cancel_pending == is_cancelled(task._scope), f"{task!r} is told otherwise"
        assert runnable or not task._cancel_pending, f"{task!r} is cancelled, and blocked still"


def between_rounds(
    virtual: Virtual,
    arrange: Callable[[deque[QueueEntry]], int] | None,
    violations: list[AssertionError],
) -> Callable[[deque[QueueEntry]], int]:
    """Return what checks each round of the loop before it, in the order that ``arrange`` makes.

    The first violation is only noted: a loop that raised in each round would never end its tasks.
    """

    def check(queue: deque[QueueEntry]) -> int:
        if not violations:
            try:
                check_books(virtual.context)
            except AssertionError as violation:
                violations.append(violation)
        return len(queue) if arrange is None else arrange(queue)

    return check


@coroutine
def attentive(steps: Gen[None]) -> Gen[None]:
    """Look at each resumption: of this task, cancelled when it should be, and only then."""
    task = current_task()
    error: BaseException | None = None
    while True:
        try:
            yielded = next(steps) if error is None else steps.throw(error)
        except StopIteration:
            return
        told, error = task._cancel_pending, None
        try:
            yield yielded
        except BaseException as raised:  # noqa: BLE001 - it is passed on
            error = raised
        assert current_task() is task
        if isinstance(error, Cancelled):
            assert is_cancelled(task._scope), "cancelled by nobody"
        else:
            assert not told, "suspended though it was cancelled, and resumed as if it was not"
