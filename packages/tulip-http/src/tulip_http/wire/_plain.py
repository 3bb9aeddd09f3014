"""The plain response, read at one go: llhttp judges it, and nobody is called for its fields.

The rules of this file:

- Plain is a final HTTP/1.1 response whose head came in one piece, with all or a part of a body that
  is not chunked. Nearly every small answer is that. Everything else is left to `ResponseParser`,
  which reads the same bytes again from their beginning, with all of llhttp's callbacks.
- llhttp decides what is HTTP here, too, where a body ends, and whether the connection persists. A
  callback into Python for each header field would cost more than all the rest of reading, so there
  is none, and the fields are cut from the bytes when somebody asks (`ResponseHead`).
- After a response that was not plain, or not complete, llhttp is in an unknown state, and is
  dropped. Nor is it kept where no other response can follow: the two refer to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import httptools

from tulip_http.wire._head import ResponseHead

_BEGIN: Final = b"HTTP/1.1 "


class _Another(Exception):  # noqa: N818 - a signal, not an error
    """Raised inside a callback to stop llhttp where a second response begins."""


def make_llhttp(protocol: object) -> httptools.HttpResponseParser:
    """Return llhttp, as lenient as we want it; it finds its callbacks in ``protocol`` by name."""
    llhttp = httptools.HttpResponseParser(protocol)
    # RFC 9112 section 2.2: a recipient may take a lone LF for the end of a line. In chunks llhttp
    # insists on CRLF all the same, and rightly: there a wrong guess moves the end.
    # Old proxies say "HTTP/1.0 100 Continue", or close in a 103: an interim answer is not the last,
    # whatever it says of the connection. What comes after a final one we refuse ourselves.
    # Blanks may stand before a chunk's extension (section 7.1.1), and old servers send them without
    # one; the number ends before them, whoever reads it.
    llhttp.set_dangerous_leniencies(
        lenient_optional_cr_before_lf=True,
        lenient_keep_alive=True,
        lenient_spaces_after_chunk_size=True,
    )
    return llhttp


@final
class PlainReader:
    """Reads plain responses, one after the other.

    Args:
        on_body: Gets the pieces of body.
        max_head: Bytes of a head, beyond which it is not plain.
        max_fields: Fields of a head, likewise.

    Attributes:
        complete: All of the response's body was there.
        keep_alive: And then the connection persists.
    """

    __slots__ = (
        "_begun",
        "_llhttp",
        "_max_fields",
        "_max_head",
        "complete",
        "keep_alive",
        "on_body",
    )

    def __init__(self, on_body: Callable[[bytes], None], max_head: int, max_fields: int) -> None:
        self.on_body = on_body
        self._max_head = max_head
        self._max_fields = max_fields
        self.complete = self._begun = self.keep_alive = False
        self._llhttp: httptools.HttpResponseParser | None = None

    def read(self, data: bytes) -> ResponseHead | None:
        """Return the head of the response with which ``data`` begins; None if it is not plain."""
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > self._max_head or not data.startswith(_BEGIN):
            return None
        # The shortest field has 4 bytes, so most heads need no counting.
        if end > 4 * self._max_fields and data.count(b"\n", 0, end) > self._max_fields:
            return None
        llhttp = self._llhttp
        if llhttp is None:
            llhttp = self._llhttp = make_llhttp(self)
        self.complete = self._begun = self.keep_alive = False
        try:
            llhttp.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._llhttp = None
            return None
        if not self.keep_alive:
            self._llhttp = None
        status = llhttp.get_status_code()
        return ResponseHead("HTTP/1.1", status, data[: end + 2]) if status >= 200 else None

    # llhttp's callbacks.

    def on_message_begin(self) -> None:
        """Stop where a second response begins: the first was interim, or this is excess."""
        if self._begun:
            raise _Another
        self._begun = True

    def on_chunk_header(self) -> None:
        """Stop: chunks are not plain, as fields may follow them."""
        raise _Another

    def on_message_complete(self) -> None:
        """Note the end; llhttp knows only now whether the connection persists."""
        assert self._llhttp is not None
        self.complete = True
        self.keep_alive = self._llhttp.should_keep_alive()
