"""Receiving into a buffer, where what is received comes as bytes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tulip_sched import Coroutine, Gen, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["receive_and_copy"]


class Receiver(Protocol):
    """What `receive_and_copy` needs of a transport."""

    def recv(self, limit: int) -> Coroutine[bytes]: ...


@coroutine
def receive_and_copy(receiver: Receiver, buffer: Buffer) -> Gen[int]:
    """Receive, copy it to the start of ``buffer``, and return how many bytes it was.

    Raises:
        TypeError: ``buffer`` cannot be written to: found out before anything is received.
        ValueError: It has no room.
    """
    with memoryview(buffer) as view, view.cast("B") as room:
        if room.readonly:
            raise TypeError(f"cannot receive into {type(buffer).__name__}, which is read-only")
        if not room.nbytes:
            raise ValueError("cannot receive into a buffer of 0 bytes")
        data = yield from receiver.recv(room.nbytes)
        room[: len(data)] = data
        return len(data)
