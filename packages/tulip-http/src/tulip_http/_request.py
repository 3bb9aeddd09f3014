"""What is asked: a method, a URL, header fields, and a body."""

from __future__ import annotations

import re
from typing import Final, final

from tulip_http._errors import LocalProtocolError
from tulip_http._headers import Headers, HeaderTypes
from tulip_http._typing import override
from tulip_http._url import URL
from tulip_http.bodies._encode import ContentTypes, ParamTypes, encode_body, encode_pairs
from tulip_http.bodies._stream import BodyStream, StreamTypes

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# RFC 9110 section 9.2.2: doing it twice has the effect of doing it once.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
_KNOWN: Final = _IDEMPOTENT | {"POST", "PATCH"}
# Methods for which a server expects a length even where there is no body (section 8.6).
_EXPECTS_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


@final
class Request:
    """A request, complete but for what belongs to the connection it goes over.

    Args:
        method: Any token; sent in upper case.
        url: Absolute.
        params: Added to the URL's own query.
        headers: Host, Content-Length and the body's Content-Type are added where not given.
        content: Body as bytes, text, an open file, or an iterable or async iterable of bytes. The
            last three are sent as they come, in chunks unless their length is known (a file on
            disk) or given as a Content-Length header.
        data: Body as a form.
        json: Body as JSON.

    Raises:
        InvalidURL: ``url`` is not an absolute URL.
        UnsupportedProtocol: Its scheme is neither http nor https.
        LocalProtocolError: The method or a header cannot be sent.
        TypeError: More than one body, or one that cannot be sent.
    """

    __slots__ = ("content", "headers", "method", "stream", "url")

    def __init__(
        self,
        method: str,
        url: URL | str,
        *,
        params: ParamTypes | None = None,
        headers: HeaderTypes | None = None,
        content: ContentTypes | StreamTypes | None = None,
        data: ParamTypes | None = None,
        json: object = None,
    ) -> None:
        self.method: str = method if method in _KNOWN else _checked(method)
        self.url: URL = URL(url)
        if params is not None:
            self.url = _with_params(self.url, params)
        self.headers: Headers = Headers(headers)
        self.content: bytes | None = None
        self.stream: BodyStream | None = None
        if content is not None or data is not None or json is not None:
            if content is not None and not isinstance(content, (bytes, str, bytearray, memoryview)):
                self.stream, content = BodyStream(content), b""
            self.content, media_type = encode_body(content, data, json)
            if media_type is not None and not self.headers.has(b"content-type"):
                self.headers.add(b"Content-Type", media_type)
        self._announce_length()

    def _announce_length(self) -> None:
        """Say how long the body is, and refuse any other statement about it.

        Anything else would let the server find a second request in the body, or wait for more.
        """
        headers = self.headers
        if headers.has(b"transfer-encoding"):
            raise LocalProtocolError("Transfer-Encoding belongs to the connection: leave it out")
        given = headers.has(b"content-length")
        if self.stream is not None:
            self._announce_stream(self.stream, given)
            return
        if not given and self.content is None and self.method not in _EXPECTS_BODY:
            return
        length = len(self.content or b"")
        if not given:
            headers.add(b"Content-Length", str(length))
        elif headers["content-length"] != str(length):
            raise LocalProtocolError(
                f"Content-Length {headers['content-length']!r} does not fit a body of "
                f"{length} bytes"
            )

    def _announce_stream(self, stream: BodyStream, given: bool) -> None:
        if given:
            length = self.headers["content-length"]
            if not (length.isascii() and length.isdigit()):
                raise LocalProtocolError(f"Content-Length {length!r} is not a length")
            stream.length = int(length)
        elif stream.length is not None:
            self.headers.add(b"Content-Length", str(stream.length))
        else:
            self.headers.add(b"Transfer-Encoding", b"chunked")

    @property
    def repeatable(self) -> bool:
        """Whether sending it again does no harm, and is possible: a stream can be sent once."""
        return self.method in _IDEMPOTENT and self.stream is None

    @property
    def idempotent(self) -> bool:
        """Whether doing it twice has the effect of doing it once (RFC 9110 section 9.2.2)."""
        return self.method in _IDEMPOTENT

    @override
    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Leave out a stream: it belongs to this process."""
        state = {name: getattr(self, name) for name in self.__slots__ if name != "stream"}
        return None, {**state, "stream": None}

    @override
    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.shown}>"


def _checked(method: str) -> str:
    if not _TOKEN.fullmatch(method):
        raise LocalProtocolError(f"method {method!r} is not a token (RFC 9110 section 5.6.2)")
    return method.upper()


def _with_params(url: URL, params: ParamTypes) -> URL:
    added = encode_pairs(params)
    if not added:
        return url
    return url.with_query(f"{url.query}&{added}" if url.query else added)
