"""What went wrong on a connection, said in the words of this layer.

Here the errors of the layer below are translated; those of connecting are in `_opening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tulip_http._errors import (
    ClientClosed,
    HTTPError,
    ReadError,
    ReadTimeout,
    TimeoutException,
    TotalTimeout,
    WriteError,
    WriteTimeout,
)
from tulip_net import BrokenError, ClosedError

if TYPE_CHECKING:
    from tulip_http._pace import Pace
    from tulip_http._request import Request
    from tulip_http._timeouts import Timeout


def translated(
    error: BaseException, request: Request | None, *, reading: bool, late: HTTPError | None
) -> HTTPError | None:
    """Return this layer's error for one of the layer below, with its request.

    Args:
        error: What was raised.
        request: What was under way.
        reading: It was an answer that was awaited, no longer the request that was sent.
        late: What closed the connection, if it was our own alarm, or a fork.

    Returns:
        None where ``error`` is nobody's failure but the caller's own, a cancellation for one.
    """
    found = _found(error, name(request), reading, late)
    if found is not None:
        found.request = request
        found.safe_to_repeat = request is not None and request.repeatable
    return found


def timeout_error(
    where: str, timeout: Timeout, *, reading: bool, in_all: bool, slow: Pace | None
) -> TimeoutException:
    """Return the error for a connection whose time was up."""
    if in_all:
        phase = "read" if reading else "write"
        return TotalTimeout(f"{where} took longer than {timeout.total:g} s in all", phase=phase)
    if slow is not None:
        return ReadTimeout(f"{where}: the server sent {slow}")
    if reading:
        return ReadTimeout(f"{where}: the server sent nothing for {timeout.read:g} s")
    return WriteTimeout(f"{where}: the server took nothing for {timeout.write:g} s")


def name(request: Request | None) -> str:
    """Return what a message calls a request."""
    return "" if request is None else f"{request.method} {request.url.shown}"


def _found(
    error: BaseException, where: str, reading: bool, late: HTTPError | None
) -> HTTPError | None:
    if isinstance(error, HTTPError):
        return error
    if isinstance(error, ClosedError):
        return late or ClientClosed(f"{where}: the connection was closed by this program")
    if isinstance(error, BrokenError):
        return (ReadError if reading else WriteError)(f"{where}: {error}")
    return None
