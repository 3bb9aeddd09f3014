"""Where a callback was written, for messages that a person reads."""

from collections.abc import Callable
from functools import partial
from types import CodeType


def source_of(callback: Callable[..., object]) -> str:
    """Return ``"name at file.py:12"``, or the ``repr`` of what has no Python source.

    When the callback is a method of an object that has a method ``callback_source`` without
    arguments, its answer is returned: a task can tell of its coroutine, where the method that
    resumes it would say nothing.
    """
    while isinstance(callback, partial):
        callback = callback.func
    tell = getattr(getattr(callback, "__self__", None), "callback_source", None)
    if tell is not None:
        return str(tell())
    function = getattr(callback, "__func__", callback)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if not isinstance(code, CodeType):
        return repr(callback)
    return f"{code.co_qualname} at {code.co_filename}:{code.co_firstlineno}"


def callback_behind(callback: Callable[..., object]) -> Callable[..., object]:
    """Return what a callback is about to call, if it only passes the event on.

    When the callback is a method of an object that has a method ``callback_behind``, that is
    called with the callback, and what it returns, unless None, is what `source_of` should be asked
    about: once the callback has run, nobody may know any more for whom it was.
    """
    ask = getattr(getattr(callback, "__self__", None), "callback_behind", None)
    behind: Callable[..., object] | None = None if ask is None else ask(callback)
    return callback if behind is None else behind
