"""The one protocol all transports follow.

A transport is a stream of bytes to one peer, in both directions, with one owner per direction: one
task may receive while another sends. Write against `Transport` and the same code runs on a socket,
on TLS, on TLS inside TLS, and on memory in a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from tulip_sched import Coroutine

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer  # collections.abc has it only from Python 3.12 on

__all__ = ["Transport"]


class Transport(Protocol):
    """A stream of bytes to and from one peer.

    A second task in one direction gets `BusyError` at once, and the first is unharmed. `close`
    while a task waits gives that task `ClosedError`. A transport that is dropped without a close
    warns (`ResourceWarning`) and closes.

    ``with transport:`` is a `close` in the end, ``async with transport:`` an `aclose`, or a `close`
    if an error leaves the block. A transport of your own gets that from `Closable`.
    """

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed.

        0 if it was neither. To go on after a cancelled ``send(data)``, send
        ``data[len(data) - unsent:]``. The same holds for `send_file` and what it was to send.
        """
        ...

    def recv(self, limit: int) -> Coroutine[bytes]:
        """Wait for data and return some of it.

        Args:
            limit: Most bytes to return, at least 1.

        Returns:
            Between 1 and ``limit`` bytes, or ``b""`` once the peer has ended its side; every later
            call then returns ``b""`` at once.

        Cancelling takes nothing from the stream: no byte is lost.

        Raises:
            ClosedError: This transport was closed by us.
            BusyError: Another task is already receiving.
            BrokenError: The connection failed.
            ValueError: ``limit`` is below 1.
        """
        ...

    def recv_into(self, buffer: Buffer) -> Coroutine[int]:
        """Wait for data and put it at the start of ``buffer``.

        Returns:
            How many bytes that was; 0 at the end of the stream.

        Raises:
            ValueError: ``buffer`` has no room.
            TypeError: It cannot be written to; nothing was received. Otherwise as `recv`.
        """
        ...

    def send(self, data: Buffer, /, *more: Buffer) -> Coroutine[None]:
        """Send all of ``data``, and of ``more``, waiting for the peer as often as need be.

        Several buffers go out like one, with as few system calls; a socket gets large ones
        without a copy. None of them may change until this returns. If it is cancelled or fails,
        `unsent` tells how much of all did not go.

        Raises:
            ClosedError: This transport, or its sending side, was closed by us.
            BusyError: Another task is already sending.
            BrokenError: The connection failed.
        """
        ...

    def send_file(
        self, file: BinaryIO, offset: int = 0, count: int | None = None
    ) -> Coroutine[int]:
        """Send a file, or a part of it, without having it in memory.

        Args:
            file: Opened in binary mode, seekable; it must not be used meanwhile, and its position
                afterwards is anywhere. A slow disk holds up the event loop.
            offset: Where to begin, in bytes from the file's start.
            count: How many bytes, if the file has as many; ``None``: all the rest.

        Returns:
            How many bytes were sent: fewer than asked for if the file ends sooner.

        If it is cancelled or fails, `unsent` tells how much did not go.

        Raises:
            TypeError: ``file`` was opened as text, or is no file, such as a path.
            ValueError: ``offset`` or ``count`` is negative.
            OSError: The file cannot be read, or cannot seek.
            ClosedError, BusyError, BrokenError: As for `send`.
        """
        ...

    def send_eof(self) -> Coroutine[None]:
        """Tell the peer that nothing more will come; receiving goes on. Idempotent.

        Raises:
            ClosedError, BusyError, BrokenError: As for `send`.
        """
        ...

    def close(self) -> None:
        """Let go of the connection now, without waiting. Idempotent."""
        ...

    def aclose(self) -> Coroutine[None]:
        """End the stream in good order, within a time limit, then `close`.

        For everybody else it counts as closed from the beginning: who waits, or comes meanwhile,
        gets `ClosedError`. Idempotent; closes even if it is cancelled.
        """
        ...

    # Leaving a block closes: see `Closable`, which brings these four.

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
