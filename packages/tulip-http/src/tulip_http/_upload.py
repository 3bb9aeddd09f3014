"""Sending a request that is larger than one send, in a task of its own.

Meanwhile the connection listens, so an answer that comes before the end (413, most likely, and then
nobody reads on) is returned, not lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from tulip_http.wire._serialize import serialize_chunk, serialize_last_chunk
from tulip_net import BrokenError, ClosedError, Task, Transport, create_task

if TYPE_CHECKING:
    from tulip_http._deadlines import Deadlines
    from tulip_http._request import Request

_PIECE: Final = 262144


@final
class Upload:
    """A request on its way out.

    Args:
        transport: Where to.
        head: The request's head.
        request: What has the body.
        deadlines: Told when a piece goes out, when the next one is waited for, and of the end.
    """

    __slots__ = ("_deadlines", "_request", "_stopped", "_task", "_transport")

    def __init__(
        self, transport: Transport, head: bytes, request: Request, deadlines: Deadlines
    ) -> None:
        self._transport = transport
        self._request = request
        self._deadlines = deadlines
        self._stopped = False
        self._task: Task[None] = create_task(self._run(head), "tulip-http upload")

    @property
    def sent(self) -> bool:
        """Whether all has gone out."""
        return self._task.done() and self._task.exception() is None

    @property
    def error(self) -> BaseException | None:
        """Why not all will go out, None if it has or still may."""
        return self._task.exception() if self._task.done() else None

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True
        self._task.cancel()
        if self._task.done():
            self._task.exception()  # taken note of: whoever stops an upload knows why

    async def _run(self, head: bytes) -> None:
        try:
            await self._send_all(head)
            self._deadlines.written()
        except (BrokenError, ClosedError):
            # Whoever stops an upload also closes its connection, perhaps before its first turn.
            if not self._stopped:
                raise  # the server may still say why it stopped listening
        except BaseException:
            self._transport.close()  # which ends the waiting for an answer to half a request
            raise

    # Not generators, for once: only an `async def` can iterate over async iterables.

    async def _send_all(self, head: bytes) -> None:
        self._deadlines.write()
        if head:
            await self._transport.send(head)
        if self._request.stream is not None:
            await self._send_stream()
            return
        view = memoryview(self._request.content or b"")
        for at in range(0, len(view), _PIECE):
            self._deadlines.write()
            await self._transport.send(view[at : at + _PIECE])

    async def _send_stream(self) -> None:
        stream = self._request.stream
        assert stream is not None
        chunked = stream.length is None
        self._deadlines.pause()
        async for piece in stream.pieces():
            self._deadlines.write()
            await self._transport.send(serialize_chunk(piece) if chunked else piece)
            self._deadlines.pause()
        if chunked:
            self._deadlines.write()
            await self._transport.send(serialize_last_chunk(self._request.trailer_block()))
