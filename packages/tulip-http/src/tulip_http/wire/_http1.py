"""HTTP/1.1 on the client's side, without I/O: bytes become a response.

The rules of this file:

- llhttp (through `httptools`) reads heads and chunks. It cannot be told that a response has no body
  (HEAD), and has no call for the end of input; `ResponseParser` decides both.
- A response whose first bytes are plain is read by `PlainReader`, at a third of the cost. What that
  does not take is read here from its first byte on, as if nobody had looked at it before.
- A body that is delimited by its length or by the end of the connection needs no parser: once the
  head and whatever came with it are read, llhttp is left out and the bytes go straight through.
- No more than `max_head` bytes may pass without either a complete head or a byte of body: that one
  rule bounds heads, trailers, chunk extensions, and endless interim answers.
- A parser that refused something, or was left out, is in an unknown state and is replaced before
  the next response.

Source: RFC 9112; RFC 9110 section 15.2 (interim responses), 6.4.1 (responses without a body).
"""

from __future__ import annotations

import sys
from typing import Final, final

import httptools

from tulip_http._errors import RemoteProtocolError
from tulip_http.wire._explain import explain
from tulip_http.wire._head import WITHOUT_BODY, Fields, ResponseHead, is_usual
from tulip_http.wire._mend import ends, mend
from tulip_http.wire._plain import PlainReader, make_llhttp

# 64 KiB of head, like the limit of curl per line and of several servers for a whole head; 256
# fields. The widest heads in the wild are far below: about 100 fields.
MAX_HEAD_BYTES: Final = 65536
MAX_HEAD_FIELDS: Final = 256


class _Excess(Exception):  # noqa: N818 - a signal, not an error
    """Raised inside a callback to stop llhttp where a second response begins."""


