"""Cancellation: scopes, deadlines and shields.

The rules that hold here:

1. A scope is a plain ``with`` block inside one task. Scopes nest; the innermost is
   ``task._scope``, the chain goes outwards by ``_parent``. A task in a group continues the chain
   with the group's scope, so cancelling a scope reaches the tasks of every group inside it.
2. Cancellation is a level, not an edge: as long as a cancelled scope lies on the chain, before
   any shield, every suspension raises `Cancelled`.
3. A task keeps the level as one flag, ``_cancel_pending``. It is worked out again when a scope
   is cancelled and when one that matters is entered or left; blocking only reads it.
4. `Cancelled` is raised by ``Task._step`` and nowhere else. A task that was already made
   runnable gets what it waited for first, so nothing that was handed over is lost.
5. A scope swallows `Cancelled` when it was cancelled itself and no scope outside of it was.
"""

import math
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, final

from tulip_sched._context import current_context, current_task
from tulip_sched._debug import DEBUG, generator_that_enters
from tulip_sched._errors import Cancelled
from tulip_sched._typing import override

if TYPE_CHECKING:
    from tulip_poll import TimerHandle
    from tulip_sched._stepping import Stepper


class CancelScope:
    """A ``with`` block whose suspensions can be cancelled together.

    Args:
        deadline: When to cancel by itself, in seconds on the event loop's clock; infinite means
            never.
        shield: Keep the cancellation of outer scopes out of this block.

    Attributes:
        cancel_called: `cancel` was called or the deadline has passed.
        cancelled_caught: The block was left because of this scope's cancellation.

    Leaving the block never waits. Each scope object serves one ``with`` block.
    """

    __slots__ = (
        "_deadline",
        "_expired",
        "_frame",
        "_parent",
        "_shield",
        "_task",
        "_timer",
        "_used",
        "cancel_called",
        "cancelled_caught",
    )

    def __init__(self, *, deadline: float = math.inf, shield: bool = False) -> None:
        self._deadline = deadline
        self._shield = shield
        self._task: Stepper[Any] | None = None
        self._parent: CancelScope | None = None
        self._timer: TimerHandle | None = None
        self._expired = False
        # In debug mode: the generator whose block this is; see `_debug`.
        self._frame: FrameType | None = None
        self._used = False
        self.cancel_called: bool = False
        self.cancelled_caught: bool = False

    @property
    def shield(self) -> bool:
        """Whether the cancellation of outer scopes is kept out."""
        return self._shield

    @property
    def deadline(self) -> float:
        """When the scope cancels itself, in seconds on the loop's clock; may be set at any time."""
        return self._deadline

    @deadline.setter
    def deadline(self, when: float) -> None:
        task = self._task
        if task is not None and not self.cancel_called:
            _check_deadline(when)
            task._context.check_thread()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        self._deadline = when
        if task is not None and not self.cancel_called:
            self._arm(task)

    def __enter__(self) -> Self:
        task = current_task()
        if self._used:
            raise RuntimeError(f"{self!r} was used before: each scope serves one with block")
        self._used = True
        if DEBUG:
            self._frame = generator_that_enters(sys._getframe(1))
        self._begin(task, task._scope)
        task._scope = self
        if self._shield or self.cancel_called:
            task._update_cancellation()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        task = self._task
        running: object = current_context().current_task
        if task is None or task._scope is not self or running is not task:
            raise self._misnested(task)
        task._scope = self._parent
        self._end()
        if task._cancel_pending or self._shield:
            task._update_cancellation()
        if exc is None or not self.cancel_called or task._cancel_pending:
            return False
        return self._absorb(exc)

    def cancel(self) -> None:
        """Cancel everything inside: each task there gets `Cancelled` where it is blocked.

        Calling it again, or after the block was left, does nothing. Called before the block is
        entered, it cancels the block's first suspension.
        """
        if self.cancel_called:
            return
        task = self._task
        if task is not None:
            task._context.check_thread()
        # Inside of what is cancelled already nothing changes: no need to go through it again.
        news = task is not None and not is_cancelled(self)
        self.cancel_called = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if task is not None and news:
            task._propagate_cancellation()

    def _begin(self, task: "Stepper[Any]", parent: "CancelScope | None") -> None:
        if self._deadline != math.inf:
            _check_deadline(self._deadline)
            # Its timer is set when the task suspends inside. Most blocks under a time limit never
            # do, and setting a timer costs more than the rest of the scope (benchmarks/scheduling).
            task._unarmed = True
        self._task = task
        self._parent = parent

    def _arm_late(self, task: "Stepper[Any]") -> None:
        """Set the timer, unless that was done, or is not needed any more."""
        if self._timer is None and not self.cancel_called:
            self._arm(task)

    def _arm(self, task: "Stepper[Any]") -> None:
        if self._deadline != math.inf:
            self._timer = task._loop.call_at(self._deadline, self._expire)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # A scope that is kept, or is a local variable of a coroutine that failed, must keep
        # neither the chain nor the task alive.
        self._parent = self._task = self._frame = None

    def _expire(self) -> None:
        self._timer = None
        self._expired = True
        self.cancel()

    def _absorb(self, exc: BaseException) -> bool:
        """Swallow `Cancelled`, alone or among the errors of a group."""
        if isinstance(exc, Cancelled):
            self.cancelled_caught = True
            return True
        if isinstance(exc, BaseExceptionGroup):
            cancelled, rest = exc.split(Cancelled)
            if cancelled is not None:
                self.cancelled_caught = True
                if rest is None:
                    return True
                raise rest from exc.__cause__
        return False

    def _misnested(self, task: "Stepper[Any] | None") -> RuntimeError:
        """Take the scope out of the chain, wherever in it, and say what is wrong."""
        where = "a task that is over"
        if task is not None:
            where = f"task {task.name!r}"
            self._cut_out(task)
        return RuntimeError(
            f"{self!r} was entered in {where} and is being left out of order: a scope must be "
            "left in the task that entered it, innermost first (was it opened in a generator "
            "that yields values to its caller?)"
        )

    def _cut_out(self, task: "Stepper[Any]") -> None:
        inner = task._scope
        if inner is self:
            task._scope = self._parent
        while inner is not None and inner._parent is not self:
            inner = inner._parent
        if inner is not None:
            inner._parent = self._parent
        self._end()
        task._update_cancellation()

    @override
    def __repr__(self) -> str:
        state = "cancelled" if self.cancel_called else "open"
        shield = " shield" if self._shield else ""
        return f"<{type(self).__name__} {state}{shield} deadline={self._deadline}>"


