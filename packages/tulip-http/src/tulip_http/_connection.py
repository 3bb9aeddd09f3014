"""One connection that speaks HTTP/1.1: a transport, a parser, and one request at a time.

The rules of this file:

- A connection is in one of two states: free, or busy with an exchange that has an owner. Whoever
  ends the exchange (its end, an error, a cancellation, `abandon`) gives the connection back to the
  owner, exactly once, open or closed.
- An exchange that did not reach its end closes the connection: what is still in flight would be
  taken for the next answer.
- The errors of the layer below are translated here and nowhere else. Each error carries its request
  and says whether sending it again is safe.
- A small request goes out in one send; a larger one, and one whose body comes in pieces, in a task
  (`_upload`), while this one listens.

Source: RFC 9112 section 9 (connection management), 9.5 (failures), RFC 9110 section 9.2.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, final

from tulip_http._alarm import Alarm
from tulip_http._errors import (
    ClientClosed,
    HTTPError,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    ResponseTooLarge,
    TimeoutException,
    TotalTimeout,
    WriteError,
    WriteTimeout,
)
from tulip_http._response import Response
from tulip_http._typing import override
from tulip_http._upload import Upload
from tulip_http.bodies._decode import decode_whole, decoder_for
from tulip_http.wire._http1 import ResponseParser, serialize_head
from tulip_net import (
    BrokenError,
    ClosedError,
    Gen,
    Transport,
    coroutine,
    current_context,
    move_on_after,
)

if TYPE_CHECKING:
    from tulip_http._limits import Limits
    from tulip_http._request import Request
    from tulip_http._timeouts import Timeout
    from tulip_http._url import Origin

# Most answers fit; a larger buffer costs more to allocate than a second receive.
_HEAD_READ: Final = 32768
# Twice the socket buffer of a fast loopback transfer; larger ones gain nothing measurable.
_BODY_READ: Final = 262144
# What a socket buffer takes at once as a rule, so that no task is needed.
_SEND_AT_ONCE: Final = 65536


class Owner(Protocol):
    """Whoever lent the connection out and wants it back."""

    def give_back(self, connection: Connection) -> None:
        """Take the connection back, free or closed."""
        ...


@final
class Connection:
    """An open connection to one origin.

    Args:
        origin: What it was opened to.
        transport: Connected, and owned by this connection from now on.
        limits: Of heads and bodies.

    Attributes:
        free_since: When it last became free, on the loop's clock.
        served: Requests so far.
        usable: Open, and in order for another request.
    """

    __slots__ = (
        "_alarm",
        "_ends",
        "_expired",
        "_late",
        "_limits",
        "_loop",
        "_owner",
        "_parser",
        "_request",
        "_timeout",
        "_transport",
        "_upload",
        "free_since",
        "origin",
        "served",
        "usable",
    )

    def __init__(self, origin: Origin, transport: Transport, limits: Limits) -> None:
        self.origin = origin
        self._transport = transport
        self._limits = limits
        self._loop = current_context().eventloop
        self._alarm = Alarm(self._loop, self._expire)
        self._parser = ResponseParser(limits.max_head_bytes, limits.max_head_fields)
        self._owner: Owner | None = None
        self._request: Request | None = None
        self._upload: Upload | None = None
        self._timeout: Timeout | None = None
        self._ends = math.inf  # of the call
        self._expired = False
        self._late: type[ReadTimeout | WriteTimeout] = WriteTimeout
        self.free_since = self._loop.time()
        self.served = 0
        self.usable = True

    @property
    def answered(self) -> bool:
        """Whether a byte of an answer to the last request has come."""
        return self._parser.started

    @coroutine
    def exchange(  # noqa: C901, PLR0912 - the path of every request, written out flat
        self,
        request: Request,
        timeout: Timeout,
        owner: Owner,
        began: float,
        ends: float,
        whole: bool,
    ) -> Gen[Response]:
        """Send a request and wait for its answer.

        Args:
            request: What to send.
            timeout: Limits of each phase and of the call.
            owner: Gets the connection back when the exchange has ended.
            began: When the call began, on the loop's clock.
            ends: When it is to end at the latest.
            whole: Wait for the whole body, too; else the response streams it from here.

        Raises:
            TransportError: The exchange failed; the connection is closed.
            ResponseTooLarge: The whole body is larger than the limit.

        Cancelling closes the connection.
        """
        self._owner = owner
        self._request = request
        self._timeout = timeout
        self._ends = ends
        self.served += 1
        parser, transport = self._parser, self._transport
        parser.start(request.method)
        # Each generator in between would cost every request (benchmarks/, GET of 1 KiB).
        try:
            data = self._begin(request)
            if data:
                self._set_alarm(WriteTimeout)
                try:
                    yield from transport.send(data)
                except BrokenError as error:
                    yield from self._answer_after_all(error)
            while parser.head is None:
                if self._upload is None or self._sent():
                    self._set_alarm(ReadTimeout)
                data = yield from transport.recv(_HEAD_READ)
                if data:
                    parser.feed(data)
                else:
                    parser.feed_eof()
            if parser.upgraded:
                raise RemoteProtocolError(
                    f"status {parser.head.status} hands the connection to another protocol, which "
                    f"nobody asked for"
                )
            seconds = self._loop.time() - began
            content = None
            decoder = decoder_for(parser.head.fields, self._limits.max_ratio)
            if whole:
                most = self._limits.max_body
                # A body that came with the head is no larger than one read.
                if parser.complete and (most is None or most >= _HEAD_READ):
                    content = parser.take_body()
                else:
                    content = yield from self._receive_all()
                if decoder is not None:
                    content = decode_whole(content, decoder, self._limits.max_body)
        except BaseException as error:
            self._fail(error)
            raise
        response = Response(
            request,
            parser.head,
            trailers=parser.trailers,
            decoder=decoder,
            content=content,
            source=None if whole else self,
            seconds=seconds,
            max_body=self._limits.max_body,
        )
        if whole:
            self._finish()
        else:
            self._alarm.clear()  # how long the caller takes is the caller's business
        return response

    def call_ends(self) -> float:
        """Return when a call that begins now has to end, on the loop's clock."""
        assert self._timeout is not None
        total = self._timeout.total
        return math.inf if total is None else self._loop.time() + total

    @coroutine
    def receive(self, ends: float) -> Gen[bytes]:
        """Wait for a piece of the body; ``b""`` at its end, and the exchange has ended."""
        parser = self._parser
        data = parser.take_body()
        if data:
            return data
        self._ends = ends
        try:
            while not data and not parser.complete:
                yield from self._receive_some()
                data = parser.take_body()
        except BaseException as error:
            self._fail(error)
            raise
        if data:
            self._alarm.clear()
        else:
            self._finish()
        return data

    @coroutine
    def still_open(self) -> Gen[bool]:
        """Look whether the server has closed this free connection, or sent what nobody asked for.

        It is looked through the transport, so that what TLS has to say between two requests (a
        session ticket) is not taken for an end. Takes one turn of the event loop.
        """
        with move_on_after(0):
            try:
                yield from self._transport.recv(1)
            except BrokenError:
                return False
            return False
        return True

    def abandon(self) -> None:
        """End the exchange before its end, and the connection with it."""
        if self._owner is not None:
            self.close()

    def close(self) -> None:
        """Close now, without waiting; an exchange that is under way fails."""
        self.usable = False
        self._alarm.close()
        self._stop_sending()
        self._transport.close()
        self._hand_over()

    def _finish(self) -> None:
        """End an exchange whose answer is complete."""
        self._alarm.clear()
        if not self._parser.keep_alive or not (self._upload is None or self._upload.sent):
            self.close()
            return
        self._upload = None
        self.free_since = self._loop.time()
        self._hand_over()

    def _hand_over(self) -> None:
        owner, self._owner = self._owner, None
        self._request = None
        if owner is not None:
            owner.give_back(self)

    # Sending.

    def _begin(self, request: Request) -> bytes | None:
        """Return all of a small request; begin to upload a large one, and return None."""
        headers = request.headers
        host = None if headers.has(b"host") else request.url.netloc
        data = serialize_head(request.method, request.url.target, host, headers.block())
        content = request.content or b""
        if request.stream is None and len(content) <= _SEND_AT_ONCE:
            return data + content
        self._upload = Upload(self._transport, data, request, lambda: self._set_alarm(WriteTimeout))
        return None

    @coroutine
    def _answer_after_all(self, error: BrokenError) -> Gen[None]:
        """See whether a server that stopped listening has said why (RFC 9112 section 9.6)."""
        try:
            while self._parser.head is None:
                yield from self._receive_some()
        except (BrokenError, RemoteProtocolError):
            self._late = WriteTimeout
            raise error from None

    def _stop_sending(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.stop()

    # Receiving.

    @coroutine
    def _receive_all(self) -> Gen[bytes]:
        parser = self._parser
        most = math.inf if self._limits.max_body is None else self._limits.max_body
        chunks, size = [], 0
        while True:
            chunk = parser.take_body()
            chunks.append(chunk)
            size += len(chunk)
            if size > most or (parser.length or 0) > most:
                raise ResponseTooLarge(
                    f"the body is larger than {most} bytes (max_body): "
                    f"{parser.length or size} bytes, or more"
                )
            if parser.complete:
                return b"".join(chunks)  # of one piece, that piece itself
            yield from self._receive_some()

    @coroutine
    def _receive_some(self) -> Gen[None]:
        if self._sent():
            self._set_alarm(ReadTimeout)
        data = yield from self._transport.recv(_BODY_READ)
        if data:
            self._parser.feed(data)
        else:
            self._parser.feed_eof()

    def _sent(self) -> bool:
        """Whether the request has gone out; then the upload, if there was one, is let go."""
        upload = self._upload
        if upload is None:
            return True
        if upload.sent:
            self._upload = None
            return True
        return False

    # Time, and what went wrong.

    def _set_alarm(self, late: type[ReadTimeout | WriteTimeout]) -> None:
        """Close the transport, and so wake whoever waits on it, when this takes too long."""
        timeout = self._timeout
        assert timeout is not None
        self._late = late
        seconds = timeout.read if late is ReadTimeout else timeout.write
        ends = self._ends
        if seconds is not None and (deadline := self._loop.time() + seconds) < ends:
            ends = deadline
        self._alarm.set(ends)

    def _expire(self) -> None:
        self._expired = True
        self._stop_sending()
        self._transport.close()

    def _timeout_error(self, what: str) -> TimeoutException:
        timeout = self._timeout
        assert timeout is not None
        if self._loop.time() >= self._ends:
            return TotalTimeout(f"{what} took longer than {timeout.total:g} s in all")
        if self._late is WriteTimeout:
            return WriteTimeout(f"{what}: the server took nothing for {timeout.write:g} s")
        return ReadTimeout(f"{what}: the server sent nothing for {timeout.read:g} s")

    def _fail(self, error: BaseException) -> None:
        """Close, and raise the error of this layer for one of the layer below."""
        root = self._root(error)
        translated = self._translated(root)
        if translated is not None:
            self._about(translated)
        self.close()
        if translated is not None and translated is not error:
            raise translated from root
        if root is not error:
            raise root

    def _root(self, error: BaseException) -> BaseException:
        """Return the upload's error where there is one: what the receiver saw only followed."""
        upload = self._upload
        if upload is None or upload.error is None or not isinstance(error, Exception):
            return error
        self._late = WriteTimeout
        return upload.error

    def _translated(self, error: BaseException) -> HTTPError | None:
        if isinstance(error, HTTPError):
            return error
        request = self._request
        where = "" if request is None else f"{request.method} {request.url.shown}"
        if isinstance(error, ClosedError) and self._expired:
            return self._timeout_error(where)
        if isinstance(error, ClosedError):
            return ClientClosed(f"{where}: the connection was closed by this program")
        if not isinstance(error, BrokenError):
            return None
        return (ReadError if self._late is ReadTimeout else WriteError)(f"{where}: {error}")

    def _about(self, error: HTTPError) -> None:
        error.request = self._request
        error.safe_to_repeat = self._request is not None and self._request.repeatable

    @override
    def __repr__(self) -> str:
        state = "busy" if self._owner is not None else "free" if self.usable else "closed"
        return f"<Connection to {self.origin} {state} served={self.served}>"
