"""The answer to a request, for programs without coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, final

from tulip_http._errors import ClientClosed, HTTPStatusError
from tulip_http._typing import override
from tulip_http.bodies._pieces import Pieces
from tulip_http.bodies._text import lines_of
from tulip_net import Coroutine, Gen, coroutine

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from tulip_http._headers import Headers
    from tulip_http._info import ConnectionInfo, Timings
    from tulip_http._loop_thread import LoopThread
    from tulip_http._request import Request
    from tulip_http._response import Response
    from tulip_http._url import URL


T = TypeVar("T")


@final
class SyncResponse:
    """The answer to a request; what `Response` does, without coroutines.

    From `SyncClient.get` and its kin, and from ``tulip_http.get``, the body is here already, and
    can be iterated over as often as one likes. From `SyncClient.stream` it is still coming, and
    each piece comes once; leaving ``with`` gives up what has not been read.

    Attributes:
        response: The response itself, for coroutines.

    Pickles, with what was read of its body.
    """

    __slots__ = ("_thread", "response")

    def __init__(self, response: Response, thread: LoopThread | None = None) -> None:
        self.response: Response = response
        self._thread: LoopThread | None = thread  # None for a body that is here

    @property
    def status_code(self) -> int:
        """Three digits, such as 200."""
        return self.response.status_code

    @property
    def reason_phrase(self) -> str:
        """The words after the status."""
        return self.response.reason_phrase

    @property
    def http_version(self) -> str:
        """Either "HTTP/1.1" or "HTTP/1.0"."""
        return self.response.http_version

    @property
    def headers(self) -> Headers:
        """Header fields, as they came."""
        return self.response.headers

    @property
    def url(self) -> URL:
        """What was asked for."""
        return self.response.url

    @property
    def request(self) -> Request:
        """What this answers."""
        return self.response.request

    @property
    def connection(self) -> ConnectionInfo:
        """Over what it came: the peer's address and certificate."""
        return self.response.connection

    @property
    def elapsed(self) -> timedelta:
        """From the start of the call to the answer's head."""
        return self.response.elapsed

    @property
    def timings(self) -> Timings:
        """How long each phase of the call took."""
        return self.response.timings

    @property
    def trailers(self) -> Headers:
        """Fields after a chunked body; complete once it was read."""
        return self.response.trailers

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.response.is_success

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx and there is a Location to go to."""
        return self.response.is_redirect

    @property
    def is_error(self) -> bool:
        """Whether the status is 4xx or 5xx."""
        return self.response.is_error

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self.response.is_closed

    @property
    def content(self) -> bytes:
        """The body, once it is here; see `Response.content`."""
        return self.response.content

    @property
    def text(self) -> str:
        """The body as text, once it is here."""
        return self.response.text

    @property
    def encoding(self) -> str:
        """The character set of text; may be set. See `Response.encoding`."""
        return self.response.encoding

    @encoding.setter
    def encoding(self, name: str) -> None:
        self.response.encoding = name

    def json(self, **options: Any) -> Any:
        """Return the body's JSON value, once it is here; see `Response.json`."""
        return self.response.json(**options)

    def read(self) -> bytes:
        """Wait for the whole body and return it; see `Response.read`."""
        return self._call(self.response.read)

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the body's pieces; see `Response.iter_bytes`."""
        return self._cut(self.response.read_chunk, Pieces(chunk_size))

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the body's pieces, still encoded; a body that is here is decoded already."""
        return self._cut(self.response.read_raw, Pieces(chunk_size))

    def iter_text(self) -> Iterator[str]:
        """Iterate over the body as text, in pieces as they come."""
        if self.response._at_hand() is not None:
            if text := self.text:
                yield text
            return
        while text := self._call(self.response.read_text):
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the body's lines, without their ends."""
        content = self.response._at_hand()
        if content is not None:
            yield from lines_of(content, self.encoding)
            return
        while (line := self._call(self.response.read_line)) is not None:
            while line is not None:
                yield line
                line = self.response._line_nowait()  # to ask the thread costs as much as 100 lines

    def raise_for_status(self) -> Self:
        """Return this response, unless its status is 4xx or 5xx; see `Response`."""
        try:
            self.response.raise_for_status()
        except HTTPStatusError as error:
            error.response = self
            raise
        return self

    def close(self) -> None:
        """Give up what has not been read."""

        @coroutine
        def closing() -> Gen[None]:
            self.response.close()
            yield from ()

        if not self.response.is_closed:
            try:
                self._call(closing)
            except ClientClosed:  # which has ended it
                self.response._leave()

    def _call(self, make: Callable[[], Coroutine[T]]) -> T:
        if self._thread is not None:
            return self._thread.call(make)
        try:
            next(iter(make()))  # of a body that is here, or was left behind in another process
        except StopIteration as end:
            result: T = end.value
            return result
        raise AssertionError("it waits for what no connection brings")

    def _cut(self, read: Callable[[], Coroutine[bytes]], pieces: Pieces) -> Iterator[bytes]:
        content = self.response._at_hand()
        if content is None:
            while chunk := self._call(read):
                yield from pieces.cut(chunk)
        elif content:
            yield from pieces.cut(content)
        yield from pieces.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @override
    def __reduce__(self) -> tuple[type[SyncResponse], tuple[Response]]:
        return SyncResponse, (self.response,)

    @override
    def __repr__(self) -> str:
        return f"<SyncResponse{repr(self.response).removeprefix('<Response')}"
