"""The errors of this layer, by who must act.

You misused it: `BusyError`, `SuspendError`. A decision of the program: `Cancelled` (an order to
stop, hence no `Exception`) and, for whoever asks for the result of a task that was stopped,
`TaskCancelledError`. Nobody can act any more: `DeadlockError`.
"""

from typing import final


@final
class BusyError(Exception):
    """Another task is already waiting in this direction; that task is unharmed."""


@final
class SuspendError(RuntimeError):
    """A coroutine suspended in a way the scheduler cannot resume.

    A bare ``yield`` without `tulip_sched.block`, a ``block`` without its ``yield``, or a ``yield``
    of something that is not ours (most often a forgotten ``from``).
    """


@final
class Cancelled(BaseException):
    """The order to stop, raised at the ``yield`` where a task is blocked.

    It derives from `BaseException` so that ``except Exception`` does not swallow it. Let it pass:
    the scope that was cancelled catches it. A scope stays cancelled, so whoever swallows it and
    blocks again inside that scope gets it again.
    """


@final
class TaskCancelledError(Exception):
    """The task whose result was asked for had been cancelled.

    Unlike `Cancelled` this is an ordinary error: the one who asks is not being cancelled.
    """


@final
class DeadlockError(RuntimeError):
    """Every task that is left waits for another one; the message is the tree of tasks."""
