"""A transport that counts: bytes, and how often the direction turned."""

from typing import TYPE_CHECKING, BinaryIO

from tulip_net import Closable, Gen, Transport, coroutine
from tulip_net._typing import override

if TYPE_CHECKING:
    from typing_extensions import Buffer


class CountedTransport(Closable):
    """Passes everything on to another transport.

    Attributes:
        bytes: How many went through, in both directions.
        round_trips: How often something was received after something was sent.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._sent_last = False
        self.bytes = 0
        self.round_trips = 0

    @property
    def unsent(self) -> int:
        return self._inner.unsent

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        data = yield from self._inner.recv(limit)
        self.bytes += len(data)
        self.round_trips += self._sent_last
        self._sent_last = False
        return data

    @coroutine
    def recv_into(self, buffer: "Buffer") -> Gen[int]:
        data = yield from self.recv(memoryview(buffer).nbytes)
        memoryview(buffer).cast("B")[: len(data)] = data
        return len(data)

    @coroutine
    def send(self, data: "Buffer", /, *more: "Buffer") -> Gen[None]:
        yield from self._inner.send(data, *more)
        self.bytes += sum(memoryview(each).nbytes for each in (data, *more))
        self._sent_last = True

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        sent = yield from self._inner.send_file(file, offset, count)
        self.bytes += sent
        self._sent_last = True
        return sent

    @coroutine
    def send_eof(self) -> Gen[None]:
        yield from self._inner.send_eof()

    @override
    def close(self) -> None:
        self._inner.close()

    @coroutine
    @override
    def aclose(self) -> Gen[None]:
        yield from self._inner.aclose()