@final
class GroupScope(CancelScope):
    """A scope with tasks in it that are not the one which entered it.

    Attributes:
        ended: Called when one of them has failed, and when the last of them has ended.
        members: In the order of their start, which is the order in which they are cancelled. One
            that has ended is no member any more.
    """

    __slots__ = ("ended", "members")

    def __init__(self) -> None:
        super().__init__()
        self.ended: Callable[[Stepper[Any]], object] = nobody_waits
        self.members: dict[Stepper[Any], None] = {}

    @override
    def _end(self) -> None:
        super()._end()
        if not self.members:
            self.ended = nobody_waits  # whoever waited has this scope, and would be in a cycle


def nobody_waits(_: object) -> None:
    """Stand for who would be told of ends."""


@final
class FailScope(CancelScope):
    """A scope that never swallows: leaving it because it was cancelled raises `TimeoutError`."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(deadline=_deadline_after(seconds))
        self._seconds = seconds

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if super().__exit__(exc_type, exc, traceback):
            told = f"timed out after {self._seconds:g} seconds"
            if not self._expired:
                told = f"cancelled before its {self._seconds:g} seconds were over"
            raise TimeoutError(told) from exc
        return False


def is_cancelled(scope: CancelScope | None) -> bool:
    """Return whether cancellation reaches the inside of this scope (rule 2)."""
    while scope is not None and not scope.cancel_called and not scope._shield:
        scope = scope._parent
    return scope is not None and scope.cancel_called


def _check_deadline(when: float) -> None:
    try:
        a_number = when >= -math.inf
    except TypeError:
        raise TypeError(f"a deadline must be a number of seconds, got {when!r}") from None
    if not a_number:
        raise ValueError(f"a deadline must be a number of seconds, got {when}")


def check_timeout(seconds: float) -> None:
    """Refuse what is no timeout, by value.

    Raises:
        TypeError: ``seconds`` is no number.
        ValueError: ``seconds`` is negative or not a number (``nan``).
    """
    try:
        if seconds >= 0:
            return
    except TypeError:
        raise TypeError(f"a timeout is a number of seconds or None, got {seconds!r}") from None
    raise ValueError(f"a timeout must be at least 0 seconds, got {seconds!r}")


def _deadline_after(seconds: float) -> float:
    check_timeout(seconds)
    return math.inf if seconds == math.inf else current_context().eventloop.time() + seconds


def move_on_after(seconds: float | None) -> CancelScope:
    """Return a scope that is cancelled after a while and then left in silence.

    Args:
        seconds: At least 0, counted from this call; ``None`` or infinity for no limit.

    Returns:
        The scope, for ``with``; its ``cancelled_caught`` tells whether the time ran out.

    Raises:
        ValueError: ``seconds`` is negative or not a number.
    """
    return CancelScope(deadline=math.inf if seconds is None else _deadline_after(seconds))


def fail_after(seconds: float | None) -> FailScope:
    """Return a scope that is cancelled after a while and then raises `TimeoutError`.

    Args:
        seconds: At least 0, counted from this call; ``None`` or infinity for no limit.

    Raises:
        ValueError: ``seconds`` is negative or not a number.
        TimeoutError: By the ``with`` block, once the time has run out; its ``__cause__`` is the
            `Cancelled` that shows where the block was waiting. A block that finishes in the same
            moment has finished.
    """
    return FailScope(math.inf if seconds is None else seconds)


def shield() -> CancelScope:
    """Return a scope that keeps outer cancellation out, for clean-up that must wait.

    Combine it with a deadline (``CancelScope(deadline=..., shield=True)``) so that clean-up ends.
    """
    return CancelScope(shield=True)
