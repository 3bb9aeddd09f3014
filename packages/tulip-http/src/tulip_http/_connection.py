"""One connection that speaks HTTP/1.1: a transport, a parser, and one request at a time.

The rules of this file:

- A connection is in one of two states: free, or busy with an exchange that has an owner. Whoever
  ends the exchange (its end, an error, a cancellation, `abandon`) gives the connection back to the
  owner, exactly once, open or closed.
- An exchange that did not reach its end closes the connection: what is still in flight would be
  taken for the next answer. Only if little is missing, and it is known how much, that is read in
  the background first (`_drain`).
- A small request goes out in one send; a larger one, and one whose body comes in pieces, in a task
  (`_sending`), while this one listens.

Source: RFC 9112 section 9 (connection management), 9.5 (failures), RFC 9110 section 9.2.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, final

from tulip_http._body import Body
from tulip_http._deadlines import Deadlines
from tulip_http._errors import RemoteProtocolError, ResponseTooLarge
from tulip_http._failures import name, translated
from tulip_http._response import Response
from tulip_http._sending import Sending
from tulip_http._typing import override
from tulip_http._upgraded import UpgradedTransport
from tulip_http.bodies._decode import decode_whole, decoder_for
from tulip_http.wire._http1 import ResponseParser
from tulip_net import (
    BrokenError,
    Cancelled,
    ClosedError,
    Gen,
    Task,
    Transport,
    coroutine,
    current_context,
    move_on_after,
)

if TYPE_CHECKING:
    from tulip_http._info import ConnectionInfo
    from tulip_http._limits import Limits
    from tulip_http._request import Request
    from tulip_http._timeouts import Timeout
    from tulip_http._url import Origin

# Most answers fit; a larger buffer costs more to allocate than a second receive.
_HEAD_READ: Final = 32768
# Twice the socket buffer of a fast loopback transfer; larger ones gain nothing measurable.
_BODY_READ: Final = 262144
# A rest of an answer that is read rather than thrown away with its connection: it is in the
# kernel's buffer already, most likely; and how long that may take, since others wait for the place.
_DRAIN_BYTES: Final = 65536
_DRAIN_SECONDS: Final = 0.25


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
        info: What is told about it.
        limits: Of heads and bodies.

    Attributes:
        free_since: When it last became free, on the loop's clock.
        opened_at: When it was made, on the same clock.
        keep_seconds: How long the server keeps it without a request, as far as it says so.
        served: Requests so far.
        usable: Open, and in order for another request.
    """

    __slots__ = (
        "_deadlines",
        "_limits",
        "_loop",
        "_owner",
        "_parser",
        "_request",
        "_sending",
        "_transport",
        "free_since",
        "info",
        "keep_seconds",
        "opened_at",
        "origin",
        "served",
        "usable",
    )

    def __init__(
        self, origin: Origin, transport: Transport, info: ConnectionInfo, limits: Limits
    ) -> None:
        self.origin = origin
        self.info = info
        self._transport: Transport | None = transport
        self._limits = limits
        self._loop = current_context().eventloop
        self._deadlines = Deadlines(self._loop, limits, self._expire)
        self._sending = Sending(self._loop, transport, self._deadlines)
        self._parser = ResponseParser(limits.max_head_bytes, limits.max_head_fields)
        self._owner: Owner | None = None
        self._request: Request | None = None
        self.opened_at = self.free_since = self._loop.time()
        self.keep_seconds = math.inf
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

        Cancelling closes the connection, unless little of the answer is missing.
        """
        self._owner = owner
        self._request = request
        self.served += 1
        parser, deadlines, transport = self._parser, self._deadlines, self._transport
        assert transport is not None
        deadlines.begin(timeout, ends)
        parser.start(request.method)
        # Each generator in between would cost every request (benchmarks/, GET of 1 KiB).
        try:
            sent = first = 0.0
            data = self._sending.begin(request)
            if data:
                deadlines.write()
                try:
                    yield from transport.send(data)
                except BrokenError as error:
                    yield from self._answer_after_all(error)
            while parser.head is None:
                if self._sending.upload is None or self._sending.sent():
                    sent = deadlines.read()
                data = yield from transport.recv(_HEAD_READ)
                first = first or self._loop.time()
                self._feed(data)
            if parser.upgraded:
                self._check_upgrade(request, whole)
            if self.served == 1:
                self.keep_seconds = parser.head.kept_for()
            head = parser.head
            decoder = None
            if head.may_have(b"content-encoding"):
                decoder = decoder_for(head.fields, self._limits.max_ratio)
            content = body = None
            if whole:
                most = self._limits.max_body
                # A body that came with the head is no larger than one read.
                if parser.complete and (most is None or most >= _HEAD_READ):
                    content = parser.take_body()
                else:
                    content = yield from self._receive_all()
                if decoder is not None:
                    content = decode_whole(content, decoder, most)
        except BaseException as error:
            self._fail(error, request)
            raise
        upgraded = parser.upgraded
        if whole:
            ended = self._finish()
        else:
            body = Body(request, source=self, decoder=decoder, max_body=self._limits.max_body)
            ended = self._loop.time()
            deadlines.clear()  # how long the caller takes is the caller's business
        return Response(
            request,
            head,
            trailers=parser.trailers,
            clocked=(began, sent or first, first or ended, ended),
            connection=self.info,
            first=self.served == 1,
            content=content,
            body=body,
            upgraded=upgraded,
        )

    def call_ends(self) -> float:
        """Return when a call that begins now has to end, on the loop's clock."""
        return self._deadlines.call_ends()

    @coroutine
    def receive(self, ends: float) -> Gen[bytes]:
        """Wait for a piece of the body; ``b""`` at its end, and the exchange has ended."""
        parser = self._parser
        if parser.upgraded:  # what comes now is no body: `detach` has it
            self.close()
            return b""
        data = parser.take_body()
        if data:
            return data
        self._deadlines.ends = ends
        request = self._request
        try:
            while not data and not parser.complete:
                yield from self._receive_some()
                data = parser.take_body()
        except BaseException as error:
            self._fail(error, request)
            raise
        if data:
            self._deadlines.clear()
        else:
            self._finish()
        return data

    @coroutine
    def still_open(self) -> Gen[bool]:
        """Look whether the server has closed this free connection, or sent what nobody asked for.

        It is looked through the transport, so that what TLS has to say between two requests (a
        session ticket) is not taken for an end. Takes one turn of the event loop.
        """
        assert self._transport is not None
        with move_on_after(0):
            try:
                yield from self._transport.recv(1)
            except (BrokenError, ClosedError):
                return False
            return False
        return True

    # The end of an exchange.

    def abandon(self) -> None:
        """End the exchange before its end; the connection stays only if little is missing."""
        if self._owner is None:
            return
        if not self._worth_draining():
            self.close()
        elif self._parser.complete:
            self._parser.take_body()
            self._finish()
        else:
            Task(self._drain(), "tulip-http: the rest of an answer").start()

    def detach(self) -> Transport:
        """Give the transport away, with what was received beyond the head; the exchange ends."""
        transport, self._transport = self._transport, None
        assert transport is not None
        rest = self._parser.take_body()
        self.close()
        return UpgradedTransport(rest, transport) if rest else transport

    def close(self) -> None:
        """Close now, without waiting; an exchange that is under way fails."""
        self.usable = False
        self._deadlines.close()
        self._sending.stop()
        if self._transport is not None:
            self._transport.close()
        self._hand_over()

    def _finish(self) -> float:
        """End an exchange whose answer is complete, and return the time."""
        self.free_since = now = self._loop.time()
        self._deadlines.clear()
        # A body that was held back: whether the server still expects it, nobody knows.
        if self._parser.keep_alive and self._sending.complete():
            self._hand_over()
        else:
            self.close()
        return now

    def _hand_over(self) -> None:
        owner, self._owner = self._owner, None
        self._request = None
        if owner is not None:
            owner.give_back(self)

    def _worth_draining(self) -> bool:
        """Say whether what is missing of the answer is known, and little."""
        missing = self._parser.missing()
        if missing is None or missing > _DRAIN_BYTES or not self._sending.complete():
            return False
        context = current_context()
        return context.current_task is not None and context.eventloop is self._loop

    @coroutine
    def _drain(self) -> Gen[None]:
        """Read what is missing, for nobody, so that the connection can be used again."""
        parser = self._parser
        assert self._transport is not None
        self._deadlines.limit(_DRAIN_SECONDS)
        try:
            while not parser.complete:
                self._feed((yield from self._transport.recv(_BODY_READ)))
                parser.take_body()
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
        else:
            self._finish()

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
        assert self._transport is not None
        if self._sending.sent():
            self._deadlines.read_body()
        data = yield from self._transport.recv(_BODY_READ)
        self._deadlines.come(len(data))
        self._feed(data)

    @coroutine
    def _answer_after_all(self, error: BrokenError) -> Gen[None]:
        """See whether a server that stopped listening has said why (RFC 9112 section 9.6)."""
        try:
            while self._parser.head is None:
                yield from self._receive_some()
        except (BrokenError, RemoteProtocolError):
            self._deadlines.reading = False
            raise error from None

    def _feed(self, data: bytes) -> None:
        parser = self._parser
        if not data:
            parser.feed_eof()
            return
        parser.feed(data)
        if parser.interim:
            self._tell_interim()

    def _tell_interim(self) -> None:
        interim = self._parser.interim
        while interim:
            head = interim.pop(0)
            if head.status == 100:
                self._sending.go_ahead()
            if self._request is not None:
                self._request.tell_interim(head)

    def _check_upgrade(self, request: Request, whole: bool) -> None:
        head = self._parser.head
        assert head is not None
        what = f"status {head.status} hands the connection to another protocol"
        if request.method != "CONNECT" and not request.headers.has(b"upgrade"):
            raise RemoteProtocolError(f"{what}, which nobody asked for")
        if whole:
            raise RemoteProtocolError(f"{what}: use Client.stream and the response's detach()")

    # What went wrong.

    def _expire(self) -> None:
        """Close the transport, and so wake whoever waits on it."""
        self._sending.stop()
        if self._transport is not None:
            self._transport.close()

    def _fail(self, error: BaseException, request: Request | None) -> None:
        """Close, and raise the error of this layer for one of the layer below."""
        if isinstance(error, Cancelled) and self._owner is not None and self._worth_draining():
            self.abandon()
            return
        root = self._root(error)
        deadlines = self._deadlines
        late = deadlines.error(name(request)) if deadlines.expired else None
        found = translated(root, request, reading=deadlines.reading, late=late)
        self.close()
        if found is not None and found is not error:
            raise found from root
        if root is not error:
            raise root

    def _root(self, error: BaseException) -> BaseException:
        """Return the upload's error where there is one: what the receiver saw only followed."""
        failure = self._sending.failure()
        if failure is None or not isinstance(error, Exception):
            return error
        self._deadlines.reading = False
        return failure

    @override
    def __repr__(self) -> str:
        state = "busy" if self._owner is not None else "free" if self.usable else "closed"
        return f"<Connection to {self.origin} {state} served={self.served}>"
