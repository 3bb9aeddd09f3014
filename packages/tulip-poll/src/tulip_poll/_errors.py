"""The errors of this layer, by whose fault they are: both are the caller's.

What the kernel refuses stays an ``OSError``, with the descriptor named in its message.
"""


class ClosedError(Exception):
    """The object was closed by its own user, and is used after that."""


class WrongThreadError(RuntimeError):
    """An event loop was called from a thread that does not own it.

    The entry for other threads is :meth:`tulip_poll.EventLoop.call_soon_threadsafe`.
    """
