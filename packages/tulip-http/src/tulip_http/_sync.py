"""The client for programs without coroutines: the same one, on an event loop in a thread.

There is no second implementation: each call hands a coroutine of `Client` to the loop and waits
for its result. So connections are kept between calls, idle ones are given up in time although
nobody calls, and several threads may use one client at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, final

from tulip_http._client import Client, checked_base
from tulip_http._loop_thread import LoopThread
from tulip_http._methods import Methods
from tulip_http._request import Request
from tulip_http._sync_response import SyncResponse
from tulip_http._typing import override
from tulip_http._url import URL

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from typing_extensions import Unpack

    from tulip_http._headers import Headers, HeaderTypes
    from tulip_http._info import Stats
    from tulip_http._limits import Limits
    from tulip_http._methods import RequestOptions, RequestParts
    from tulip_http._opening import Connect, TlsTypes
    from tulip_http._timeouts import Timeout, TimeoutTypes
    from tulip_http.bodies._encode import ParamTypes


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
class SyncClient(Methods[SyncResponse]):
    """A `Client` whose methods wait, for programs without coroutines.

    Args:
        options: As for `Client`.

    Usable as ``with SyncClient() as client``, and without; from any number of threads, also inside
    of somebody's event loop (which each call then holds up). It has a thread from the first call
    until `close`; what is called back there (``on_interim``, ``trailers``) cannot call it. A body
    that is an iterable is asked for its pieces in yet another thread, so it may wait, also for this
    client (and `close` waits for it). A forked process needs a client of its own.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._client = Client(**options)
        self._thread = LoopThread()

    @property
    def base_url(self) -> URL | None:
        """Put before URLs that have no scheme. Can be set, as the next three."""
        return self._client.base_url

    @base_url.setter
    def base_url(self, base_url: URL | str | None) -> None:
        self._client.base_url = checked_base(base_url)

    @property
    def headers(self) -> Headers:
        """What is sent with each request; see `Client.headers`."""
        return self._client.headers

    @headers.setter
    def headers(self, headers: HeaderTypes) -> None:
        self._client.headers = headers

    @property
    def params(self) -> ParamTypes | None:
        """Added to each request's query."""
        return self._client.params

    @params.setter
    def params(self, params: ParamTypes | None) -> None:
        self._client.params = params

    @property
    def timeout(self) -> Timeout:
        """The limits of each request that brings none of its own."""
        return self._client.timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None:
        self._client.timeout = timeout

    def build_request(self, method: str, url: URL | str, **parts: Unpack[RequestParts]) -> Request:
        """Return the request that `request` would send; see `Client.build_request`."""
        return self._client.build_request(method, url, **parts)

    def stream(
        self, method: str, url: URL | str, **options: Unpack[RequestOptions]
    ) -> SyncResponse:
        """Send a request and wait for the head of the answer; see `Client.stream`.

        Use it as ``with client.stream("GET", url) as response``.
        """
        return self._send((method, url), options, False)

    @override
    def _send(
        self, asked: Request | tuple[str, URL | str], options: RequestOptions, whole: bool
    ) -> SyncResponse:
        given: RequestOptions = {}
        if "timeout" in options:
            given["timeout"] = options.pop("timeout")
        request = asked if isinstance(asked, Request) else self._client._build(*asked, options)
        if request.stream is not None:
            request.stream.may_block = True
        response = self._thread.call(lambda: self._client._send(request, given, whole))
        return SyncResponse(response, None if whole else self._thread)

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
