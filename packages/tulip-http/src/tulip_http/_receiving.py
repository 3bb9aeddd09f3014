"""Receiving one answer after the other over a connection.

The head of an answer, with which most answers have come whole, is received by `Connection.exchange`
itself: a generator in between would cost every request. What takes longer is received here.
"""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Final, final

from tulip_http._errors import RemoteProtocolError, ResponseTooLarge
from tulip_http.bodies._decode import decode_whole
from tulip_http.wire._http1 import ResponseParser
from tulip_net import BrokenError, Gen, coroutine

if TYPE_CHECKING:
    from tulip_http._deadlines import Deadlines
    from tulip_http._limits import Limits
    from tulip_http._request import Request
    from tulip_http._sending import Sending
    from tulip_http.bodies._decode import BodyDecoder
    from tulip_net import Transport

HEAD_READ: Final = 32768
"""Most answers fit; a larger buffer costs more to allocate than a second receive."""
BODY_READ: Final = 262144
"""Twice the socket buffer of a fast loopback transfer; larger ones gain nothing measurable."""


@final
class Receiving:
    """Receives one answer after the other over a connection.

    Args:
        transport: Where from.
        deadlines: Told about each piece.
        sending: Sends what is answered.
        limits: Of heads and bodies.

    Attributes:
        parser: What reads the answers.
        head_fits: A body that came with its head is within the limits: it is no larger than a read.
    """

    __slots__ = ("_deadlines", "_limits", "_sending", "_transport", "head_fits", "parser")

    def __init__(
        self, transport: Transport, deadlines: Deadlines, sending: Sending, limits: Limits
    ) -> None:
        self._transport = transport
        self._deadlines = deadlines
        self._sending = sending
        self._limits = limits
        self.parser = ResponseParser(limits.max_head_bytes, limits.max_head_fields)
        sending.parser = self.parser
        self.head_fits: bool = limits.max_body is None or limits.max_body >= HEAD_READ

    def feed(self, data: bytes, request: Request | None) -> None:
        """Take what has come; ``b""`` is the connection's end.

        Args:
            data: As it came.
            request: Is told the interim answers.
        """
        parser = self.parser
        if not data:
            parser.feed_eof()
            return
        parser.feed(data)
        while parser.interim:
            head = parser.interim.pop(0)
            if head.status == 100:
                self._sending.go_ahead()
            if request is not None:
                request.tell_interim(head)

    @coroutine
    def whole(self, decoder: BodyDecoder | None) -> Gen[bytes]:
        """Wait for the whole body and return it, decoded.

        Raises:
            ResponseTooLarge: It is larger than ``Limits.max_body``.
            DecodingError: It is not in its coding.
        """
        parser, transport = self.parser, self._transport
        deadlines, sending = self._deadlines, self._sending
        limit = self._limits.max_body
        most = math.inf if limit is None else limit
        # Joined in the end, the pieces would be in memory twice; `getvalue` does not copy.
        body = BytesIO()
        size = 0
        chunk = parser.take_body()
        while True:
            body.write(chunk)
            size += len(chunk)
            if size > most or (parser.length or 0) > most:
                raise ResponseTooLarge(
                    f"the body is larger than {most} bytes (max_body): "
                    f"{parser.length or size} bytes, or more"
                )
            if parser.complete:
                data = body.getvalue()
                return data if decoder is None else decode_whole(data, decoder, limit)
            if sending.upload is None or sending.sent():
                deadlines.read_body(deadlines.ends)
            data = yield from transport.recv(BODY_READ)
            if deadlines.paced:
                deadlines.come(len(data))
            chunk = parser.feed_body(data)

    @coroutine
    def answer_after_all(self, request: Request, error: BrokenError) -> Gen[None]:
        """See whether a server that stopped listening has said why (RFC 9112 section 9.6)."""
        try:
            while self.parser.head is None:
                self._deadlines.read()
                self.feed((yield from self._transport.recv(HEAD_READ)), request)
        except (BrokenError, RemoteProtocolError):
            self._deadlines.reading = False
            raise error from None

    @coroutine
    def rest(self) -> Gen[None]:
        """Wait for what is missing, for nobody, so that the connection can be used again."""
        while not self.parser.complete:
            self.parser.feed_body((yield from self._transport.recv(BODY_READ)))
