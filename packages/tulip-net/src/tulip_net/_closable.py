"""What it means to leave a ``with`` block, for everything here that can be closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tulip_sched import coroutine

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Closable"]


class Closable:
    """Closed at the end of a ``with`` or ``async with`` block. Made for subclassing.

    ``with`` calls `close`, and never waits. ``async with`` calls `aclose`, and so ends a stream in
    good order. If an error leaves the block, both call `close`: a stream that was not finished
    must not end as if it had been, and the error does not wait for the peer.

    A subclass has a `close`, and an `aclose` if its end takes waiting.
    """

    __slots__ = ()

    def close(self) -> None:
        """Let go of it now, without waiting. Idempotent."""
        raise NotImplementedError

    @coroutine
    async def aclose(self) -> None:
        """The same as `close`: this end needs no waiting."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.aclose()
        else:  # which may be the end of this very coroutine: then it cannot wait
            self.close()
