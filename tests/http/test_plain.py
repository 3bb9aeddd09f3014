"""What is read at one go is what llhttp with all its callbacks reads, or is left to that."""

from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.http.corpora import response_cases
from tests.http.odd_responses import TABLE
from tests.http.test_wire import RESPONSES, UNTIL_THE_END
from tulip_http._errors import RemoteProtocolError
from tulip_http.wire._http1 import ResponseParser
from tulip_http.wire._plain import PlainReader

OK = b"HTTP/1.1 200 OK\r\n"
HI = b"Content-Length: 2\r\n\r\nhi"


def closely() -> ResponseParser:
    """Return a parser that takes nothing for plain: llhttp calls back for each field."""
    parser = ResponseParser()
    parser._plain = None
    return parser


def seen(parser: ResponseParser, pieces: Iterable[bytes]) -> tuple[object, ...]:
    """Return all that can be seen of what a parser made of these pieces, and then of the end."""
    body = b""
    try:
        for piece in pieces:
            parser.feed(piece)
            body += parser.take_body()
        ended = parser.complete
        kept = parser.keep_alive
        parser.feed_eof()
    except RemoteProtocolError as error:
        return ("refused", str(error))
    head = parser.head
    assert head is not None
    return (
        (head.version, head.status, head.reason, head.fields, head.trailers),
        (head.codings(), head.options(), head.persists(), head.kept_for()),
        [(interim.status, interim.fields) for interim in parser.interim],
        (body, parser.trailers, ended, kept, parser.complete, parser.upgraded),
    )


def check_agreement(data: bytes, method: str = "GET") -> None:
    """Compare at one go, and cut in two at the places where something may depend on it."""
    head = data.find(b"\r\n\r\n") + 4
    for at in {len(data), head, head + 1, len(data) - 1}:
        pieces = [piece for piece in (data[:at], data[at:]) if piece]
        quick, close = ResponseParser(), closely()
        quick.start(method)
        close.start(method)
        assert seen(quick, pieces) == seen(close, pieces), (at, data)


def is_plain(data: bytes) -> bool:
    return PlainReader(lambda _: None, 65536, 256).read(data) is not None


def test_the_tables_of_responses() -> None:
    for data, method, _, _ in RESPONSES.values():
        check_agreement(data, method)
    for data in UNTIL_THE_END.values():
        check_agreement(data)
    for odd in TABLE:
        check_agreement(odd.data, odd.method)


def test_llhttp_cases() -> None:
    cases = response_cases()
    for case in cases:
        check_agreement(case.data)
    assert len(cases) > 40


