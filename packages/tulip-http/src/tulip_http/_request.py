"""What is asked: a method, a URL, header fields, and a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, final

from tulip_http._errors import LocalProtocolError
from tulip_http._headers import Headers, HeaderTypes
from tulip_http._typing import override
from tulip_http._url import URL, parse_url
from tulip_http.bodies._encode import (
    ContentTypes,
    DataTypes,
    ParamTypes,
    encode_body,
    encode_pairs,
)
from tulip_http.bodies._stream import BodyStream, StreamTypes

if TYPE_CHECKING:
    from tulip_http.bodies._multipart import FilesTypes
    from tulip_http.wire._head import ResponseHead

TrailerTypes: TypeAlias = "HeaderTypes | Callable[[], HeaderTypes]"
"""Fields after a body: given at once, or asked for once the body has gone out (a checksum)."""

_METHOD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

# What is sent as a request's target: visible ASCII, so that the line has three words.
# Patterns that few requests need are compiled when one does: importing is to be quick.
_TARGET: Final = r"[!-~]+"
_PATH_AND_QUERY: Final = r"\s*[^:/?#]+://[^/?#]*([^#]*)"
# RFC 9110 section 6.5.1: what frames or routes a message means nothing after it.
_NO_TRAILERS: Final = frozenset(
    {b"content-encoding", b"content-length", b"content-type", b"host", b"te", b"trailer"}
    | {b"transfer-encoding", b"authorization", b"expect", b"connection"}
)

# RFC 9110 section 9.2.2: doing it twice has the effect of doing it once.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
_KNOWN: Final = _IDEMPOTENT | {"POST", "PATCH"}
# Methods for which a server expects a length even where there is no body (section 8.6).
_EXPECTS_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# The fields that say where a body ends.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


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
            disk, `io.BytesIO`) or given as a Content-Length header. Of a file that grows meanwhile
            goes out what it had.
        data: Body as a form: a mapping, pairs, or text or bytes that are encoded already.
        json: Body as JSON.
        files: Files of a form, of which ``data`` has the other fields; they are sent as they are
            read.
        trailers: Fields to send after a body that goes out in chunks.
        target: Sent instead of the URL's path and query: "*" for OPTIONS, "host:port" for CONNECT.
        verbatim: Send the path and query as they are written in ``url``, byte for byte: for URLs
            that are signed.
        on_interim: Called for each interim answer (100, 103) with an `Interim`.

    An ``Expect: 100-continue`` header holds the body back until the server asks for it, or for a
    second.

    Raises:
        InvalidURL: ``url`` is not an absolute URL.
        UnsupportedProtocol: Its scheme is neither http nor https.
        LocalProtocolError: The method or a header cannot be sent.
        TypeError: More than one body, or one that cannot be sent.
    """

    __slots__ = (
        "content",
        "headers",
        "method",
        "on_interim",
        "stream",
        "target",
        "trailers",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: URL | str,
        *,
        params: ParamTypes | None = None,
        headers: HeaderTypes | None = None,
        content: ContentTypes | StreamTypes | None = None,
        data: DataTypes | None = None,
        json: object = None,
        files: FilesTypes | None = None,
        trailers: TrailerTypes | None = None,
        target: str | None = None,
        verbatim: bool = False,
        on_interim: Callable[[Interim], object] | None = None,
    ) -> None:
        self.method: str = method if method in _KNOWN else _checked(method)
        self.url: URL = parse_url(url) if isinstance(url, str) else URL(url)
        if params is not None:
            self.url = _with_params(self.url, params)
        self.headers: Headers = headers.copy() if isinstance(headers, Headers) else Headers(headers)
        self.content: bytes | None = None
        self.stream: BodyStream | None = None
        self.trailers: TrailerTypes | None = trailers
        self.on_interim: Callable[[Interim], object] | None = on_interim
        if target is None and not verbatim:
            self.target: str = self.url.target
        else:
            self.target = _checked_target(target or _as_written(url, params))
        bodies = content is not None or data is not None or json is not None or files is not None
        if bodies:
            self._set_body(content, data, json, files)
        if bodies or self.method in _EXPECTS_BODY or not self.headers.lack(_FRAMING):
            self._announce_length()
        if trailers is not None:
            self._announce_trailers(trailers)

    def _set_body(
        self,
        content: ContentTypes | StreamTypes | None,
        data: DataTypes | None,
        json: object,
        files: FilesTypes | None,
    ) -> None:
        if files:
            media_type = self._set_form(content, data, json, files)
        elif content is not None and not isinstance(content, (bytes, str, bytearray, memoryview)):
            encode_body(b"", data, json)  # refuses a second body
            self.stream, media_type = BodyStream(content), None
        else:
            self.content, media_type = encode_body(content, data, json)
        if media_type is not None and not self.headers.has(b"content-type"):
            self.headers.add(b"Content-Type", media_type)

    def _set_form(
        self,
        content: ContentTypes | StreamTypes | None,
        data: DataTypes | None,
        json: object,
        files: FilesTypes,
    ) -> bytes:
        if content is not None or json is not None:
            raise TypeError("a request has one body: files and data, content, or json")
        from tulip_http.bodies._multipart import Multipart

        given = self.headers.get("content-type", "")
        form = Multipart(data, files, given)
        self.stream = BodyStream(form)
        self.stream.length = form.length
        if form.media_type != given and given.lower().startswith("multipart/"):
            self.headers["Content-Type"] = form.media_type
        return form.media_type.encode()

    def _announce_trailers(self, trailers: TrailerTypes) -> None:
        if self.stream is None or self.stream.length is not None:
            raise LocalProtocolError("trailers need a body that goes out in chunks: an iterable")
        if not callable(trailers) and not self.headers.has(b"trailer"):
            self.headers.add(b"Trailer", ", ".join(_checked_trailers(trailers)))

    def trailer_block(self) -> bytes:
        """Return the trailer fields as they are sent, each with its line end.

        Raises:
            LocalProtocolError: One of them means nothing after a body.
        """
        trailers = self.trailers
        if trailers is None:
            return b""
        return _checked_trailers(trailers() if callable(trailers) else trailers).block()

    def tell_interim(self, head: ResponseHead) -> None:
        """Pass an interim answer on to whoever asked for it."""
        if self.on_interim is not None:
            self.on_interim(Interim(head))

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
        """Leave out a stream and functions: they belong to this process."""
        state: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        return None, {**state, "stream": None, "trailers": None, "on_interim": None}

    @override
    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.shown}>"


