"""The body of a response that is still coming: read once, whole or in pieces, decoded or not."""

from __future__ import annotations

import math
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Protocol, TypeVar, final

from tulip_http._errors import (
    DecodingError,
    HTTPError,
    ResponseTooLarge,
    StreamClosed,
    StreamConsumed,
    StreamError,
)
from tulip_http._typing import override
from tulip_http.bodies._text import LineSplitter, text_decoder
from tulip_net import Gen, Transport, coroutine

if TYPE_CHECKING:
    import codecs

    from tulip_http._request import Request
    from tulip_http.bodies._decode import BodyDecoder
    from tulip_net import Coroutine

E = TypeVar("E", bound=HTTPError)


class BodySource(Protocol):
    """Where the rest of a body comes from: a connection, or one stream of it."""

    def begin_call(self) -> float:
        """Begin a call that takes more than one piece; return when it has to end."""
        ...

    def receive(self, ends: float | None = None) -> Coroutine[bytes]:
        """Return the next piece, ``b""`` at the end, which also ends the source.

        Args:
            ends: When the call ends that this belongs to; None if it is a call of its own.
        """
        ...

    def abandon(self) -> None:
        """End the source early, without waiting. Idempotent."""
        ...

    def drop(self) -> None:
        """End the source, wherever the garbage collector happens to run: start nothing."""
        ...

    def detach(self) -> Transport:
        """Give the connection away: it speaks another protocol now."""
        ...


