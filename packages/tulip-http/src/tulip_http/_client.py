"""The client: what a program asks for becomes a request, a connection, and a response."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Final, final

from tulip_http._errors import HTTPError, InvalidURL, NetworkError, RemoteProtocolError
from tulip_http._headers import Headers, HeaderTypes
from tulip_http._limits import DEFAULT_LIMITS, Limits
from tulip_http._methods import Methods, RequestOptions, RequestParts
from tulip_http._opening import checked_tls
from tulip_http._pool import Pool
from tulip_http._request import Request
from tulip_http._response import Response
from tulip_http._timeouts import DEFAULT_TIMEOUT, Timeout, TimeoutTypes
from tulip_http._typing import override
from tulip_http._url import URL
from tulip_http.bodies._decode import accepted_codings
from tulip_http.bodies._encode import ParamTypes, encode_pairs
from tulip_net import Closable, Coroutine, Gen, coroutine, current_context

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

    from tulip_http._info import Stats
    from tulip_http._opening import Connect, TlsTypes

# A connection that became free less than this ago is used without asking whether the server has
# closed it meanwhile, if the request can be repeated and the event loop has seen nothing: asking
# would cost more than it saves.
_FRESH_SECONDS: Final = 1.0
_ABSOLUTE: Final = r"[A-Za-z][A-Za-z0-9+.-]*:"


@functools.cache
def _default_headers() -> Headers:
    return Headers(
        {"Accept": "*/*", "Accept-Encoding": accepted_codings(), "User-Agent": "tulip-http"}
    )


@final
class Client(Closable, Methods[Coroutine[Response]]):
    """An HTTP client: keeps connections, and what its requests have in common.

    Usable as ``with Client() as client`` and ``async with``, which close its connections in the
    end, and without either. Each method works under ``yield from`` and ``await``.

    Args:
        base_url: Put before URLs that have no scheme; "http://h/api" and "/users?all" (or
            "users?all") make "http://h/api/users?all". It has no query of its own: see ``params``.
        headers: Sent with each request, which can replace them.
        params: Added to each request's query.
        timeout: Seconds for each phase and the whole, None for no limit, or a `Timeout`.
        limits: Of connections and memory.
        tls: True verifies servers against the system's trust store, False does not verify, and a
            context of one's own decides for itself.
        connect: Opens connections in another way: a coroutine function from an `Origin` to a
            transport, with TLS on it for https. `tulip_http.testing` has some.

    Raises:
        InvalidURL: ``base_url`` cannot be put before anything.

    A client belongs to the event loop on which it is used; use one per thread. In a forked process
    it begins afresh: it has connections of its own there.
    """

    __slots__ = ("_base_url", "_headers", "_pool", "_usual_timeout", "params")

    def __init__(
        self,
        *,
        base_url: URL | str | None = None,
        headers: HeaderTypes | None = None,
        params: ParamTypes | None = None,
        timeout: TimeoutTypes = DEFAULT_TIMEOUT,
        limits: Limits = DEFAULT_LIMITS,
        tls: TlsTypes = True,
        connect: Connect | None = None,
    ) -> None:
        self._base_url = _checked_base(base_url)
        self._headers = _merged(_default_headers(), headers)
        self.params: ParamTypes | None = params
        self._usual_timeout = Timeout.of(timeout)
        self._pool = Pool(limits, checked_tls(tls), connect)

    @property
    def base_url(self) -> URL | None:
        """Put before URLs that have no scheme."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: URL | str | None) -> None:
        self._base_url = _checked_base(base_url)

    @property
    def headers(self) -> Headers:
        """What is sent with each request. Setting it replaces all, the default ones included."""
        return self._headers

    @headers.setter
    def headers(self, headers: HeaderTypes) -> None:
        self._headers = Headers(headers)

    @property
    def timeout(self) -> Timeout:
        """The limits of each request that brings none of its own."""
        return self._usual_timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None:
        self._usual_timeout = Timeout.of(timeout)

    def stream(
        self,
        method: str,
        url: URL | str,
        **options: Unpack[RequestOptions],
    ) -> ResponseStream:
        """Send a request and wait for the head of the answer; its body is read piece by piece.

        The arguments and errors are those of `request`. Three ways to use it, in each of which
        leaving the block closes the response without waiting::

            with (yield from client.stream("GET", url)) as response: ...
            with await client.stream("GET", url) as response: ...
            async with client.stream("GET", url) as response: ...
        """
        return ResponseStream(self._send((method, url), options, False))

    def build_request(
        self,
        method: str,
        url: URL | str,
        **parts: Unpack[RequestParts],
    ) -> Request:
        """Return the request that `request` would send, without sending it.

        Raises:
            InvalidURL, UnsupportedProtocol, LocalProtocolError: It cannot be made.
        """
        return self._build(method, url, parts)

    def _build(self, method: str, url: URL | str, parts: RequestParts) -> Request:
        if self._base_url is not None and isinstance(url, str) and not re.match(_ABSOLUTE, url):
            url = f"{str(self._base_url).rstrip('/')}/{url.lstrip('/')}"
        if self.params is not None:
            own, params = encode_pairs(self.params), parts.get("params")
            every = own if params is None else "&".join(filter(None, (own, encode_pairs(params))))
            parts["params"] = every
        if not parts:
            return Request(method, url, headers=self._headers)
        headers = parts.get("headers")
        parts["headers"] = self._headers if headers is None else _merged(self._headers, headers)
        return Request(method, url, **parts)

    @coroutine
    @override
    def _send(
        self,
        asked: Request | tuple[str, URL | str],
        options: RequestOptions,
        whole: bool,
    ) -> Gen[Response]:
        """Send a request, or make it first: here, so that what is wrong with it is raised here."""
        timeout = self._usual_timeout
        if "timeout" in options:
            timeout = Timeout.of(options.pop("timeout"))
        request = asked if isinstance(asked, Request) else self._build(*asked, options)
        pool = self._pool
        origin = request.url.origin
        loop = current_context().eventloop
        now = loop.time()
        ends = math.inf if timeout.total is None else now + timeout.total
        try:
            connection = pool.take(origin, loop, now)
            while connection is None or connection.served:
                if connection is not None and not (
                    now - connection.free_since < _FRESH_SECONDS
                    and request.repeatable
                    and not connection.disturbed
                ):
                    connection = yield from pool.make_sure(connection)
                if connection is not None:
                    try:
                        return (
                            yield from connection.exchange(request, timeout, pool, now, ends, whole)
                        )
                    except (NetworkError, RemoteProtocolError) as error:
                        # The server closed it in the moment we used it: RFC 9112 section 9.3.1.
                        if connection.answered or not error.safe_to_repeat:
                            raise
                # Another request may hand over the connection that it has used. Not for the
                # second time: then it is a new one, and this is the last attempt.
                connection = yield from pool.acquire(
                    origin, timeout, ends, new=connection is not None
                )
            return (yield from connection.exchange(request, timeout, pool, now, ends, whole))
        except HTTPError as error:
            if error.request is None:
                error.request = request
                error.safe_to_repeat = True  # it was never sent
            raise

    def stats(self) -> Stats:
        """Return how many connections there are, and what they did so far."""
        return self._pool.stats()

    @override
    def close(self) -> None:
        """Close every connection, without waiting; requests under way fail with `ClientClosed`."""
        self._pool.close()


