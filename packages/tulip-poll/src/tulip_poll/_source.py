"""Where a callback was written, for messages that a person reads."""

from collections.abc import Callable
from functools import partial
from types import CodeType


def source_of(callback: Callable[..., object]) -> str:
    """Return ``"name at file.py:12"``, or the ``repr`` of what has no Python source."""
    while isinstance(callback, partial):
        callback = callback.func
    function = getattr(callback, "__func__", callback)
    function = getattr(function, "__wrapped__", function)
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return repr(callback)
    return f"{code.co_qualname} at {code.co_filename}:{code.co_firstlineno}"