def _checked(method: str) -> str:
    if not re.fullmatch(_METHOD, method):
        raise LocalProtocolError(f"method {method!r} is not a token (RFC 9110 section 5.6.2)")
    return method.upper()


def _checked_target(target: str) -> str:
    if not re.fullmatch(_TARGET, target):
        raise LocalProtocolError(f"target {target!r} is not visible ASCII (RFC 9112 section 3.2)")
    return target


def _as_written(url: URL | str, params: ParamTypes | None) -> str:
    if params is not None:
        raise TypeError("params cannot be added to a URL that is sent as it is written")
    if isinstance(url, URL):
        return url.target
    found = re.match(_PATH_AND_QUERY, url)
    written = found[1] if found is not None else ""
    return written if written.startswith("/") else f"/{written}"


def _checked_trailers(trailers: HeaderTypes) -> Headers:
    checked = Headers(trailers)
    for name, _ in checked.raw:
        if name.lower() in _NO_TRAILERS:
            raise LocalProtocolError(f"{name.decode()} means nothing after a body")
    return checked


def _with_params(url: URL, params: ParamTypes) -> URL:
    added = encode_pairs(params)
    if not added:
        return url
    return url.with_query(f"{url.query}&{added}" if url.query else added)


@final
class Interim:
    """An answer before the answer: 100 (Continue), 102, or 103 (Early Hints).

    Attributes:
        status_code: 100 to 199, without 101.
        headers: As they came.
    """

    __slots__ = ("headers", "status_code")

    def __init__(self, head: ResponseHead) -> None:
        self.status_code: int = head.status
        self.headers: Headers = Headers.from_wire(head.fields)

    @override
    def __repr__(self) -> str:
        return f"<Interim {self.status_code}>"
