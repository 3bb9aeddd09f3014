"""Stepping: how a coroutine is run, suspended, resumed, cancelled and ended.

The rules that hold here:

1. ``_undo`` tells the state of a task: a function of somebody's while it is *blocked*, `WOKEN`
   once it has been put into the loop's queue again, ``None`` while it runs and at first. So a
   wake-up that comes late, or twice, or before the task has yielded, is told from one that counts.
2. Whoever blocks a task names the function that undoes the suspension. Cancelling calls that
   function first, so the event that was waited for can no longer resume the task.
3. Callbacks of the loop (readiness, timers) call ``_step`` and resume the task at once; a task
   that wakes another one calls ``_wake``, which puts it in the queue. So a message costs no
   extra round of the loop, and one task never runs inside another.
"""

import itertools
from abc import abstractmethod
from collections.abc import Callable, Generator
from contextvars import copy_context
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from weakref import ref

from tulip_poll import EventLoop, QueueEntry
from tulip_sched._context import Context
from tulip_sched._coroutine import AnyCoroutine, Gen, coroutine
from tulip_sched._debug import DEBUG, warn_of_foreign_frame
from tulip_sched._errors import Cancelled, SuspendError
from tulip_sched._scopes import CancelScope, GroupScope, check_timeout, is_cancelled
from tulip_sched._suspension import PlacedUndo, coroutine_stack, describe_undo, explain_yield
from tulip_sched._typing import override

if TYPE_CHECKING:
    from tulip_sched._watch import Watch

T = TypeVar("T")


class _Turn(Enum):
    # Its value is for those who await it in an asyncio task, which shows them what it got.
    TURN = "tulip's sleep(0); in asyncio code: await run_in_asyncio(...)"


TURN: Final[Any] = _Turn.TURN
"""Yielded by a coroutine that stays runnable and only lets the others run first."""


def WOKEN() -> None:  # noqa: N802 - a constant that is called like the undo function it replaces
    """Stand in for the undo function of a task that is in the queue and blocked no more."""


_numbers = itertools.count(1)