PLAIN = {
    "length": OK + HI,
    "part of the body": OK + b"Content-Length: 99\r\n\r\nhi",
    "until the end": OK + b"A: b\r\n\r\nhi",
    "no body": b"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
    "lower case": b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
    "encoded": OK + b"content-ENCODING: gzip\r\n" + HI,
    "some bare LF": OK + b"A: b\nC: d\r\n" + HI,
}
NOT_PLAIN = {
    "part of the head": OK + b"Content-Length: 2\r\n",
    "1.0": b"HTTP/1.0 200 OK\r\n" + HI,
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + HI,
    "interim alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi",
    "excess": OK + HI + OK,
    "empty line first": b"\r\n" + OK + HI,
    "only bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "too many fields": OK + b"a: b\r\n" * 256 + HI,
    "too large a head": OK + b"A: " + b"b" * 65536 + b"\r\n" + HI,
    "refused": OK + b"Content-Length: 3\r\n" + HI,
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_what_is_plain(data: bytes) -> None:
    assert is_plain(data)
    check_agreement(data)


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain(data: bytes) -> None:
    assert not is_plain(data)
    check_agreement(data)


def test_a_head_ends_at_its_own_empty_line() -> None:
    """A body that looks like a head's end does not make the head longer."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 11\n\nA: b\r\n\r\nXYZ"
    assert is_plain(data)
    check_agreement(data)
    parser = ResponseParser()
    parser.feed(data)
    assert parser.head is not None
    assert parser.head.fields == [(b"Content-Length", b"11")]
    assert parser.take_body() == b"A: b\r\n\r\nXYZ"


# Pieces of heads that mean something to somebody, in every order, whole and garbled.
NAMES = st.sampled_from(
    b"Content-Length|content-length|CONTENT-LENGTH|Content-Encoding|Connection|Keep-Alive|"
    b"Transfer-Encoding|Upgrade|Proxy-Connection|A|!#$|".split(b"|")
)
VALUES = st.sampled_from(
    b"0|2|02|2 |+2|2, 2|99|gzip|identity|close|Keep-Alive|upgrade|chunked|gzip, chunked|"
    b"timeout=5|| \t|\xff\xfe|a:b|\0|\x7f|\x0b|a\rb|x\r\n folded|close\r".split(b"|")
)
COLONS = st.sampled_from([b": ", b":", b":\t ", b" :", b""])
LINE_ENDS = st.sampled_from([*[b"\r\n"] * 6, b"\n", b"\r", b"\r\r\n", b""])
FIELDS = st.lists(st.tuples(NAMES, COLONS, VALUES, LINE_ENDS).map(b"".join), max_size=5)
STATUS_LINES = st.sampled_from(
    b"HTTP/1.1 200 OK\r\n|HTTP/1.1 200 OK\r\n|HTTP/1.1 200 OK\r\n|HTTP/1.1 204 \r\n|"
    b"HTTP/1.1 304 x\r\n|HTTP/1.1 200\r\n|HTTP/1.1 404  a \xe9\r\n|HTTP/1.0 200 OK\r\n|"
    b"HTTP/1.1 200 OK\n|HTTP/1.1 101 x\r\n|HTTP/1.1 20 x\r\n|HTTP/1.1 1000 x\r\n|"
    b"http/1.1 200 OK\r\n|HTTP/1.1 200 O\rK\r\n|HTTP/1.1 099 x\r\n".split(b"|")
)
BODIES = st.sampled_from(
    b"|hi|h|hi\r\n|hi\r\n\r\n|2\r\nhi\r\n0\r\n\r\n|0\r\nT: x\r\n\r\n|A: b\r\n\r\nhi|\n|\0|"
    b"HTTP/1.1 200 OK\r\n|hiHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".split(b"|")
)
ENDS = st.sampled_from([*[b"\r\n"] * 6, b"\n", b"", b"\r\n\r\n"])
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "CONNECT", "POST"])


@settings(max_examples=500)
@given(STATUS_LINES, FIELDS, ENDS, BODIES, METHODS)
@example(OK, [b"Content-Length: 2\n"], b"\n", b"A: b\r\n\r\nhi", "GET")
def test_heads_of_meaningful_pieces(
    line: bytes, fields: list[bytes], end: bytes, body: bytes, method: str
) -> None:
    check_agreement(line + b"".join(fields) + end + body, method)


@settings(max_examples=300)
@given(st.data())
def test_garbled_responses(data: st.DataObject) -> None:
    """A valid response with a few bytes changed, lost or added."""
    good = OK + b"Server: x\r\nConnection: keep-alive\r\nContent-Encoding: gzip\r\n" + HI
    garbled = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(garbled) - 1))
        garbled[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    check_agreement(bytes(garbled))


def test_one_response_leaves_nothing_to_the_next() -> None:
    """Plain and not, complete and abandoned, in any order on one connection."""
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n\r\n"
    parser = ResponseParser()
    heads = []
    for data in (OK + HI, chunked, OK + HI, NOT_PLAIN["interim"], OK + HI, chunked, OK + HI):
        parser.start("GET")
        parser.feed(data)
        assert parser.complete
        assert parser.keep_alive
        assert parser.take_body() == b"hi"
        assert parser.head is not None
        heads.append(parser.head)
        assert parser.trailers == ([(b"T", b"x")] if data == chunked else [])
    assert [len(head.trailers) for head in heads] == [0, 1, 0, 0, 0, 1, 0]


def test_a_body_in_two_pieces_leaves_a_reader_that_works() -> None:
    parser = ResponseParser()
    for _ in range(3):
        parser.start("GET")
        for piece in (OK + b"Content-Length: 6\r\n\r\nabc", b"def"):
            assert not parser.complete
            parser.feed(piece)
        assert parser.complete
        assert parser.keep_alive
        assert parser.take_body() == b"abcdef"
    assert parser._plain is not None


def test_the_fields_are_asked_for_late() -> None:
    """A head that nobody looks into is not taken apart; what it says does not depend on when."""
    parser = ResponseParser()
    parser.feed(OK + b"A: b \r\nC:\r\n" + HI)
    head = parser.head
    assert head is not None
    assert head.codings() == []
    assert head._fields is None
    assert head.reason == b"OK"
    assert head.fields == [(b"A", b"b "), (b"C", b""), (b"Content-Length", b"2")]
    assert head.values(b"a") == [b"b "]
