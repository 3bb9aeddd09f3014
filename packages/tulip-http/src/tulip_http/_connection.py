"""One connection that speaks HTTP/1.1: a transport, a parser, and one request at a time.

The rules of this file:

- A connection is in one of two states: free, or busy with an exchange that has an owner. Whoever
  ends the exchange (its end, an error, a cancellation, `abandon`) gives the connection back to the
  owner, exactly once, open or closed.
- An exchange that did not reach its end closes the connection: what is still in flight would be
  taken for the next answer. Only if little is missing, and it is known how much, that is read in
  the background first (`_drain`).
- A small request goes out in one send (`_sending`); a larger one, and one whose body comes in
  pieces, in a task, while this one listens. An answer that is not here at once is waited for by
  `_receiving`.

Source: RFC 9112 section 9 (connection management), 9.5 (failures), RFC 9110 section 9.2.2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, final

from tulip_http._alarm import NEVER, call_in_loop
from tulip_http._body import Body
from tulip_http._deadlines import Deadlines
from tulip_http._failures import name, translated
from tulip_http._receiving import BODY_READ, HEAD_READ, Receiving
from tulip_http._response import Response
from tulip_http._sending import Sending
from tulip_http._typing import override
from tulip_http._upgraded import UpgradedTransport, check_upgrade
from tulip_http.bodies._decode import decoder_for
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
    from tulip_http.bodies._decode import BodyDecoder

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
        "_receiving",
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
        self._receiving = Receiving(transport, self._deadlines, self._sending, limits)
        self._parser = self._receiving.parser
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
    def exchange(  # noqa: C901 - the path of every request, written out flat
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
        parser, sending, receiving = self._parser, self._sending, self._receiving
        transport, deadlines, time = self._transport, self._deadlines, self._loop.time
        assert transport is not None
        parser.start(request.method)
        deadlines.begin(timeout, ends, time())
        sent = first = 0.0
        # Each generator in between would cost every request (benchmarks/, GET of 1 KiB).
        try:
            data = sending.begin(request)
            if data:
                try:
                    yield from transport.send(data)
                except BrokenError as error:
                    yield from receiving.answer_after_all(request, error)
            while (head := parser.head) is None:
                if sending.upload is None or sending.sent():
                    sent = deadlines.read()
                data = yield from transport.recv(HEAD_READ)
                first = first or time()
                receiving.feed(data, request)
            if parser.upgraded:
                check_upgrade(head, request, whole=whole)
            if self.served == 1:
                self.keep_seconds = head.kept_for()
            codings = head.codings()
            decoder = decoder_for(codings, self._limits.max_ratio) if codings else None
            if not whole:
                content = None
            elif parser.complete and decoder is None and receiving.head_fits:
                content = parser.take_body()
            else:
                content = yield from receiving.whole(decoder)
        except BaseException as error:
            self._fail(error, request)
            raise
        ended = time()
        body = None
        if whole:
            self._finish(ended)
        else:
            body = self._lend(request, decoder)
        clocked = (began, sent or first, first or ended, ended, self.served == 1)
        return Response(request, head, self.info, clocked, content, body)

    def _lend(self, request: Request, decoder: BodyDecoder | None) -> Body:
        """Return the body that is still to come: how long the caller takes is their business."""
        self._deadlines.lend()
        return Body(
            request,
            source=self,
            decoder=decoder,
            max_body=self._limits.max_body,
            upgraded=self._parser.upgraded,
        )

    def begin_call(self) -> float:
        """Begin a call that takes more than one piece; return when it has to end."""
        return self._deadlines.begin_call()

    @coroutine
    def receive(self, ends: float | None = None) -> Gen[bytes]:
        """Wait for a piece of the body; ``b""`` at its end, and the exchange has ended.

        Args:
            ends: When the call ends that this belongs to; None if it is a call of its own.
        """
        parser = self._parser
        if parser.complete or parser.chunks:
            return self._rest()
        transport, deadlines, sending = self._transport, self._deadlines, self._sending
        assert transport is not None
        # As in `exchange`, and in `Receiving.whole`: a generator in between would cost every piece.
        try:
            while True:
                if sending.upload is None or sending.sent():
                    ends = deadlines.read_body(ends)
                else:
                    ends = deadlines.wait_beside(ends)
                data = yield from transport.recv(BODY_READ)
                if deadlines.paced:
                    deadlines.come(len(data))
                data = parser.feed_body(data)
                if data or parser.complete:
                    break
        except BaseException as error:
            self._fail(error, self._request)
            raise
        if data:
            deadlines.alarm.deadline = NEVER
            if sending.upload is not None:
                deadlines.lend()
        else:
            self._finish(self._loop.time())
        return data

    def _rest(self) -> bytes:
        """Return what is here of the body; ``b""`` at its end, and the exchange has ended."""
        if self._parser.upgraded:  # what comes now is no body: `detach` has it
            self.close()
            return b""
        data = self._parser.take_body()
        if not data:
            self._finish(self._loop.time())
        return data

    @property
    def disturbed(self) -> bool:
        """Whether something has come since the last answer, as far as it costs nothing to know."""
        return getattr(self._transport, "disturbed", False)

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
            self._finish(self._loop.time())
        else:
            Task(self._drain(), "tulip-http: the rest of an answer").start()

    def drop(self) -> None:
        """Close, in the event loop's thread: whoever waits for the place is woken there."""
        call_in_loop(self._loop, self.close)

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
        self._expire()
        self._hand_over()

    def leave(self) -> None:
        """Let go of it in a forked process: it is the parent's, as is an exchange under way."""
        self.usable = False
        self._owner = None
        self._deadlines.leave()
        if self._transport is not None:
            self._transport.close()

    def _finish(self, now: float) -> None:
        """End an exchange whose answer is complete."""
        self.free_since = now
        # A body that was held back: whether the server still expects it, nobody knows.
        if self._parser.keep_alive and self._sending.complete() and not self._sending.last:
            self._deadlines.alarm.deadline = NEVER
            self._hand_over()
        else:
            self.close()

    def _hand_over(self) -> None:
        owner, self._owner = self._owner, None
        if self.usable:  # else a reading that is under way, or comes late, has to name it
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
        self._deadlines.limit(_DRAIN_SECONDS)
        try:
            yield from self._receiving.rest()
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
        else:
            self._finish(self._loop.time())

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