class Stepper(QueueEntry, Generic[T]):
    """One stack of coroutines, run step by step; what a `Task` is to those that suspend it."""

    __slots__ = (
        "_base",
        "_callbacks",
        "_cancel_pending",
        "_cancelled",
        "_context",
        "_coro",
        "_done",
        "_error",
        "_exception",
        "_joiner",
        "_loop",
        "_more_joiners",
        "_name",
        "_reads",
        "_result",
        "_root",
        "_run",
        "_scope",
        "_send",
        "_since",
        "_starter",
        "_timeout",
        "_traceback",
        "_unarmed",
        "_undo",
    )

    # Set by the start, and by the end.
    _context: Context
    _loop: EventLoop
    _starter: "ref[Stepper[Any]] | None"
    _result: T

    def __init__(
        self, coro: AnyCoroutine[T], name: str | None = None, *, timeout: float | None = None
    ) -> None:
        # All of a task's state, in one place: to pass some of it on to the class above costs a
        # tenth of making a task. Much of it is of no use to most tasks, and cheaper so than to be
        # asked for.
        if timeout is not None:
            check_timeout(timeout)
        try:
            self._send = coro.send  # type: ignore[union-attr]  # what has none is driven
        except AttributeError:
            coro = _driven(coro)
            self._send = coro.send
        self._coro: Any = coro
        self._name = name
        self._timeout = timeout
        self._run = copy_context().run
        self._scope: CancelScope | None = None
        self._base: GroupScope | None = None
        self._root: CancelScope | None = None
        self._undo: Callable[[], object] | None = None
        # Whose reader it is: there events resume it as long as it waits for nothing else.
        self._reads: Watch | None = None
        self._error: BaseException | None = None
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[Any], object]] | None = None
        # Who waits for the end: mostly one. Thousands may come, and give up again, in any order.
        self._joiner: Stepper[Any] | None = None
        self._more_joiners: dict[Stepper[Any], None] | None = None
        # None until the start: one more slot would cost 1 % of spawning (benchmarks/scheduling).
        self._done: bool | None = None
        self._cancelled = self._cancel_pending = self._unarmed = False

    @property
    def name(self) -> str:
        """The name given, or ``task-N``."""
        if self._name is None:
            self._name = f"task-{next(_numbers)}"
        return self._name

    def unblock(self) -> None:
        """Resume the task, if it is blocked by `block` or `suspend`; else do nothing.

        For the one who was asked to wake the task up: the undo function is not called. A task
        that sleeps, or waits for a lock or a descriptor, is not woken: that is up to those.

        Raises:
            WrongThreadError: Called from another thread than the loop's.
        """
        if isinstance(self._undo, PlacedUndo):
            self._wake()
        else:
            self._check_thread()

    def _wake(self) -> None:
        """Make the task runnable, for whoever it is blocked by; a late call does nothing."""
        if self._undo is not None and self._undo is not WOKEN:
            self._loop.schedule(self)
            self._undo = WOKEN

    def callback_source(self) -> str:
        """Say what the task is and where it is suspended, for reports of slow callbacks."""
        stack = [] if self._done else list(coroutine_stack(self._coro))
        if not stack:
            return f"task {self.name!r}"
        # The line may be deep in a library: the names lead there from what the program wrote.
        names = " > ".join(frame.name for frame in stack)
        where = f"{stack[-1].filename}:{stack[-1].lineno}"
        return f"task {self.name!r} suspended at {where} ({names})"

    # -- suspending and resuming ------------------------------------------------------------

    def _block(self, undo: Callable[[], object]) -> None:
        """Suspend the running task at its next bare ``yield``."""
        if self._undo is not None:
            undo()
            raise SuspendError(
                f"task {self.name!r} is already blocked by {describe_undo(self._undo)}: "
                "a yield is missing after it"
            )
        if self._unarmed:
            self._arm_scopes()
        if self._reads is not None and undo is not self._reads._undo:
            self._reads._undo_r()
        self._undo = undo
        self._since = self._loop.polled_at
        if self._cancel_pending:
            self._interrupt()

    def _block_and_report(self, undo: Callable[[], object]) -> None:
        """In debug mode, do as `_block`, and look for scopes that cover what is not theirs."""
        scope = self._scope
        try:
            while scope is not None and scope is not self._base:
                if scope._frame is not None and warn_of_foreign_frame(scope, scope._frame):
                    scope._frame = None  # once is enough
                scope = scope._parent
        except Warning:
            undo()
            raise
        self._plain_block(undo)

    if DEBUG:
        _plain_block = _block
        _block = _block_and_report

    def _throw(self, error: BaseException) -> None:
        """Resume the blocked task with an error, in the loop's next round."""
        self._loop.schedule(self)
        self._undo = WOKEN
        self._error = error

    def _step(self) -> None:  # noqa: C901 - every switch's path, flat
        """Run the coroutine until it suspends or ends. The one place that resumes a task.

        This is the hot path of every switch (benchmarks/: scheduling). Measured there: the
        unchecked ``schedule_here`` instead of ``schedule`` saves a tenth of a switch.
        """
        context = self._context
        context.current_task = self  # type: ignore[assignment]  # every Stepper is a Task
        self._undo = None
        yielded: Any
        error: BaseException | None
        try:
            if self._error is None:
                run = self._run  # called as `self._run(...)`, a slot is looked up the long way
                yielded = run(self._send, None)
            elif self._done:  # it was in the queue when it ended: see _retire
                context.current_task = None
                return
            else:
                error, self._error = self._error, None
                yielded = self._run(self._coro.throw, error)
        except StopIteration as stop:
            context.current_task = None
            self._result = stop.value
            blocked = self._undo is not None
            self._finish(self._forgotten_yield() if blocked else None)
            error = None
            del self  # as below
        except BaseException as exc:  # noqa: BLE001 - a task keeps whatever ended it
            context.current_task = None
            self._fail(exc)
            # Since Python 3.12 a frame that has ended keeps its caller's frame, this one: what
            # the exception hangs from must not be in it (nor in the callers of this method).
            error = None
            del self
        else:
            context.current_task = None
            if yielded is None and self._undo is not None:
                return  # it is blocked
            if self._reads is not None:
                self._reads._undo_r()
            if yielded is TURN and self._undo is None:
                if self._unarmed:
                    self._arm_scopes()
                if self._cancel_pending:
                    self._error = self._order_to_stop()
                self._loop.schedule_here(self)
            else:
                self._refuse(yielded)

    _call = _step

    @property
    @override
    def retired(self) -> bool:
        """Whether the task is done."""
        return self._done is True

    def _retire(self) -> None:
        """See to it that a turn which may be in the queue still does nothing."""
        self._error = self._error or SuspendError(f"task {self.name!r} is over")

    def _refuse(self, yielded: object) -> None:
        """Raise in the task: it suspended in a way that nothing would resume."""
        context = self._context
        if self._undo is None and context.foreign is not None:
            context.current_task = self  # type: ignore[assignment]  # every Stepper is a Task
            taken = context.foreign(self, yielded)  # type: ignore[arg-type]  # as above
            context.current_task = None
            if taken:
                return
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()
        error = SuspendError(explain_yield(self.name, yielded, undo))
        if undo is WOKEN:
            self._error = error
            self._undo = WOKEN
        else:
            self._throw(error)

    def _forgotten_yield(self) -> SuspendError:
        undo = cast("Callable[[], object]", self._undo)
        self._undo = None
        undo()
        self._retire()
        return SuspendError(
            f"task {self.name!r} returned while blocked by {describe_undo(undo)}: "
            "a yield is missing after it"
        )

    def _fail(self, exc: BaseException) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()
            self._retire()
        # Our own frame says nothing to the reader of the traceback, and would be a cycle.
        if exc.__traceback__ is not None:
            exc.__traceback__ = exc.__traceback__.tb_next
        self._finish(exc)
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise exc

    @abstractmethod
    def _finish(self, exc: BaseException | None) -> None:
        """End: the coroutine has returned, or raised this."""

    def _check_thread(self) -> None:
        """Refuse a call from another thread than that of the run, before anything is changed."""
        if self._done is False:
            self._context.check_thread()

    # -- cancellation ------------------------------------------------------------------------

    def _root_scope(self) -> CancelScope:
        """Return the task's own scope, outside of all it entered; made when first needed."""
        if self._root is None:
            root = self._root = CancelScope()
            root._begin(self, self._base)
            if self._scope is self._base:
                self._scope = root
            else:
                scope = cast("CancelScope", self._scope)
                while scope._parent is not self._base:
                    scope = cast("CancelScope", scope._parent)
                scope._parent = root
        return self._root

    def _end_scopes(self) -> None:
        """Disarm the scopes that are still open: the root, and any that was left suspended."""
        scope = self._scope
        while scope is not None and scope is not self._base:
            outer = scope._parent
            scope._end()
            scope = outer
        self._scope = self._base

    def _arm_scopes(self) -> None:
        """Set the timers of the scopes that were entered since the task last suspended."""
        self._unarmed = False
        scope = self._scope
        while scope is not None and scope is not self._base:
            scope._arm_late(self)
            scope = scope._parent

    def _update_cancellation(self) -> None:
        """Work out the level again (rule 3 of the scopes)."""
        self._cancel_pending = is_cancelled(self._scope)
        undo = self._undo
        if self._cancel_pending and undo is not None and undo is not WOKEN:
            self._interrupt()

    def _propagate_cancellation(self) -> None:
        """Work out the level of this task and of the tasks in its groups, depth first."""
        # No recursion: groups nest deeper than the interpreter's stack.
        left: list[Stepper[Any]] = [self]
        while left:
            task = left.pop()
            scope = task._scope
            task._update_cancellation()
            members: list[Stepper[Any]] = []
            while scope is not None and scope is not task._base:
                if isinstance(scope, GroupScope):
                    members.extend(scope.members)
                scope = scope._parent
            left.extend(reversed(members))

    def _interrupt(self) -> None:
        """Undo the suspension and resume with `Cancelled`."""
        undo = cast("Callable[[], object]", self._undo)
        # Before the undo function is called, which may itself wake the task, or cancel it again: a
        # future's cancel() calls back whoever was to be told of its end.
        self._undo = WOKEN
        error: BaseException
        try:
            undo()
        except BaseException as failure:  # noqa: BLE001 - it is the task's, whoever cancels it
            error = failure
        else:
            error = self._order_to_stop()
        self._throw(error)

    def _order_to_stop(self) -> Cancelled:
        return Cancelled(f"task {self.name!r} was told to stop")


def _driven(coro: Any) -> Generator[None, None, Any]:
    """Wrap an awaitable that is not a generator, such as another task or ``sleep(0)``."""
    if not hasattr(coro, "__await__"):
        hint = ": did you forget to call it?" if callable(coro) else ""
        raise TypeError(f"a task needs a coroutine, got {coro!r}{hint}")

    @coroutine
    def drive() -> Gen[Any]:
        return (yield from coro.__await__())

    return iter(drive())