@final
class Body:
    """What is still to come of a response, and what was read of it.

    Args:
        request: What is answered; every error carries it.
        source: Where it comes from; None where ``content`` is all.
        decoder: Undoes its codings.
        max_body: Most bytes of it that are read whole.
        content: All of it, where it is here already.
        upgraded: There is no body: the connection belongs to another protocol.

    Attributes:
        content: All of it, once `read` has read it.
    """

    __slots__ = (
        "_abandoned",
        "_body_decoder",
        "_decoder",
        "_max_body",
        "_request",
        "_source",
        "_splitter",
        "_started",
        "_upgraded",
        "content",
    )

    def __init__(
        self,
        request: Request,
        *,
        source: BodySource | None = None,
        decoder: BodyDecoder | None = None,
        max_body: int | None = None,
        content: bytes | None = None,
        upgraded: bool = False,
    ) -> None:
        self.content: bytes | None = content
        self._upgraded = upgraded
        self._request = request
        self._source = source
        self._body_decoder = decoder
        self._max_body = max_body
        self._started = False  # reading in pieces
        self._abandoned = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._splitter: LineSplitter | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._source is None

    @coroutine
    def read(self) -> Gen[bytes]:
        """Wait for all of it; see `Response.read`."""
        if self.content is not None:
            return self.content
        if self._started:
            raise self._carrying(StreamConsumed(f"{self._name} was taken in pieces"))
        body = BytesIO()  # as in `Receiving.whole`
        size = 0
        ends = math.inf if self._source is None else self._source.begin_call()
        while chunk := (yield from self.read_chunk(ends)):
            body.write(chunk)
            size += len(chunk)
            if self._max_body is not None and size > self._max_body:
                raise self._too_large("the body")
        self.content = body.getvalue()
        return self.content

    @coroutine
    def read_chunk(self, ends: float | None = None) -> Gen[bytes]:
        """Wait for a piece; see `Response.read_chunk`.

        Args:
            ends: As for `BodySource.receive`.
        """
        source = self._source
        if source is None:
            return self._beyond_end()
        self._started = True
        decoder = self._body_decoder
        try:
            if decoder is None:
                chunk = yield from source.receive(ends)
            else:
                chunk = yield from self._decoded(decoder, source, ends)
        except BaseException:
            # The source has ended itself, or is about to: it may serve another request by the
            # next time that somebody reads or closes this.
            self.leave()
            raise
        if not chunk:
            self._source = None
        return chunk

    @coroutine
    def read_raw(self) -> Gen[bytes]:
        """Wait for a piece as it came, encoded; see `Response.read_raw`."""
        self._body_decoder = None
        return (yield from self.read_chunk())

    @coroutine
    def read_text(self, encoding: str) -> Gen[str]:
        """Wait for a piece of text; see `Response.read_text`."""
        if self._decoder is None:
            self._decoder = text_decoder(encoding)
        while chunk := (yield from self.read_chunk()):
            # A piece may end inside a character, and be nothing by itself.
            if text := self._decoder.decode(chunk):
                return text
        return self._decoder.decode(b"", final=True)

    @coroutine
    def read_line(self, encoding: str) -> Gen[str | None]:
        """Wait for a line; see `Response.read_line`."""
        if self._splitter is None:
            self._splitter = LineSplitter(encoding)
        lines = self._splitter.lines
        while not lines:
            chunk = yield from self.read_chunk()
            self._splitter.feed(chunk)
            if not chunk:
                break
            if self._max_body is not None and self._splitter.begun > self._max_body:
                raise self._too_large("a line of the body")
        return lines.popleft() if lines else None

    def line_nowait(self) -> str | None:
        """Return the next line if it is here already, else None: at the end, or before."""
        splitter = self._splitter
        return splitter.lines.popleft() if splitter is not None and splitter.lines else None

    def close(self) -> None:
        """Give up what has not been read, without waiting."""
        source, self._source = self._source, None
        if source is not None:
            self._abandoned = True
            source.abandon()

    def leave(self) -> None:
        """Give up what has not been read, and let go of a source that has ended."""
        self._source = None
        self._abandoned = True

    def detach(self) -> Transport:
        """Give the connection away; see `Response.detach`."""
        if not self._upgraded:
            raise self._carrying(StreamError(f"{self._name} left the connection with HTTP"))
        source, self._source = self._source, None
        if source is None:
            raise self._carrying(StreamClosed(f"{self._name} was closed"))
        self._abandoned = True
        return source.detach()

    def _beyond_end(self) -> bytes:
        """Return the piece of a body that no longer comes: at first what was read of it, if it was.

        Raises:
            StreamClosed: It was closed before.
        """
        started, self._started = self._started, True
        if self.content is None and self._abandoned:
            raise self._carrying(StreamClosed(f"{self._name} was closed before it was read"))
        return b"" if started or self.content is None else self.content

    @coroutine
    def _decoded(self, decoder: BodyDecoder, source: BodySource, ends: float | None) -> Gen[bytes]:
        if ends is None:
            ends = source.begin_call()  # of several pieces, perhaps
        try:
            while not (data := decoder.take()):
                chunk = yield from source.receive(ends)
                if not chunk:
                    decoder.finish()
                    break
                decoder.feed(chunk)
        except (DecodingError, ResponseTooLarge) as error:
            self.close()
            raise self._carrying(error) from error.__cause__
        return data

    def _too_large(self, what: str) -> ResponseTooLarge:
        self.close()
        told = f"{what} is larger than {self._max_body} bytes (max_body)"
        return self._carrying(ResponseTooLarge(told))

    @property
    def _name(self) -> str:
        return f"the body of the answer to {self._request.method} {self._request.url.shown}"

    def _carrying(self, error: E) -> E:
        error.request = self._request
        return error

    def __del__(self) -> None:
        """Give the connection back that a body nobody read or closed still occupies."""
        source = getattr(self, "_source", None)
        if source is not None:
            self._source = None
            message = f"{self._name} was dropped before it was read or closed"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
            source.drop()

    @override
    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Leave out the connection: a body is sent elsewhere as what was read of it."""
        state = {name: getattr(self, name) for name in self.__slots__}
        state["_abandoned"] = self._abandoned or self._source is not None
        for name in ("_source", "_decoder", "_splitter", "_body_decoder"):
            state[name] = None
        return None, state
