"""A connection that belongs to another protocol from now on, with the bytes that came too soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, final

from tulip_http._errors import RemoteProtocolError
from tulip_http._typing import override
from tulip_net import Closable, Coroutine, Gen, Transport, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from tulip_http._request import Request
    from tulip_http.wire._head import ResponseHead


def check_upgrade(head: ResponseHead, request: Request, *, whole: bool) -> None:
    """Refuse an answer that hands the connection to another protocol, unless that was asked for.

    Args:
        head: The answer's.
        request: What was asked.
        whole: Only the answer's body is wanted.

    Raises:
        RemoteProtocolError: Nobody asked for it, or nobody would get the connection.
    """
    what = f"status {head.status} hands the connection to another protocol"
    if request.method != "CONNECT" and not request.headers.has(b"upgrade"):
        raise RemoteProtocolError(f"{what}, which nobody asked for")
    if whole:
        raise RemoteProtocolError(f"{what}: use Client.stream and the response's detach()")


@final
class UpgradedTransport(Closable):
    """A `Transport` that first gives what was received with the head of the answer.

    Args:
        received: Those bytes, at least one.
        transport: What is used; this one owns it.
    """

    __slots__ = ("__weakref__", "_received", "_transport")

    def __init__(self, received: bytes, transport: Transport) -> None:
        self._received = received
        self._transport = transport

    @property
    def unsent(self) -> int:
        """How many bytes of the last `send` had not gone out when it was cancelled or failed."""
        return self._transport.unsent

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        """Wait for data and return some of it. See `Transport.recv`."""
        if not self._received or limit < 1:
            return (yield from self._transport.recv(limit))
        data, self._received = self._received[:limit], self._received[limit:]
        return data

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data and put it into ``buffer``. See `Transport.recv_into`."""
        with memoryview(buffer) as view, view.cast("B") as room:
            if not self._received or not room.nbytes or room.readonly:
                return (yield from self._transport.recv_into(buffer))
            data = yield from self.recv(room.nbytes)
            room[: len(data)] = data
            return len(data)

    def send(self, data: Buffer, /, *more: Buffer) -> Coroutine[None]:
        """Send all of ``data`` and ``more``. See `Transport.send`."""
        return self._transport.send(data, *more)

    def send_file(
        self, file: BinaryIO, offset: int = 0, count: int | None = None
    ) -> Coroutine[int]:
        """Send a file, or a part of it. See `Transport.send_file`."""
        return self._transport.send_file(file, offset, count)

    def send_eof(self) -> Coroutine[None]:
        """Tell the peer that nothing more will come. See `Transport.send_eof`."""
        return self._transport.send_eof()

    @override
    def close(self) -> None:
        """Let go of the connection now, without waiting. See `Transport.close`."""
        self._received = b""
        self._transport.close()

    @override
    def aclose(self) -> Coroutine[None]:
        """End the stream in good order. See `Transport.aclose`."""
        self._received = b""
        return self._transport.aclose()