@final
class ResponseStream:
    """What `Client.stream` returns: to be waited for, or entered with ``async with``."""

    __slots__ = ("_opening", "_response")

    def __init__(self, opening: Coroutine[Response]) -> None:
        self._opening = opening
        self._response: Response | None = None

    def __iter__(self) -> Generator[None, None, Response]:
        return (yield from self._opening)

    __await__ = __iter__

    async def __aenter__(self) -> Response:
        self._response = await self._opening
        return self._response

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._response is not None:
            self._response.close()


def _checked_base(base_url: URL | str | None) -> URL | None:
    """Return what was given as ``base_url``.

    Raises:
        InvalidURL: It is no URL, or ends in something that a path cannot follow.
    """
    url = None if base_url is None else URL(base_url)
    if url is not None and (url.query is not None or url.fragment is not None):
        raise InvalidURL(
            f"base_url {url.shown!r} ends in a query or fragment, and a path cannot follow: "
            "what each request has in its query is params"
        )
    return url


def _merged(base: Headers, headers: HeaderTypes | None) -> Headers:
    merged = base.copy()
    if headers is not None:
        given = Headers(headers)
        for name in given:
            merged.pop(name, None)
        for field, value in given.raw:
            merged.add(field, value)
        if given.has(b"range") and not given.has(b"accept-encoding"):
            _ask_for_no_coding(merged)
    return merged


def _ask_for_no_coding(headers: Headers) -> None:
    # A range of what is encoded cannot be decoded, nor be put after what was. (WHATWG Fetch, "HTTP-
    # network-or-cache fetch", asks the same.) Who asks for a coding may know better.
    if headers.get("accept-encoding") == accepted_codings():
        headers["Accept-Encoding"] = "identity"
