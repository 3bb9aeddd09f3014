"""Bytes that come in pieces become text, and text becomes lines."""

from __future__ import annotations

import codecs
import sys
from collections import deque
from collections.abc import Iterator
from typing import Final, final

from tulip_http._typing import override

_MARKS: Final = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_LONGEST_NAME: Final = 40  # RFC 2978 section 2.3
_SLICE: Final = 65536  # how much of a body becomes lines at once
_ESCAPE: Final = b"\x1b"
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape"})


@final
class LineSplitter:
    """Cut text that comes in pieces into lines, at LF, CR LF or CR, as it is shown on a screen.

    Args:
        encoding: Of the bytes; what is no text in it becomes U+FFFD.

    Attributes:
        lines: Those that are complete, to be taken from the left.
        begun: Characters of the one that is not.
    """

    __slots__ = ("_decoder", "_rest", "begun", "lines")

    def __init__(self, encoding: str) -> None:
        self._decoder = text_decoder(encoding)
        self._rest: list[str] = []
        self.lines: deque[str] = deque()
        self.begun = 0

    def feed(self, data: bytes) -> None:
        """Add to `lines` what ``data`` completes; ``b""`` is the end, and completes the last."""
        text = self._decoder.decode(data, final=not data)
        if not data:
            text += "\n" if any(self._rest) or text else ""
        # A CR at the end may be the first half of CR LF: it waits for what follows.
        if "\n" not in text and "\r" not in text:
            self._rest.append(text)
            self.begun += len(text)
            return
        text = "".join(self._rest) + text
        self._rest.clear()
        held = "\r" if text.endswith("\r") else ""
        pieces = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest.append(pieces.pop() + held)
        self.begun = len(self._rest[0])
        self.lines.extend(pieces)


def lines_of(content: bytes, encoding: str) -> Iterator[str]:
    """Iterate over the lines of a body that is here, without having all of them in memory."""
    splitter = LineSplitter(encoding)
    for at in range(0, len(content), _SLICE):
        splitter.feed(content[at : at + _SLICE])
        while splitter.lines:
            yield splitter.lines.popleft()
    splitter.feed(b"")
    yield from splitter.lines


def text_of(content: bytes, encoding: str) -> str:
    """Return a body that is here as text; what is no text in ``encoding`` becomes U+FFFD."""
    if "2022" not in encoding:
        return content.decode(encoding, "replace")
    # Of an escape sequence that has no end Python makes one U+FFFD, with all that follows.
    decoder = text_decoder(encoding)
    return decoder.decode(content) + decoder.decode(b"", final=True)


def text_decoder(encoding: str) -> codecs.IncrementalDecoder:
    """Return a decoder for text that comes in pieces."""
    name = codecs.lookup(encoding).name
    marks = _MARKS.get(name)
    if marks is not None:
        return _MarkedDecoder(encoding, marks)
    if name.startswith("iso2022"):
        return _EscapedDecoder(encoding)
    return codecs.getincrementaldecoder(encoding)("replace")


@final
class _MarkedDecoder(codecs.IncrementalDecoder):
    """UTF-16 or UTF-32, also without the mark at the beginning that tells the order of its bytes.

    Python's own decoder for pieces raises an error then; its decoder for the whole takes the
    machine's order, and so does this one.
    """

    def __init__(self, encoding: str, marks: tuple[bytes, bytes]) -> None:
        super().__init__("replace")
        self._encoding = encoding
        self._marks = marks
        self._begun = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    @override
    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        if self._decoder is None:
            data = self._begun = self._begun + data
            if len(data) < len(self._marks[0]) and not final:
                return ""
            order = "" if data.startswith(self._marks) else f"-{sys.byteorder[0]}e"
            self._decoder = codecs.getincrementaldecoder(self._encoding + order)("replace")
        return self._decoder.decode(data, final)


@final
class _EscapedDecoder(codecs.IncrementalDecoder):
    """ISO-2022, also where an escape sequence has no end.

    Python's own decoder for pieces keeps 8 bytes of one, and raises an error when there are more.
    Here the first of them is no text then, and the others are looked at again.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__("replace")
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    @override
    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        texts = []
        left = bytearray(data)
        while left:
            pending, flags = self._decoder.getstate()
            # Up to the next escape at once, and the bytes of one by one: so what comes out does
            # not depend on how the pieces were cut.
            escape = left.find(_ESCAPE)
            size = 1 if pending or not escape else escape if escape > 0 else len(left)
            part = bytes(left[:size])
            del left[:size]
            try:
                texts.append(self._decoder.decode(part))
            except UnicodeError:
                self._decoder.setstate((b"", flags))
                texts.append("\ufffd")
                left[:0] = (pending + part)[1:]
        return "".join([*texts, self._decoder.decode(b"", final)])


def charset_of(media_type: str | None) -> str | None:
    """Return the character set that a Content-Type announces, None for none that is known.

    Python has codecs that are none: of bytes (hex, zip), and of its own source (unicode_escape).
    """
    if media_type is None or "charset" not in media_type.lower():
        return None
    from email.message import Message

    message = Message()
    message["content-type"] = media_type
    try:
        charset = message.get_content_charset()
    except TypeError:  # of a parameter that comes in parts, some without a number
        return None
    # Python remembers each name that was looked up in vain: no long ones.
    if not charset or len(charset) > _LONGEST_NAME:
        return None
    try:
        name = codecs.lookup(charset).name
        b"x".decode(name, "replace")
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in _NO_CHARSETS else name