@final
class ResponseParser:
    """Read one response after the other from the bytes of a connection.

    Call `start` for each request, then `feed` what the connection gives and `feed_eof` at its end,
    until `complete`; in between, `head` appears and `take_body` gives what has come of the body.

    Attributes:
        head: The final response's head, None until it is complete.
        interim: Heads of the interim (1xx) responses before it, in order.
        trailers: Fields after a chunked body.
        started: A byte of an answer has come.
        chunks: What has come of the body; `take_body` takes it.
        complete: The response has ended.
        keep_alive: It has ended so that another may follow on the connection.
        length: Of a body that is delimited by it and came in more than one piece.
        upgraded: The bytes after the head (`take_body`) belong to another protocol: the answer was
            101, or 2xx to CONNECT.
    """

    __slots__ = (
        "_fields",
        "_left",
        "_llhttp",
        "_looked_closely",
        "_max_fields",
        "_max_head",
        "_method",
        "_plain",
        "_quiet",
        "_raw",
        "_reason",
        "_refusal",
        "chunks",
        "complete",
        "head",
        "interim",
        "keep_alive",
        "length",
        "on_body",
        "started",
        "trailers",
        "upgraded",
    )

    def __init__(self, max_head: int = MAX_HEAD_BYTES, max_fields: int = MAX_HEAD_FIELDS) -> None:
        self._max_head = max_head
        self._max_fields = max_fields
        self._llhttp: httptools.HttpResponseParser | None = None
        # llhttp's callback for the body is this list's own append: no frame of ours in between.
        self.chunks: list[bytes] = []
        self.on_body = self.chunks.append
        # None once it has met what was not plain: the next answer will most likely not be either.
        self._plain: PlainReader | None = PlainReader(self.on_body, max_head, max_fields)
        self.keep_alive = False
        self._looked_closely = True
        self.start("GET")

    def start(self, method: str) -> None:
        """Expect the response to a request with this method."""
        if not self.keep_alive:
            self._llhttp = None
        self._method = method
        self.head: ResponseHead | None = None
        self.started = self.complete = self.keep_alive = self.upgraded = False
        self.length: int | None = None  # of a body whose end we find without llhttp
        self._left = 0  # bytes of it; as long as llhttp has the word, and at the end, none
        if self._looked_closely:
            self._looked_closely = False
            self._begin_closely()

    def _begin_closely(self) -> None:
        """Begin anew with what a plain response leaves untouched."""
        self.interim: list[ResponseHead] = []
        self.trailers: Fields = []
        self._raw = b""  # the head so far, to explain what is wrong with it
        self._reason = b""
        self._fields: Fields = []
        self._quiet = 0  # bytes since the last progress
        self._refusal: httptools.HttpParserError | None = None  # of a head that may be mended

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection.

        Args:
            data: At least one byte. Bytes after the end of the response are dropped, and spoil
                `keep_alive`: nobody asked for them.

        Raises:
            RemoteProtocolError: It is not HTTP/1, or beyond the limits; the message says where.
        """
        if self.complete:
            self.keep_alive = False
            return
        if self._left:
            self._feed_direct(data)
            return
        if not self.started:
            self.started = True
            if self._plain is not None and self._feed_plain(self._plain, data):
                return
            self._looked_closely = True
            self._begin_closely()
        self._feed_closely(data)

    def feed_body(self, data: bytes) -> bytes:
        """Take what came after the head, and return what it has of the body, which may be nothing.

        Args:
            data: As it came; ``b""`` is the connection's end. `take_body` has what came before.

        Raises:
            RemoteProtocolError: As `feed` and `feed_eof`.
        """
        size = len(data)
        if 0 < size < self._left:  # nearly every piece of a long body
            self._left -= size
            return data
        if data:
            self.feed(data)
        else:
            self.feed_eof()
        return self.take_body()

    def feed_eof(self) -> None:
        """Take note that the connection has ended.

        Raises:
            RemoteProtocolError: It ended inside the response, or before it.
        """
        head = self.head
        if self.complete:
            self.keep_alive = False
        elif head is None:
            received = len(self._raw)
            raise RemoteProtocolError(
                f"the connection was closed inside the response head, after {received} bytes"
                if self.started
                else "the connection was closed without an answer"
            )
        elif self.length is not None:
            raise RemoteProtocolError(
                f"the body was cut short: {self.length - self._left} of {self.length} bytes came"
            )
        elif not self._left:
            raise RemoteProtocolError("the chunked body was cut short before its last chunk")
        else:
            self.complete = True
            self._left = 0

    def missing(self) -> int | None:
        """Return how many bytes are to come, None where nobody knows or nothing may follow them."""
        head = self.head
        if head is None or self.upgraded:
            return None
        if self.complete:
            return 0 if self.keep_alive else None
        if self.length is None or not head.persists():
            return None
        return self._left

    def take_body(self) -> bytes:
        """Return what has come of the body since the last call; ``b""`` where nothing has."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return data

    # llhttp's callbacks. It finds them by name.

    def on_message_begin(self) -> None:
        """Stop where a second response begins."""
        if self.complete:
            raise _Excess

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase, which may come in pieces."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field, or a trailer field once the head is complete."""
        (self._fields if self.head is None else self.trailers).append((name, value))

    def on_headers_complete(self) -> None:
        """Make the head, and decide whether a body follows."""
        assert self._llhttp is not None
        status = self._llhttp.get_status_code()
        head = ResponseHead(
            self._version(), status, None, self._reason, self._fields, self.trailers
        )
        if 100 <= status < 200 and status != 101:
            self.interim.append(head)
            self._reason, self._fields = b"", []
            return
        self.head = head
        tunnel = self._method == "CONNECT" and 200 <= status < 300
        # 101 ends the head of a HEAD as it does another's: what comes now is another protocol.
        if (self._method == "HEAD" and status != 101) or tunnel:
            self.complete = True
            self.upgraded = tunnel
            self.keep_alive = not tunnel and head.persists()

    def on_message_complete(self) -> None:
        """Note the end, of an interim response or of the final one."""
        if self.head is not None and not self.complete:
            assert self._llhttp is not None
            self.complete = True
            self.upgraded = self.head.status == 101
            self.keep_alive = self._llhttp.should_keep_alive() and not self.upgraded

    # What happens around llhttp.

    def _feed_plain(self, plain: PlainReader, data: bytes) -> bool:
        """Take the first bytes of a response, if they are plain; say whether they were."""
        if self._method in WITHOUT_BODY:
            return False
        head = plain.read(data)
        if head is not None:
            self.head = head
            if plain.complete:
                self.complete = True
                self.keep_alive = plain.keep_alive
                return True
            self._leave_llhttp_out(head)
            if self._left:
                return True
            self.head = None
        self.chunks.clear()
        self._plain = None
        return False

    def _feed_closely(self, data: bytes) -> None:
        fresh = self.head is None
        if fresh:
            self._raw = self._raw + data if self._raw else data
        self._feed_llhttp(data)
        if fresh and self.head is not None:
            self._check_head(self.head)
        if not self._ended():
            self._check_progress(len(data))
            if fresh and self.head is not None:
                self._leave_llhttp_out(self.head)

    def _version(self) -> str:
        if self._raw.startswith(b"HTTP/1.1 ") and not self.interim:
            return "HTTP/1.1"
        assert self._llhttp is not None
        return "HTTP/" + self._llhttp.get_http_version()

    def _feed_llhttp(self, data: bytes) -> None:
        if self._llhttp is None:
            if self._refusal is not None:  # of a head that was not complete
                if ends(self._raw, len(data)):
                    self._mend(self._refusal)
                return
            self._llhttp = make_llhttp(self)
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._llhttp = None
            rest = data[upgrade.args[0] :]
            if rest:
                self.chunks.append(rest)
        except httptools.HttpParserError as error:
            # After the end it is only the rest that is not HTTP, and the response is good.
            self._llhttp = None
            if self.complete:
                self.keep_alive = False
            elif self.head is not None or self._refusal is not None:
                raise self._refused(error) from error
            else:
                self._refusal = error
                self._mend(error)

    def _mend(self, refusal: httptools.HttpParserError) -> None:
        """Read the head again, mended; wait for the rest of it; or let the refusal stand."""
        mended = mend(self._raw)
        if mended is None:
            raise self._refused(refusal) from refusal
        if mended:
            self._raw, self._reason, self._fields = mended, b"", []
            self._llhttp = make_llhttp(self)
            self._feed_llhttp(mended)
            self._refusal = None

    def _refused(self, error: httptools.HttpParserError) -> RemoteProtocolError:
        return RemoteProtocolError(explain(self._raw if self.head is None else b"", str(error)))

    def _check_head(self, head: ResponseHead) -> None:
        raw, self._raw = self._raw, b""
        self._check_count(head.fields)
        # What follows the head came with it, perhaps, so the length of all says little.
        if len(raw) > self._max_head and self._size(head) > self._max_head:
            raise RemoteProtocolError(f"the response's head is larger than {self._max_head} bytes")
        # llhttp also reads RTSP/ and ICE/, and versions that never had this form on the wire.
        if not raw.startswith(b"HTTP/1.") and not raw.lstrip(b"\r\n").startswith(b"HTTP/1."):
            raise RemoteProtocolError(explain(raw, "Expected HTTP/1.0 or HTTP/1.1"))
        if head.status < 100 or not is_usual(raw):
            head.check(self._method)
        # RFC 9110 section 7.8; without it llhttp does not say where the other protocol begins.
        if head.status == 101 and b"upgrade" not in head.options():
            raise RemoteProtocolError("status 101 without Connection: upgrade switches to nothing")

    @staticmethod
    def _size(head: ResponseHead) -> int:
        return sum(len(name) + len(value) + 4 for name, value in head.fields)

    def _check_count(self, fields: Fields) -> None:
        if len(fields) > self._max_fields:
            raise RemoteProtocolError(f"the response has over {self._max_fields} header fields")

    def _ended(self) -> bool:
        """Say whether the response is complete, and drop what llhttp takes for a body of HEAD."""
        if self.complete and self._method == "HEAD" and not self.upgraded:
            self._llhttp = None  # it still waits for a body
            self.keep_alive = self.keep_alive and not self.chunks
            self.chunks.clear()
        return self.complete

    def _check_progress(self, count: int) -> None:
        self._check_count(self.trailers)
        self._quiet = 0 if self.chunks else self._quiet + count
        if self._quiet > self._max_head:
            what = "head" if self.head is None else "part between two pieces of body"
            raise RemoteProtocolError(
                f"the response's {what} is larger than {self._max_head} bytes"
            )

    def _leave_llhttp_out(self, head: ResponseHead) -> None:
        """Find the end of the body from now on without llhttp, if that can be."""
        if codings := head.transfer_codings():
            # chunked last: llhttp goes on. Anything else lasts until the end of the connection.
            self._left = 0 if codings[-1] == b"chunked" else sys.maxsize
            if self._left:  # else it was checked, or will be
                head.check(self._method)
        elif lengths := head.values(b"content-length"):
            self.length = int(lengths[0])
            self._left = self.length - sum(map(len, self.chunks))
        else:
            self._left = sys.maxsize
        if self._left:
            self._llhttp = None

    def _feed_direct(self, data: bytes) -> None:
        size, left = len(data), self._left
        if size >= left:
            assert self.head is not None
            self.complete = True
            self.keep_alive = size == left and self.head.persists()
            data = data[:left]
        self._left -= len(data)
        self.chunks.append(data)
