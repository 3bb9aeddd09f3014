"""The one protocol all transports follow.

A transport is a stream of bytes to one peer, in both directions, with one owner per direction: one
task may receive while another sends. Write against `Transport` and the same code runs on a socket,
on TLS, on TLS inside TLS, and on memory in a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tulip_sched import Coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it only from Python 3.12 on

__all__ = ["Transport"]


class Transport(Protocol):
    """A stream of bytes to and from one peer.

    A second task in one direction gets `BusyError` at once, and the first is unharmed. `close`
    while a task waits gives that task `ClosedError`. A transport that is dropped without a close
    warns (`ResourceWarning`) and closes.
    """

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed.

        0 if it was neither. To go on after a cancelled ``send(data)``, send
        ``data[len(data) - unsent:]``.
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
            ValueError: ``buffer`` has no room. Otherwise as `recv`.
        """
        ...

    def send(self, data: Buffer) -> Coroutine[None]:
        """Send all of ``data``, waiting for the peer as often as need be.

        ``data`` must not change until this returns. If it is cancelled or fails, `unsent` tells
        how much did not go.

        Raises:
            ClosedError: This transport, or its sending side, was closed by us.
            BusyError: Another task is already sending.
            BrokenError: The connection failed.
        """
        ...

    def send_eof(self) -> Coroutine[None]:
        """Tell the peer that nothing more will come; receiving goes on. Idempotent."""
        ...

    def close(self) -> None:
        """Let go of the connection now, without waiting. Idempotent."""
        ...

    def aclose(self) -> Coroutine[None]:
        """End the stream in good order, within a time limit, then `close`.

        Idempotent; closes even if it is cancelled.
        """
        ...
