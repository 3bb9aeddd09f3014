"""One coroutine, two keywords: the decorator and the type of what it returns.

A generator whose code carries the iterable-coroutine flag is accepted by ``yield from`` and by
``await``, and costs what a bare generator costs. `types.coroutine` sets the same flag, but type
checkers then reject ``yield from``; and assigning to ``__code__`` warns on Python 3.13. So a new
function is built around the flagged code, and its result is declared as `Coroutine`.
"""

import functools
from collections.abc import Callable, Generator
from collections.abc import Coroutine as NativeCoroutine
from types import FunctionType
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from tulip_sched._debug import DEBUG, tracked, untracked
from tulip_sched._flags import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_ITERABLE_COROUTINE,
)

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Gen: TypeAlias = Generator[None, None, T]
"""What a function under `coroutine` is declared to return: ``def f() -> Gen[int]``."""


class Coroutine(Protocol[T_co]):
    """What a call of a decorated function returns: something to wait on, once.

    ``yield from c`` in a generator and ``await c`` in an ``async def`` both give the result. Not
    driving it at all is flagged by mypy's ``unused-awaitable``.
    """

    def __iter__(self) -> Generator[None, None, T_co]:
        """Return the generator that ``yield from`` drives."""
        ...

    def __await__(self) -> Generator[None, None, T_co]:
        """Return the generator that ``await`` drives."""
        ...


AnyCoroutine: TypeAlias = Coroutine[T] | Gen[T] | NativeCoroutine[Any, Any, T]
"""Whatever can run as a task: ours, a bare generator, or the result of an ``async def``."""


@overload
def coroutine(func: Callable[P, Gen[T]]) -> Callable[P, Coroutine[T]]: ...
@overload
def coroutine(func: Callable[P, NativeCoroutine[Any, Any, T]]) -> Callable[P, Coroutine[T]]: ...
def coroutine(func: Callable[P, object]) -> Callable[P, Coroutine[Any]]:
    """Make a generator function (or an ``async def``) a coroutine function for both keywords.

    Args:
        func: A generator function, declared ``-> Gen[T]``, or an ``async def``.

    Returns:
        A function with the same signature whose calls return a `Coroutine`. An ``async def``
        comes back as it is: ``yield from`` on its result works inside decorated generators.

    Raises:
        TypeError: ``func`` is neither.

    Source: PEP 380, PEP 492 (the flag is ``inspect.CO_ITERABLE_COROUTINE``).
    """
    if not isinstance(func, FunctionType):
        raise TypeError(f"@coroutine needs a generator function or an async def, got {func!r}")
    code = untracked(func).__code__
    if code.co_flags & CO_COROUTINE:
        return func
    if code.co_flags & CO_ASYNC_GENERATOR:
        raise TypeError(
            f"@coroutine needs a generator function or an async def, but "
            f"{func.__qualname__}() is an async generator: an async def with a yield"
        )
    if not code.co_flags & CO_GENERATOR:
        raise TypeError(
            f"@coroutine needs a generator function or an async def, but "
            f"{func.__qualname__}() contains no yield"
        )
    if untracked(func) is not func:
        return func
    flagged = FunctionType(
        code.replace(co_flags=code.co_flags | CO_ITERABLE_COROUTINE),
        func.__globals__,
        func.__name__,
        func.__defaults__,
        func.__closure__,
    )
    flagged.__kwdefaults__ = func.__kwdefaults__
    functools.update_wrapper(flagged, func)
    # The unflagged function must not be reachable: `inspect.unwrap` would show the wrong one.
    # What the function itself wraps stays, as `inspect.signature` looks there.
    del flagged.__dict__["__wrapped__"]
    flagged.__dict__.update(func.__dict__)
    return tracked(flagged) if DEBUG else flagged
