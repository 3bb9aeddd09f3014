"""HTTP/1.1 on bytes: heads, bodies, their ends, and everything that is not HTTP."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.corpora import ResponseCase, response_cases
from tulip_http._errors import RemoteProtocolError
from tulip_http._headers import Headers
from tulip_http.wire._http1 import ResponseParser
from tulip_http.wire._serialize import serialize_chunk, serialize_head


def parse(pieces: Iterable[bytes], method: str = "GET", *, eof: bool = False) -> ResponseParser:
    parser = ResponseParser()
    parser.start(method)
    body = b""
    for piece in pieces:
        if parser.head is None:
            parser.feed(piece)
            body += parser.take_body()
        else:
            body += parser.feed_body(piece)
    if eof:
        parser.feed_eof() if parser.head is None else parser.feed_body(b"")
    assert parser.take_body() == b""
    parser.chunks.append(body)  # put back, for the tests to look at
    return parser


def outcome(parser: ResponseParser) -> tuple[object, ...]:
    head = parser.head
    assert head is not None
    return (
        head.version,
        head.status,
        head.reason,
        head.fields,
        [interim.status for interim in parser.interim],
        b"".join(parser.chunks),
        parser.trailers,
        parser.complete,
        parser.keep_alive,
    )


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: yes\r\n\r\n"
)
INTERIM = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 150 What\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
)

# Each: the bytes, the method, whether the connection ends, the body, and whether it is kept.
RESPONSES = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", True),
    "length 0": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", b"", True),
    "close": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "GET",
        b"hello",
        False,
    ),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", b"hello", False),
    "1.0 kept": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello",
        "GET",
        b"hello",
        True,
    ),
    "chunked": (
        CHUNKED,
        "GET",
        b"hello!",
        True,
    ),
    "HEAD": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", b"", True),
    "HEAD chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HEAD",
        b"",
        True,
    ),
    "HEAD close": (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", "HEAD", b"", False),
    "HEAD close after a tab": (
        b"HTTP/1.1 200 OK\r\nConnection: x,\tclose\r\n\r\n",
        "HEAD",
        b"",
        False,
    ),
    "HEAD 1.0": (b"HTTP/1.0 200 OK\r\n\r\n", "HEAD", b"", False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b"", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", b"", True),
    "interim": (
        INTERIM,
        "GET",
        b"hi",
        True,
    ),
    "interim before HEAD": (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        "HEAD",
        b"",
        True,
    ),
    "interim 1.0": (
        b"HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "GET",
        b"hi",
        True,
    ),
    "interim close": (
        b"HTTP/1.1 103 X\r\nConnection: close\r\n\r\nHTTP/1.1 204 Y\r\n\r\n",
        "GET",
        b"",
        True,
    ),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", b"hello", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "GET", b"hi", True),
    "leading line end": (
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "GET",
        b"hi",
        True,
    ),
    "empty values": (
        b"HTTP/1.1 200 OK\r\nA:\r\nB: \t\r\nContent-Length: 2\r\n\r\nhi",
        "GET",
        b"hi",
        True,
    ),
}
UNTIL_THE_END = {
    "no length": b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello",
    "1.0": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello",
    "chunked not last": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\nhello",
    "identity": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello",
}


@pytest.mark.parametrize("data, method, body, kept", RESPONSES.values(), ids=RESPONSES)
class TestResponse:
    def test_at_once(self, data: bytes, method: str, body: bytes, kept: bool) -> None:
        parser = parse([data], method)
        assert parser.complete
        assert b"".join(parser.chunks) == body
        assert parser.keep_alive == kept

    def test_split_anywhere(self, data: bytes, method: str, body: bytes, kept: bool) -> None:
        whole = outcome(parse([data], method))
        for at in range(1, len(data)):
            assert outcome(parse([data[:at], data[at:]], method)) == whole, at
        assert outcome(parse([data[i : i + 1] for i in range(len(data))], method)) == whole

    def test_cut_anywhere(self, data: bytes, method: str, body: bytes, kept: bool) -> None:
        """Wherever the connection ends, it is an error that says so, never a short answer."""
        for at in range(len(data)):
            with pytest.raises(RemoteProtocolError, match=r"was closed|cut short") as caught:
                parse([data[:at]] if at else [], method, eof=True)
            assert ("without an answer" in str(caught.value)) == (at == 0)

    def test_what_comes_after_the_end_spoils_the_connection_only(
        self, data: bytes, method: str, body: bytes, kept: bool
    ) -> None:
        whole = outcome(parse([data], method))[:-1]
        for more in (b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfoo", b"\0"):
            for at in range(len(data) + 1):  # with any part of the answer, or by itself
                parser = parse(filter(None, [data[:at], data[at:] + more]), method)
                assert outcome(parser)[:-1] == whole
                assert not parser.keep_alive, at

    def test_one_after_the_other(self, data: bytes, method: str, body: bytes, kept: bool) -> None:
        parser = ResponseParser()
        for _ in range(3):
            parser.start(method)
            for at in range(0, len(data), 7):
                parser.feed(data[at : at + 7])
            assert parser.complete
            assert parser.take_body() == body


@pytest.mark.parametrize("data", UNTIL_THE_END.values(), ids=UNTIL_THE_END)
def test_a_body_until_the_end(data: bytes) -> None:
    for at in range(1, len(data) + 1):
        parser = parse(filter(None, [data[:at], data[at:]]))
        assert outcome(parser)[-4:] == (b"hello", [], False, False)
        parser.feed_eof()
        assert outcome(parser)[-4:] == (b"hello", [], True, False)


def test_trailers_are_kept_apart_from_the_head() -> None:
    parser = parse([CHUNKED])
    assert parser.trailers == [(b"Trailer", b"yes")]


def test_a_version_that_changes_after_an_interim_answer() -> None:
    parser = parse([b"HTTP/1.1 100 x\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"])
    assert parser.head is not None
    assert parser.head.version == "HTTP/1.0"


def test_switching_protocols_hands_over_the_rest() -> None:
    data = b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nother protocol"
    for at in range(1, len(data)):
        parser = ResponseParser()
        rest = b""
        parser.feed(data[:at])
        rest += parser.take_body()
        if parser.complete:
            rest += data[at:]
        else:
            parser.feed(data[at:])
            rest += parser.take_body()
        assert parser.complete
        assert parser.upgraded
        assert not parser.keep_alive
        assert rest == b"other protocol"


def test_a_tunnel_hands_over_the_rest() -> None:
    parser = ResponseParser()
    parser.start("CONNECT")
    parser.feed(b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03")
    assert parser.complete
    assert parser.upgraded
    assert parser.take_body() == b"\x16\x03"


NOT_HTTP = {
    b"HTP/1.1 200 OK\r\n\r\n": r"status line b'HTP/1.1 200 OK' is not HTTP/1",
    b"garbage\r\n\r\n": r"status line b'garbage' is not HTTP/1",
    b"HTTP/1.1 20x OK\r\n\r\n": r"status line b'HTTP/1.1 20x OK'",
    b"HTTP/1.1 2000 OK\r\n\r\n": r"status line b'HTTP/1.1 2000 OK'",
    b"HTTP/1.1  200 OK\r\n\r\n": r"status line b'HTTP/1.1  200 OK'",
    b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n": r"b'HTTP/2.0 200 OK'",
    b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n": r"b'RTSP/1.0 200 OK' is not HTTP/1",
    b"ICE/1.0 200 OK\r\n\r\n": r"b'ICE/1.0 200 OK' is not HTTP/1",
    b"\x15\x03\x01\x00\x02\x02\x16": r"speaks TLS, .*: b'\\x15\\x03\\x01",
    b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n": r"header line b'no colon here' has no colon",
    b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n": r"header name b'A ' is not a token",
    b"HTTP/1.1 200 OK\r\n folded\r\n\r\n": r"b' folded' continues the line before it",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n": r"Content-Length b'' is not a length",
    b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n": r"header b'A: b\\x00c' contains a control",
    b"HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n": r"header b'A: b\\rB: c' contains a control",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n": r"Content-Length b'-5' is not a length",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n": r"Content-Length b'\+5' is not a length",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n": r"Content-Length b'5, 6'",
    b"HTTP/1.1 200 OK\r\nContent-Length: x, x\r\n\r\n": r"Content-Length b'x'",
    b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n": r"Content-Length b'' is not a length",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n": (
        r"Content-Length is given 2 times: b'5, 6'"
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": (
        r"Content-Length b'5' conflicts with Transfer-Encoding"
    ),
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n": r"overflow",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello": r"chunk size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello": r"chunk size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n": r"overflow",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n": r"chunk",
}


@pytest.mark.parametrize("data", NOT_HTTP)
def test_what_is_not_http_is_named(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=NOT_HTTP[data]):
        parse([data])
    # Byte by byte it is refused as early as possible, so the line may be shorter in the message.
    with pytest.raises(RemoteProtocolError):
        parse(data[i : i + 1] for i in range(len(data)))


MENDED = {
    b"A: b\r\n c\r\n\t  d \r\n": [("A", "b c d")],
    b"A: b\n c\n": [("A", "b c")],
    b"A:\r\n b\r\n": [("A", "b")],
    b"A: b\r\n \r\nB: c\r\n": [("A", "b"), ("B", "c")],
    b"Content-Length: 2\r\nA: b\r\ncontent-length:2\r\n": [("A", "b")],
    b"Content-Length: 2 , 2\r\nContent-Length: 2\r\n": [],
    b"Content-Length: 2,2\r\nA: b\r\n c\r\n": [("A", "b c")],
}


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n"])
@pytest.mark.parametrize("fields", MENDED)
def test_what_leaves_no_doubt_is_mended(fields: bytes, early: bytes) -> None:
    """RFC 9112 section 5.2 (folded lines), RFC 9110 section 8.6 (the same length again)."""
    length = b"" if b"ength" in fields else b"Content-Length: 2\r\n"
    data = early + b"HTTP/1.1 200 OK\r\n" + fields + length + b"\r\nhi"
    for end in range(len(data)):
        for pieces in ([data[:end], data[end:]], [data[i : i + 1] for i in range(len(data))]):
            parser = ResponseParser()
            for turn in range(2):  # the second answer on the connection fares no worse
                body = b""
                parser.start("GET")
                for piece in filter(None, pieces):
                    parser.feed(piece)
                    body += parser.take_body()
                assert parser.head is not None, (pieces, turn)
                found = Headers.from_wire(parser.head.fields)
                assert found.pop("content-length") == "2"
                assert found.multi_items() == MENDED[fields]
                assert (parser.complete, parser.keep_alive, body) == (True, True, b"hi")
                assert len(parser.interim) == (2 if early else 0)


@pytest.mark.parametrize("fields", [b"A: b\r\n c\r\nD\0: e\r\n", b"A: b\r\n c\0\r\n"])
def test_mending_does_not_let_through_what_else_is_wrong(fields: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse([b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"])


def test_what_may_be_mended_is_bounded_and_may_be_cut_short() -> None:
    parser = ResponseParser()
    parser.feed(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n")
    with pytest.raises(RemoteProtocolError, match="closed inside the response head"):
        parser.feed_eof()
    for _ in range(65):
        parser.feed(b" x" * 500)
    with pytest.raises(RemoteProtocolError, match="larger than 65536 bytes"):
        parser.feed(b" x" * 500)


ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"x" * 100),
    "a header value": (b"HTTP/1.1 200 OK\r\nA: ", b"x" * 100),
    "a header name": (b"HTTP/1.1 200 OK\r\n", b"x" * 100),
    "header fields": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 100),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
    "line ends": (b"", b"\r\n" * 100),
    "trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"a: " + b"x" * 500 + b"\r\n",
    ),
    "a trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
        b"x" * 100,
    ),
    "a chunk extension": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 100,
    ),
}


@pytest.mark.parametrize("begin, more", ENDLESS.values(), ids=ENDLESS)
def test_endless_things_end(begin: bytes, more: bytes) -> None:
    parser = ResponseParser()
    fed = 0
    if begin:
        parser.feed(begin)
    while fed + len(more) < 65_400 - len(begin):
        parser.feed(more)
        fed += len(more)
    with pytest.raises(RemoteProtocolError, match=r"larger than 65536 bytes"):
        parser.feed(more * 3)


def test_the_number_of_fields_is_limited() -> None:
    fields = b"a: b\r\n" * 257
    with pytest.raises(RemoteProtocolError, match="over 256 header fields"):
        parse([b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n"])


# What we do on purpose where llhttp by itself does otherwise.
REFUSED = {
    "sample: RTSP response",
    "sample: ICE response",
    "sample: HTTP version 0.9",
    # Codings that nobody asked for: what comes is not the content (RFC 9110 section 10.1.4).
    "transfer-encoding: `chunked` before other transfer-encoding",
    "transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding",
}
ACCEPTED = {
    # RFC 9112 section 2.2: a lone LF may end a line.
    "invalid: Only LFs present and no body",
    "invalid: Only LFs present",
    "sample: No carriage ret",
    # Old servers pad their chunks' sizes (docs/odd-responses.md).
    "transfer-encoding: Trailing space on chunked body",
}


def test_llhttp_cases() -> None:
    """llhttp's own cases, with the few differences that are deliberate."""
    checked = set()
    for case in response_cases():
        if case.options == {"type": "response"}:
            check(case)
            checked.add(case.title)
    assert len(checked) > 40
    assert checked >= REFUSED | ACCEPTED


