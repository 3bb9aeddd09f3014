"""Odd and hostile responses: what we do with each, and why.

One table, read by `test_odd_responses` and shown by docs/odd-responses.md, which
``python -m tests.http.odd_responses > docs/odd-responses.md`` writes.

The line: lenient where RFC 9112 lets a client be and curl and browsers are; strict where leniency
would let one message be taken for two.
"""

import sys
from typing import NamedTuple

from tests.http.odd_elsewhere import OTHERS

OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n\r\nhi"


class Odd(NamedTuple):
    """One response.

    Attributes:
        title: What is odd about it.
        data: What the server sends. A long one is built, not written out.
        body: What the caller gets of it; None: `RemoteProtocolError`.
        why: The reason for either.
        kept: The connection is used again.
        closes: The server closes the connection after it.
        early: It comes before the request.
        method: Of the request.
    """

    title: str
    data: bytes
    body: bytes | None
    why: str
    kept: bool = False
    closes: bool = False
    method: str = "GET"
    early: bool = False


TABLE: tuple[Odd, ...] = (
    # Lines.
    Odd("as it should be", OK + TWO, b"hi", "the measure of the rest", kept=True),
    Odd(
        "bare LF ends the lines of the head",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        b"hi",
        "RFC 9112 section 2.2 allows it; curl and browsers do it",
        kept=True,
    ),
    Odd(
        "bare LF ends the line of a chunk's size",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
        None,
        "a wrong guess would move the end of the body (RFC 9112 section 7.1)",
    ),
    Odd("bare CR in a value", OK + b"A: b\rC: d\r\n" + TWO, None, "some would end the line there"),
    Odd("NUL in a value", OK + b"A: b\0c\r\n" + TWO, None, "some would end the value there"),
    Odd("control character in a value", OK + b"A: b\1c\r\n" + TWO, None, "RFC 9110 section 5.5"),
    Odd("empty line before the status line", b"\r\n" + OK + TWO, b"hi", "harmless", kept=True),
    # Status lines.
    Odd("no reason", b"HTTP/1.1 200\r\n" + TWO, b"hi", "RFC 9112 section 4 allows it", kept=True),
    Odd(
        "reason in UTF-8", b"HTTP/1.1 200 \xc3\xbc\r\n" + TWO, b"hi", "it means nothing", kept=True
    ),
    Odd("HTTP/1.0", b"HTTP/1.0 200 OK\r\n" + TWO, b"hi", "not kept: that is the rule of 1.0"),
    Odd(
        "HTTP/1.0 that is kept",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + TWO,
        b"hi",
        "old proxies do this",
        kept=True,
    ),
    Odd("HTTP/2.0 on the status line", b"HTTP/2.0 200 OK\r\n" + TWO, None, "it never looks so"),
    Odd("HTTP/0.9: only a body", b"<p>hello</p>\n", None, "any bytes at all would be an answer"),
    Odd("another protocol", b"220 mail.example ESMTP\r\n", None, "a wrong port"),
    Odd("two digits of status", b"HTTP/1.1 20 OK\r\n" + TWO, None, "not HTTP"),
    Odd("status 099", b"HTTP/1.1 099 OK\r\n" + TWO, None, "no class of status: section 15"),
    Odd("four digits of status", b"HTTP/1.1 2000 OK\r\n" + TWO, None, "not HTTP"),
    Odd("lower case", b"http/1.1 200 OK\r\n" + TWO, None, "not HTTP"),
    Odd(
        "interim answers",
        b"HTTP/1.1 103 E\r\n\r\n" * 3 + OK + TWO,
        b"hi",
        "section 15.2",
        kept=True,
    ),
    Odd("endless interim answers", b"HTTP/1.1 100 C\r\n\r\n" * 9000, None, "over 64 KiB of head"),
    Odd("101 that nobody asked for", b"HTTP/1.1 101 S\r\n\r\n", None, "what follows is not HTTP"),
    # Header fields.
    Odd(
        "folded header",
        OK + b"A: b\r\n c\r\n" + TWO,
        b"hi",
        "one space: section 5.2 tells clients so, and curl and browsers do it",
        kept=True,
    ),
    Odd(
        "folded length",
        OK + b"Content-Length:\r\n 2\r\n\r\nhi",
        None,
        "some read the line alone, and another body",
    ),
    Odd(
        "folded coding",
        OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        None,
        "the same",
    ),
    Odd("folded status line", OK + b" A: b\r\n" + TWO, None, "section 2.2: a field, or none"),
    Odd("space before the colon", OK + b"A : b\r\n" + TWO, None, "section 5.1: two names, or one"),
    Odd("no colon", OK + b"Abc\r\n" + TWO, None, "not a field"),
    Odd("empty name", OK + b": b\r\n" + TWO, None, "not a field"),
    Odd("name with a space", OK + b"A b: c\r\n" + TWO, None, "not a token"),
    Odd("empty value", OK + b"A:\r\n" + TWO, b"hi", "allowed", kept=True),
    Odd("bytes beyond ASCII in a value", OK + b"A: \xff\r\n" + TWO, b"hi", "obs-text", kept=True),
    Odd("header of 70 KB", OK + b"A: %b\r\n" % (b"x" * 70_000) + TWO, None, "over 64 KiB of head"),
    Odd("257 headers", OK + b"A: b\r\n" * 256 + TWO, None, "over 256 fields"),
    Odd("endless header", OK + b"A: " + b"x" * 200_000, None, "over 64 KiB of head"),
    # Lengths.
    Odd(
        "both lengths",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        None,
        "section 6.3: a sign of smuggling",
    ),
    Odd("two lengths", OK + b"Content-Length: 3\r\n" + TWO, None, "section 6.3: which one?"),
    Odd(
        "the same length twice",
        OK + b"Content-Length: 2\r\n" + TWO,
        b"hi",
        "RFC 9110 section 8.6 allows it, and there is no doubt",
        kept=True,
    ),
    Odd("a list as length", OK + b"Content-Length: 2, 2\r\n\r\nhi", b"hi", "the same", kept=True),
    Odd("a list of two lengths", OK + b"Content-Length: 2, 3\r\n\r\nhi", None, "which one?"),
    Odd(
        "the same length twice, and chunks",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" + TWO,
        None,
        "as above",
    ),
    Odd("negative length", OK + b"Content-Length: -2\r\n\r\nhi", None, "not a number"),
    Odd("length with a plus", OK + b"Content-Length: +2\r\n\r\nhi", None, "not a number"),
    Odd("empty length", OK + b"Content-Length:\r\n\r\nhi", None, "not a number"),
    Odd("length in hexadecimal", OK + b"Content-Length: 0x2\r\n\r\nhi", None, "not a number"),
    Odd("overlong length", OK + b"Content-Length: %d\r\n\r\nhi" % 2**64, None, "no such body"),
    Odd("no length", OK + b"\r\nhi", b"hi", "until the end of the connection", closes=True),
    Odd("less than announced", OK + b"Content-Length: 3\r\n\r\nhi", None, "cut short", closes=True),
    Odd(
        "more than announced", OK + TWO + b"more", b"hi", "the rest is dropped with the connection"
    ),
    Odd(
        "a second answer", OK + TWO + OK + TWO, b"hi", "nobody asked: not kept for the next request"
    ),
    Odd("body with 204", b"HTTP/1.1 204 N\r\n" + TWO, b"", "section 6.3: it has none"),
    Odd("body with 304", b"HTTP/1.1 304 N\r\n" + TWO, b"", "section 6.3: it has none"),
    Odd("body for HEAD", OK + TWO, b"", "section 6.3: it has none", method="HEAD"),
    Odd(
        "HEAD",
        OK + b"Content-Length: 9\r\n\r\n",
        b"",
        "a length of what is not sent",
        True,
        method="HEAD",
    ),
    # Chunks.
    Odd(
        "chunks",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n0\r\nA: b\r\n\r\n",
        b"hi",
        "with an extension and a trailer",
        kept=True,
    ),
    Odd(
        "blanks after a chunk's size",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1  \r\nh\r\n1 ;x=y\r\ni\r\n0 \r\n\r\n",
        b"hi",
        "section 7.1.1 allows them before an extension, and old servers put them there",
        kept=True,
    ),
    Odd(
        "blanks inside of a chunk's extension",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2; x = y\r\nhi\r\n0\r\n\r\n",
        None,
        "section 7.1.1 allows them too, but our parser does not, and nobody sends them",
    ),
    Odd(
        "negative chunk",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n",
        None,
        "not a number",
    ),
    Odd(
        "chunk size 0x2",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        None,
        "not a number",
    ),
    Odd(
        "chunk size beyond 64 bits",
        OK + b"Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n",
        None,
        "some would take the lower bits",
    ),
    Odd(
        "chunk longer than its size",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n",
        None,
        "where does it end?",
    ),
    Odd(
        "no last chunk",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        None,
        "cut short (section 8)",
        closes=True,
    ),
    Odd(
        "endless chunk extension",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 200_000,
        None,
        "over 64 KiB without a byte of body",
    ),
    Odd(
        "endless trailers",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + b"A: b\r\n" * 9000,
        None,
        "over 256 fields",
    ),
    Odd(
        "chunked is not the last coding",
        OK + b"Transfer-Encoding: chunked, identity\r\n\r\nhi",
        b"hi",
        "section 6.3: until the end of the connection",
        closes=True,
    ),
    Odd(
        "a coding that nobody asked for",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        None,
        "RFC 9110 section 10.1.4: as content it would be no content",
    ),
    # Connections.
    Odd("nothing", b"", None, "no answer", closes=True),
    Odd("closed in the head", b"HTTP/1.1 200 OK\r\nA:", None, "cut short", closes=True),
    Odd(
        "announces a close and does not close",
        OK + b"Connection: close\r\n" + TWO,
        b"hi",
        "nobody waits for it: the connection is given up",
    ),
    Odd("closes without a word", OK + TWO, b"hi", "everyday", kept=True, closes=True),
    Odd(
        "an answer before the question",
        OK + TWO,
        b"hi",
        "on a new connection nobody can tell; on a kept one it is seen, and never taken",
        kept=True,
        early=True,
    ),
    Odd(
        "an answer before the question, and one after it",
        OK + b"Content-Length: 0\r\n\r\n" + OK + TWO,
        b"",
        "the second is nobody's: not kept",
        early=True,
    ),
)


