"""Bytes that come in pieces become text, and text becomes lines."""

from __future__ import annotations

import codecs
from collections import deque
from typing import final


@final
class LineSplitter:
    """Cut text that comes in pieces into lines, at LF, CR LF or CR, as it is shown on a screen.

    Args:
        encoding: Of the bytes; what is no text in it becomes U+FFFD.
    """

    __slots__ = ("_decoder", "_rest", "lines")

    def __init__(self, encoding: str) -> None:
        self._decoder = text_decoder(encoding)
        self._rest: list[str] = []
        self.lines: deque[str] = deque()

    def feed(self, data: bytes) -> None:
        """Add to `lines` what ``data`` completes; ``b""`` is the end, and completes the last."""
        text = self._decoder.decode(data, final=not data)
        if not data:
            text += "\n" if any(self._rest) or text else ""
        # A CR at the end may be the first half of CR LF: it waits for what follows.
        if "\n" not in text and "\r" not in text:
            self._rest.append(text)
            return
        text = "".join(self._rest) + text
        self._rest.clear()
        held = "\r" if text.endswith("\r") else ""
        pieces = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest.append(pieces.pop() + held)
        self.lines.extend(pieces)


def text_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return a decoder for text that comes in pieces."""
    return codecs.getincrementaldecoder(encoding)("replace")


def charset_of(media_type: str | None) -> str | None:
    """Return the character set that a Content-Type announces, None for none that is known."""
    if media_type is None or "charset" not in media_type.lower():
        return None
    from email.message import Message

    message = Message()
    message["content-type"] = media_type
    charset = message.get_content_charset()
    try:
        return codecs.lookup(charset).name if charset else None
    except LookupError:
        return None
