"""A pollster around a pollster, for whoever wants to change one thing about it."""

from tulip_poll._handle import Handle
from tulip_poll._pollster import Pollster
from tulip_poll._typing import override


class PollsterWrapper(Pollster):
    """Pass everything on to another pollster.

    Made for subclasses that override ``poll``: one that counts, that waits in another way, or
    that lets time pass without waiting.

    Args:
        inner: Does the work. It belongs to the wrapper from now on.
    """

    def __init__(self, inner: Pollster) -> None:
        """Share the books of ``inner``: there is one truth about what is registered."""
        super().__init__()
        self._inner = inner
        self._readers = inner._readers
        self._writers = inner._writers
        self._withdrawn = inner._withdrawn
        self._heeds_edge = inner._heeds_edge

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait for readiness; see :meth:`Pollster.poll`."""
        return self._inner.poll(timeout)

    @override
    def fileno(self) -> int:
        """Return the inner pollster's descriptor; see :meth:`Pollster.fileno`."""
        return self._inner.fileno()

    @override
    def close(self) -> None:
        """Close the inner pollster. Twice is once."""
        self._closed = True
        self._inner.close()

    @override
    def _attach(self, fd: int, direction: int, /) -> None:
        self._inner._attach(fd, direction)

    @override
    def _detach(self, fd: int, direction: int, /) -> None:
        self._inner._detach(fd, direction)

    @override
    def _let_go(self) -> None:
        self._inner._let_go()

    @override
    def _be_hosted_again(self) -> None:
        self._inner._be_hosted_again()

    @override
    def _tell_again(self) -> None:
        self._inner._tell_again()