def page() -> str:
    """Return docs/odd-responses.md."""
    lines = [
        "# Odd and hostile responses",
        "",
        "What tulip-http does with what servers should not send, and why. The line: be lenient",
        "where RFC 9112 lets a client be and curl and browsers are; be strict where leniency would",
        "let one message be taken for two. A refusal is a `RemoteProtocolError` that names the",
        "value, and the connection is closed. This page is made from a table that is also a test,",
        "`tests/http/odd_responses.py`.",
        "",
        "The last columns say what h11, Python's own http.client and curl 7.88 do with the same",
        "bytes. Where neither the end of a message nor its fields can be in doubt, we do what curl",
        "does: bare LFs in the head, folded lines, the same length again. We are stricter where",
        "two programs could see two messages: chunks besides a length, several lengths, numbers",
        "with a sign or a prefix, bare CRs, names that are no tokens, a bare LF in the line of a",
        "chunk's size. And our limits on heads are lower, which `Limits` changes.",
        "",
        "| what comes | example | what we do | why | h11 | http.client | curl |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for odd in TABLE:
        others = " | ".join(_other(name, odd) for name in OTHERS)
        lines.append(f"| {odd.title} | {_shown(odd.data)} | {_does(odd)} | {odd.why} | {others} |")
    return "\n".join(lines) + "\n"


def _other(name: str, odd: Odd) -> str:
    found = [what for what, titles in OTHERS[name].items() if odd.title in titles]
    return found[0] if found else "the same"


def _does(odd: Odd) -> str:
    if odd.body is None:
        return "refuse"
    body = "no body" if not odd.body else f"body `{odd.body.decode()}`"
    return f"{body}, connection {'kept' if odd.kept else 'closed'}"


def _shown(data: bytes) -> str:
    text = data.decode("latin-1")
    text = text if len(text) <= 100 else text[:60] + " ..."
    escaped = text.encode("unicode_escape").decode().replace("|", "\\|")
    return f"`{escaped}`" if escaped else "(nothing)"


if __name__ == "__main__":
    sys.stdout.write(page())
