"""What is said about a suspension that went wrong, and where it was."""

import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from traceback import FrameSummary

from tulip_poll import TimerHandle
from tulip_sched._debug import TrackedCoroutine


@final
class PlacedUndo:
    """An undo function that remembers which line called `block`.

    The line is worked out only when somebody asks: blocking is frequent, asking is not.
    """

    __slots__ = ("_code", "_instruction", "undo")

    def __init__(self, undo: Callable[[], object], frame: types.FrameType) -> None:
        if not callable(undo):
            raise TypeError(f"a suspension needs the function that undoes it, got {undo!r}")
        self.undo = undo
        self._code = frame.f_code
        self._instruction = frame.f_lasti

    def __call__(self) -> None:
        self.undo()

    def place(self) -> str:
        """Return ``file:line in function``."""
        line: int | None = self._code.co_firstlineno
        for start, end, at in self._code.co_lines():
            if start <= self._instruction < end:
                line = at
        return f"{self._code.co_filename}:{line} in {self._code.co_qualname}"


def describe_undo(undo: Callable[[], object]) -> str:
    """Say what a task is blocked by, from the function that would undo it."""
    if isinstance(undo, PlacedUndo):
        return f"block({function_name(undo.undo)}) at {undo.place()}"
    method = getattr(undo, "func", undo)
    owner = getattr(method, "__self__", None)
    if isinstance(owner, TimerHandle):
        return "a timer"
    # Ours may know a better name than that of the function, which says nothing to who uses them.
    tell: Callable[[object], str] | None = getattr(owner, "_waited_for", None)
    return function_name(undo) if tell is None else tell(method)


def explain_yield(task_name: str, yielded: Any, undo: Callable[[], object] | None) -> str:
    """Say why a task cannot be resumed after what it yielded."""
    if undo is not None:
        return (
            f"task {task_name!r} was blocked by {describe_undo(undo)} and then suspended again: "
            "a bare yield is missing after it"
        )
    if yielded is None:
        return (
            f"task {task_name!r} executed a bare yield without having called block(): "
            "nothing would ever resume it (to let other tasks run: yield from sleep(0))"
        )
    if isinstance(yielded, types.GeneratorType | types.CoroutineType) or hasattr(
        yielded, "__await__"
    ):
        if hasattr(yielded, "_asyncio_future_blocking"):
            return (
                f"task {task_name!r} waits on {yielded!r}, which belongs to asyncio, but no "
                "asyncio loop is running tulip in this thread"
            )
        if isinstance(yielded, types.GeneratorType | types.CoroutineType | TrackedCoroutine):
            yielded.close()  # or it would be reported a second time, as never driven
        return f"task {task_name!r} yielded {yielded!r}: did you forget 'from' (yield from ...)?"
    return (
        f"task {task_name!r} yielded {yielded!r}, but a coroutine may only yield after block(), "
        "and nothing"
    )


def coroutine_stack(coro: Any) -> "Iterator[FrameSummary]":
    """Follow a suspended coroutine inwards, through ``yield from`` and ``await``."""
    try:
        from traceback import FrameSummary  # costs 2 ms
    except OSError:  # no descriptor is left to read it with: no stack, rather than no report
        return
    while coro is not None:
        frame = getattr(coro, "gi_frame", None) or getattr(coro, "cr_frame", None)
        if frame is None:
            return
        code = frame.f_code
        if code is not TrackedCoroutine.__await__.__code__:
            # The line's text is read when somebody asks for it.
            yield FrameSummary(
                code.co_filename, frame.f_lineno, code.co_qualname, lookup_line=False
            )
        coro = getattr(coro, "gi_yieldfrom", None) or getattr(coro, "cr_await", None)


def function_name(function: Callable[[], object]) -> str:
    inner = getattr(function, "func", function)  # a functools.partial names what it calls
    return getattr(inner, "__qualname__", None) or repr(inner)
