"""What both clients are asked with: the methods of a request, and what it can be given."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

from tulip_http._request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from tulip_http._headers import HeaderTypes
    from tulip_http._request import Interim, TrailerTypes
    from tulip_http._timeouts import TimeoutTypes
    from tulip_http._url import URL
    from tulip_http.bodies._encode import ContentTypes, DataTypes, ParamTypes
    from tulip_http.bodies._multipart import FilesTypes
    from tulip_http.bodies._stream import StreamTypes

A = TypeVar("A")


class RequestParts(TypedDict, total=False):
    """What a request is made of, besides method and URL.

    Attributes:
        params: Added to the URL's query.
        headers: Replace the client's of the same name.
        content: Body as bytes, text, an open file, or an iterable of bytes; see `Request`.
        data: Body as a form: a mapping, pairs, or text or bytes that are encoded already.
        json: Body as JSON.
        files: Files of a form, of which ``data`` has the other fields.
        trailers: Fields to send after a body that goes out in chunks.
        target: Sent instead of the URL's path and query: "*", or "host:port" for CONNECT.
        verbatim: Send the path and query as they are written, byte for byte.
        on_interim: Called for each interim answer.
    """

    params: ParamTypes | None
    headers: HeaderTypes | None
    content: ContentTypes | StreamTypes | None
    data: DataTypes | None
    json: object
    files: FilesTypes | None
    trailers: TrailerTypes | None
    target: str | None
    verbatim: bool
    on_interim: Callable[[Interim], object] | None


class RequestOptions(RequestParts, total=False):
    """What every request can be given.

    Attributes:
        timeout: Instead of the client's; seconds, None for no limit, or a `Timeout`.
    """

    timeout: TimeoutTypes


class Default(Enum):
    """Stands for an argument that was not given, where None has a meaning."""

    TIMEOUT = "the client's timeout"


class Methods(Generic[A]):
    """The methods that send a request and give the whole answer, each in its client's way.

    `Client` gives a ``Coroutine[Response]``, `SyncClient` a `SyncResponse`.
    """

    __slots__ = ()

    def get(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a GET request; see `request`."""
        return self._send(("GET", url), options, True)

    def head(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a HEAD request; see `request`."""
        return self._send(("HEAD", url), options, True)

    def options(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send an OPTIONS request; see `request`."""
        return self._send(("OPTIONS", url), options, True)

    def post(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a POST request; see `request`."""
        return self._send(("POST", url), options, True)

    def put(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a PUT request; see `request`."""
        return self._send(("PUT", url), options, True)

    def patch(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a PATCH request; see `request`."""
        return self._send(("PATCH", url), options, True)

    def delete(self, url: URL | str, **options: Unpack[RequestOptions]) -> A:
        """Send a DELETE request; see `request`."""
        return self._send(("DELETE", url), options, True)

    def request(
        self,
        method: str,
        url: URL | str,
        **options: Unpack[RequestOptions],
    ) -> A:
        """Send a request and wait for the whole answer.

        Args:
            method: Any token.
            url: Absolute, or what follows ``base_url``.
            options: See `RequestParts`, and ``timeout``: instead of the client's; seconds, None for
                no limit, or a `Timeout`.

        Returns:
            The response, whatever its status, with its body read.

        Raises:
            InvalidURL, UnsupportedProtocol, LocalProtocolError: The request cannot be made.
            PoolTimeout, ConnectTimeout, WriteTimeout, ReadTimeout, TotalTimeout: Too slow.
            ConnectError, CertificateError, WriteError, ReadError: The connection failed.
            RemoteProtocolError: The answer is not HTTP, or was cut short.
            ResponseTooLarge: The body is larger than ``Limits.max_body``.
            ClientClosed: The client is closed.

        A request that is safe to repeat is sent once more, on a fresh connection, if a kept one
        turns out to have been closed by the server. Cancelling closes the connection, and
        so does interrupting a `SyncClient` (Ctrl-C).
        """
        return self._send((method, url), options, True)

    def send(self, request: Request, *, timeout: TimeoutTypes | Default = Default.TIMEOUT) -> A:
        """Send a request as it is, and wait for the whole answer; see `request`."""
        given: RequestOptions = {} if isinstance(timeout, Default) else {"timeout": timeout}
        return self._send(request, given, True)

    def _send(
        self, asked: Request | tuple[str, URL | str], options: RequestOptions, whole: bool
    ) -> A:
        """Send a request, or make it first; wait for its body, too, or for the head only."""
        raise NotImplementedError
