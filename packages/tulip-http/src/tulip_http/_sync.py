"""The client for programs without coroutines: the same one, on an event loop in a thread.

There is no second implementation: each call hands a coroutine of `Client` to the loop and waits
for its result. So connections are kept between calls, idle ones are given up in time although
nobody calls, and several threads may use one client at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypedDict, TypeVar, final

from tulip_http._client import Client, Default, ResponseStream
from tulip_http._loop_thread import LoopThread
from tulip_net import Coroutine, Gen, coroutine

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from typing_extensions import Unpack

    from tulip_http._client import RequestOptions
    from tulip_http._headers import Headers, HeaderTypes
    from tulip_http._info import Stats
    from tulip_http._limits import Limits
    from tulip_http._opening import Connect, TlsTypes
    from tulip_http._request import Request
    from tulip_http._response import Response
    from tulip_http._timeouts import TimeoutTypes
    from tulip_http._url import URL
    from tulip_http.bodies._encode import ParamTypes

T = TypeVar("T")


class ClientOptions(TypedDict, total=False):
    """What a client is made with; see `Client`."""

    base_url: URL | str | None
    headers: HeaderTypes | None
    params: ParamTypes | None
    timeout: TimeoutTypes
    limits: Limits
    tls: TlsTypes
    connect: Connect | None


@final
class SyncClient:
    """A `Client` whose methods wait, for programs without coroutines.

    Args:
        options: As for `Client`.

    Usable as ``with SyncClient() as client``, and without; from any number of threads, also inside
    of somebody's event loop (which each call then holds up). It has a thread from the first call
    until `close`.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._client = Client(**options)
        self._thread = LoopThread()

    def get(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET request; see `Client.request`."""
        return self.request("GET", url, **options)

    def head(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request; see `Client.request`."""
        return self.request("HEAD", url, **options)

    def options(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS request; see `Client.request`."""
        return self.request("OPTIONS", url, **options)

    def post(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST request; see `Client.request`."""
        return self.request("POST", url, **options)

    def put(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT request; see `Client.request`."""
        return self.request("PUT", url, **options)

    def patch(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH request; see `Client.request`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request; see `Client.request`."""
        return self.request("DELETE", url, **options)

    def request(self, method: str, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request, wait for the whole answer, and return it; see `Client.request`.

        Interrupting (Ctrl-C) cancels the request.
        """
        return self._thread.call(lambda: self._client.request(method, url, **options))

    def send(
        self, request: Request, *, timeout: TimeoutTypes | Default = Default.TIMEOUT
    ) -> Response:
        """Send a request as it is, and wait for the whole answer; see `Client.send`."""
        return self._thread.call(lambda: self._client.send(request, timeout=timeout))

    def stream(
        self, method: str, url: URL | str, **options: Unpack[RequestOptions]
    ) -> SyncResponse:
        """Send a request and wait for the head of the answer; see `Client.stream`.

        Use it as ``with client.stream("GET", url) as response``.
        """

        @coroutine
        def opening() -> Gen[Response]:
            stream: ResponseStream = self._client.stream(method, url, **options)
            return (yield from stream)

        return SyncResponse(self._thread.call(opening), self._thread)

    def stats(self) -> Stats:
        """Return how many connections there are, and what they did so far."""
        return self._client.stats()

    def close(self) -> None:
        """Close every connection, end the thread, and wait for its end."""
        self._thread.stop(self._client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """End the thread of a client that nobody closed."""
        thread = getattr(self, "_thread", None)
        if thread is not None:
            thread.stop(self._client.close, wait=False)


@final
class SyncResponse:
    """A response whose body is still coming; what `Response` does, without coroutines.

    Attributes:
        response: The response itself: its status, headers, timings and the rest.
    """

    def __init__(self, response: Response, thread: LoopThread) -> None:
        self.response = response
        self._thread = thread

    @property
    def status_code(self) -> int:
        """Three digits, such as 200."""
        return self.response.status_code

    @property
    def headers(self) -> Headers:
        """Header fields, as they came."""
        return self.response.headers

    def read(self) -> bytes:
        """Wait for the whole body and return it; see `Response.read`."""
        return self._thread.call(self.response.read)

    def iter_bytes(self) -> Iterator[bytes]:
        """Iterate over the body's pieces as they come."""
        return self._pieces(self.response.read_chunk)

    def iter_raw(self) -> Iterator[bytes]:
        """Iterate over the body's pieces as they come, still encoded."""
        return self._pieces(self.response.read_raw)

    def iter_text(self) -> Iterator[str]:
        """Iterate over the body as text, in pieces as they come."""
        return self._pieces(self.response.read_text)

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the body's lines, without their ends."""
        while (line := self._thread.call(self.response.read_line)) is not None:
            yield line

    def raise_for_status(self) -> Self:
        """Return this response, unless its status is 4xx or 5xx; see `Response`."""
        self.response.raise_for_status()
        return self

    def close(self) -> None:
        """Give up what has not been read."""

        @coroutine
        def closing() -> Gen[None]:
            self.response.close()
            yield from ()

        if not self.response.is_closed:
            self._thread.call(closing)

    def _pieces(self, read: Callable[[], Coroutine[T]]) -> Iterator[T]:
        while piece := self._thread.call(read):
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