def check(case: ResponseCase) -> None:
    first, complete, _ = case.log.partition("message complete")
    refused = "error code" in first or case.title in REFUSED
    if refused and case.title not in ACCEPTED:
        with pytest.raises(RemoteProtocolError):
            parse([case.data])
        return
    parser = parse([case.data])
    status = re.search(r"headers complete status=(\d+)", first)
    if status is not None:
        heads = [*parser.interim, parser.head]
        assert heads[0] is not None
        assert heads[0].status == int(status[1]), case.title
    if complete and not parser.interim:
        assert parser.complete, case.title
    spans = re.findall(r'span\[body\]="(.*)"', first)
    body: bytes = b"".join(parser.chunks)
    for span in spans:
        assert span.encode() in body.replace(b"\\n\\", b""), case.title


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.sampled_from(["GET", "HEAD"]))
def test_arbitrary_bytes_never_do_worse_than_an_error(pieces: list[bytes], method: str) -> None:
    try:
        parser = parse([b"HTTP/1.1 200 OK\r\n", *pieces], method)
        parser.feed_eof()
    except RemoteProtocolError:
        return
    assert parser.complete


def test_serializes_a_head() -> None:
    assert serialize_head("GET", "/a?b", "h:81", b"A: b\r\n") == (
        b"GET /a?b HTTP/1.1\r\nHost: h:81\r\nA: b\r\n\r\n"
    )
    assert serialize_head("GET", "/", None, b"Host: x\r\n") == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert serialize_chunk(b"x" * 18) == b"12\r\n" + b"x" * 18 + b"\r\n"
