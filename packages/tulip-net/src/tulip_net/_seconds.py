"""Time limits that a caller gives, looked at before anything begins.

A limit is used late: that of a goodbye when a connection ends, that of a server's stop weeks after
its start. A mistake must not wait for that moment.
"""

from __future__ import annotations

__all__ = ["check_seconds"]


def check_seconds(name: str, seconds: float | None) -> None:
    """Refuse what is no time limit.

    Args:
        name: The argument's, for the message.
        seconds: At least 0; ``None`` for no limit.

    Raises:
        TypeError: ``seconds`` is no number.
        ValueError: ``seconds`` is negative or not a number (``nan``).
    """
    try:
        if seconds is None or seconds >= 0:
            return
    except TypeError:
        raise TypeError(f"{name} must be a number of seconds or None, got {seconds!r}") from None
    raise ValueError(f"{name} must be at least 0 seconds, got {seconds!r}")
