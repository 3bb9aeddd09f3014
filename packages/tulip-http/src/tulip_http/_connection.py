"""One connection that speaks HTTP/1.1: a transport, a parser, and one request at a time.

The rules of this file:

- A connection is in one of two states: free, or busy with an exchange that has an owner. Whoever
  ends the exchange (its end, an error, a cancellation, `abandon`) gives the connection back to the
  owner, exactly once, open or closed.
- An exchange that did not reach its end closes the connection: what is still in flight would be
  taken for the next answer.
- The errors of the layer below are translated here and nowhere else. Each error carries its request
  and says whether sending it again is safe.
- A request that is larger than one send goes out in a task of its own, so that an answer which
  arrives meanwhile (413, most likely, and then nobody reads on) is returned, not lost.

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
from tulip_http.bodies._decode import decode_whole, decoder_for
from tulip_http.wire._http1 import ResponseParser, serialize_head
from tulip_net import (
    BrokenError,
    ClosedError,
    Gen,
    Task,
    Transport,
    coroutine,
    create_task,
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
_SEND_PIECE: Final = 262144


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
        "_sender",
        "_timeout",
        "_transport",
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
        self._sender: Task[None] | None = None
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
    def exchange(
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
        # Written out flat: each generator in between costs every request (benchmarks/, GET 1 KiB).
        try:
            data = self._begin(request)
            if data:
                self._set_alarm(WriteTimeout)
                try:
                    yield from transport.send(data)
                except BrokenError as error:
                    yield from self._answer_after_all(error)
            while parser.head is None:
                if self._sender is None or self._sent():
                    self._set_alarm(ReadTimeout)
                data = yield from transport.recv(_HEAD_READ)
                if data:
                    parser.feed(data)
                else:
                    parser.feed_eof()
            seconds = self._loop.time() - began
            content = None
            decoder = decoder_for(parser.head.fields, self._limits.max_ratio)
            if whole:
                content = (
                    parser.take_body() if parser.complete else (yield from self._receive_all())
                )
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
        return response

    @coroutine
    def receive(self) -> Gen[bytes]:
        """Wait for a piece of the body; ``b""`` at its end, and the exchange has ended."""
        parser = self._parser
        data = parser.take_body()
        if data:
            return data
        assert self._timeout is not None
        total = self._timeout.total
        self._ends = math.inf if total is None else self._loop.time() + total
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
        if not self._parser.keep_alive or not (self._sender is None or self._sent()):
            self.close()
            return
        self.free_since = self._loop.time()
        self._hand_over()

    def _hand_over(self) -> None:
        owner, self._owner = self._owner, None
        self._request = None
        if owner is not None:
            owner.give_back(self)

    # Sending.

    def _begin(self, request: Request) -> bytes | None:
        """Return all of a small request; send a large one in a task, and return None."""
        headers = request.headers
        host = None if headers.has(b"host") else request.url.netloc
        data = serialize_head(request.method, request.url.target, host, headers.block())
        content = request.content
        if not content:
            return data
        if len(content) <= _SEND_AT_ONCE:
            return data + content
        self._sender = create_task(self._send_large(data, content), "tulip-http send")
        return None

    @coroutine
    def _send_large(self, head: bytes, content: bytes) -> Gen[None]:
        view = memoryview(content)
        self._set_alarm(WriteTimeout)
        yield from self._transport.send(head)
        for at in range(0, len(view), _SEND_PIECE):
            self._set_alarm(WriteTimeout)
            yield from self._transport.send(view[at : at + _SEND_PIECE])
        self._set_alarm(ReadTimeout)

    @coroutine
    def _answer_after_all(self, error: BrokenError) -> Gen[None]:
        """See whether a server that stopped listening has said why (RFC 9112 section 9.6)."""
        try:
            while self._parser.head is None:
                yield from self._receive_some()
        except (BrokenError, RemoteProtocolError):
            raise error from None

    def _stop_sending(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None and not sender.done():
            sender.cancel()

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
        """Whether the request has gone out; then the sender, if there was one, is let go."""
        sender = self._sender
        if sender is None:
            return True
        if not sender.done() or sender.exception() is not None:
            return False
        self._sender = None
        return True

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
        translated = self._translated(self._root(error))
        if translated is not None:
            self._about(translated)
        self.close()
        if translated is not None and translated is not error:
            raise translated from error

    def _root(self, error: BaseException) -> BaseException:
        """Return the sender's error where there is one: what the receiver saw only followed."""
        sender = self._sender
        if sender is not None and sender.done() and isinstance(error, Exception):
            return sender.exception() or error
        return error

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
        error.safe_to_repeat = self._request is not None and self._request.idempotent

    @override
    def __repr__(self) -> str:
        state = "busy" if self._owner is not None else "free" if self.usable else "closed"
        return f"<Connection to {self.origin} {state} served={self.served}>"
