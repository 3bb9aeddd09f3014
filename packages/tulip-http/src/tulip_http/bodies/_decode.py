"""Content codings undone, piece by piece, in bounded memory.

A small body can stand for a very large one, so nothing here decodes more than it is asked for:
what has come in is kept, and comes out in pieces of a limited size. Two limits end an attack: the
size of what is read whole (``Limits.max_body``), and how much larger than the body the decoded body
may be (``Limits.max_ratio``).

gzip and deflate come with Python; br and zstd where their libraries are installed, and only then
are they asked for: ``pip install 'tulip-http[br,zstd]'``.

Source: RFC 9110 section 8.4 (codings), RFC 1950 to 1952, RFC 7932 (br), RFC 8878 (zstd).
"""

from __future__ import annotations

import functools
import zlib
from typing import Any, Final, Protocol, final

from tulip_http._errors import DecodingError, ResponseTooLarge
from tulip_http._typing import override

_PIECE: Final = 262144  # what one call decodes at most
# What a stream is given at once: at the beginning of a member or frame, and at most.
_LEAST_AT_ONCE: Final = 1024
_MOST_AT_ONCE: Final = 65536
# Below this no ratio is suspicious: a page of spaces is not an attack.
_RATIO_COUNTS_FROM: Final = 1 << 20
# More codings than this on one body are an attempt to multiply ratios.
_MOST_CODINGS: Final = 3


@functools.cache
def accepted_codings() -> str:
    """Return the value for Accept-Encoding: what can be decoded here."""
    found = ["gzip", "deflate"]
    if _has_brotli():
        found.append("br")
    if _zstd_module() is not None:
        found.append("zstd")
    return ", ".join(found)


class _Stage(Protocol):
    """One coding."""

    def feed(self, data: bytes) -> None:
        """Take encoded bytes."""
        ...

    def take(self) -> bytes:
        """Return a piece of what they stand for, ``b""`` when more is needed."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the end was reached."""
        ...


@final
class BodyDecoder:
    """Undoes the codings of one body.

    Args:
        codings: As in Content-Encoding, the last one applied last.
        max_ratio: How many times larger than the body what it stands for may be.

    Codings that are too many, or not known here, are an error once there is something in them:
    there is nothing in the answer to HEAD, and of others `Response.read_raw` may be all that is
    wanted.
    """

    __slots__ = ("_fed", "_max_ratio", "_stages", "_taken")

    def __init__(self, codings: list[str], max_ratio: float | None) -> None:
        self._stages: list[_Stage] = [_stage(coding) for coding in reversed(codings)]
        if len(codings) > _MOST_CODINGS:
            told = f"the body has {len(codings)} codings: {', '.join(codings)}"
            self._stages = [_Undecodable(told)]
        self._max_ratio = max_ratio
        self._fed = self._taken = 0

    def feed(self, data: bytes) -> None:
        """Take bytes of the body.

        Raises:
            DecodingError: They are in a coding that is not known here.
        """
        self._fed += len(data)
        self._stages[0].feed(data)

    def take(self) -> bytes:
        """Return a piece of what was fed stands for, ``b""`` when more is needed.

        Raises:
            DecodingError: It is not in its coding.
            ResponseTooLarge: It has become too many times larger.
        """
        try:
            data = self._pull(len(self._stages) - 1)
        except DecodingError:
            raise
        except Exception as error:  # zlib.error, brotli.error, ZstdError: no common base
            raise DecodingError(f"the body cannot be decoded: {error}") from error
        self._taken += len(data)
        most = self._max_ratio
        if most is not None and self._taken > max(_RATIO_COUNTS_FROM, self._fed * most):
            raise ResponseTooLarge(
                f"{self._fed} bytes of body became {self._taken} or more: over {most:g} times "
                "as many (max_ratio)"
            )
        return data

    def finish(self) -> None:
        """Take note that the body has ended.

        Raises:
            DecodingError: It was cut short.
        """
        if self._fed and not all(stage.complete for stage in self._stages):
            raise DecodingError(f"the encoded body ends too early, after {self._fed} bytes")

    def _pull(self, index: int) -> bytes:
        stage = self._stages[index]
        while not (data := stage.take()) and index:
            more = self._pull(index - 1)
            if not more:
                break
            stage.feed(more)
        return data


def decoder_for(values: list[bytes], max_ratio: float | None) -> BodyDecoder | None:
    """Return a decoder for a response with these Content-Encodings, None if it needs none."""
    told = b",".join(values).decode("latin-1").lower()
    codings = [coding.strip() for coding in told.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    return BodyDecoder(codings, max_ratio) if codings else None


def decode_whole(data: bytes, decoder: BodyDecoder, max_body: int | None) -> bytes:
    """Return what a whole body stands for.

    Raises:
        DecodingError: It is not in its coding, or cut short.
        ResponseTooLarge: It stands for more than ``max_body`` bytes.
    """
    decoder.feed(data)
    pieces = []
    size = 0
    while piece := decoder.take():
        pieces.append(piece)
        size += len(piece)
        if max_body is not None and size > max_body:
            raise ResponseTooLarge(f"the decoded body is larger than {max_body} bytes (max_body)")
    decoder.finish()
    return b"".join(pieces)


def _stage(coding: str) -> _Stage:
    if coding in {"gzip", "x-gzip"}:
        return _Zlib(31)  # 15 bits of window, and a gzip header (zlib.decompressobj)
    if coding == "deflate":
        return _Deflate()
    if coding == "br" and _has_brotli():
        return _Brotli()
    if coding == "zstd" and (zstd := _zstd_module()) is not None:
        return _Zstd(zstd)
    return _Undecodable(f"the body is encoded as {coding!r}, which cannot be decoded here")


@final
class _Undecodable:
    """A coding that is not known here."""

    complete = True

    def __init__(self, why: str) -> None:
        self._why = why

    def feed(self, data: bytes) -> None:
        if data:
            raise DecodingError(f"{self._why} (a stream has it as it came: read_raw, iter_raw)")

    def take(self) -> bytes:
        return b""


class _Input:
    """What was fed and has not been used.

    A stream is given a slice at a time, as it copies what it does not use: of the rest of a body,
    for each piece of output, or for each of a million members of 20 bytes, that would be work
    without end. After the end of a member slices begin small.
    """

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._size = _MOST_AT_ONCE

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self else data
        self._at = 0

    def first_two(self) -> bytes:
        return self._data[self._at : self._at + 2]

    def slice(self) -> bytes:
        data = self._data[self._at : self._at + self._size]
        self._at += len(data)
        self._size = min(2 * self._size, _MOST_AT_ONCE)
        return data

    def give_back(self, data: bytes) -> None:
        """Take the end of what was given out; it may have been given before the last `feed`."""
        if len(data) <= self._at:
            self._at -= len(data)
        else:
            self._data, self._at = data + self._data[self._at :], 0

    def begin_small(self) -> None:
        self._size = _LEAST_AT_ONCE


class _Zlib:
    """gzip, in any number of members, or zlib."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._input = _Input()

    def feed(self, data: bytes) -> None:
        self._input.feed(data)

    def take(self) -> bytes:
        while True:
            if self._stream.eof and self._input:
                self._stream = zlib.decompressobj(self._window)  # RFC 1952: another member
                self._input.begin_small()
            data = self._stream.decompress(self._input.slice(), _PIECE)
            self._input.give_back(self._stream.unconsumed_tail or self._stream.unused_data)
            if data or not self._input:
                return data

    @property
    def complete(self) -> bool:
        return self._stream.eof and not self._input


@final
class _Deflate(_Zlib):
    """zlib, as the standard says, or bare deflate, as some servers send it."""

    def __init__(self) -> None:
        super().__init__(15)
        self._known = False

    @override
    def feed(self, data: bytes) -> None:
        super().feed(data)
        if not self._known and len(self._input) >= 2:
            self._known = True
            first, second = self._input.first_two()
            # RFC 1950 section 2.2: method 8, and a header that is a multiple of 31.
            if first & 15 != 8 or (first << 8 | second) % 31:
                self._stream = zlib.decompressobj(-15)

    @override
    def take(self) -> bytes:
        return super().take() if self._known else b""


@final
class _Brotli:
    """br, with the brotli library."""

    def __init__(self) -> None:
        from importlib import import_module

        self._stream: Any = import_module("brotli").Decompressor()
        self._input = _Input()

    def feed(self, data: bytes) -> None:
        self._input.feed(data)

    def take(self) -> bytes:
        while True:
            # Where it still holds output, what is new has to wait.
            piece = self._input.slice() if self._stream.can_accept_more_data() else b""
            data: bytes = self._stream.process(piece, output_buffer_limit=_PIECE)
            if data or not self._input:
                return data

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished()) and not self._input


@final
class _Zstd:
    """zstd, in any number of frames, with Python 3.14's own module or its backport."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._stream = module.ZstdDecompressor()
        self._input = _Input()

    def feed(self, data: bytes) -> None:
        self._input.feed(data)

    def take(self) -> bytes:
        while True:
            if self._stream.eof:
                if not self._input:
                    return b""
                self._stream = self._module.ZstdDecompressor()
                self._input.begin_small()
            piece = self._input.slice() if self._stream.needs_input else b""
            data: bytes = self._stream.decompress(piece, _PIECE)
            if self._stream.eof:
                self._input.give_back(self._stream.unused_data)
            if data or not self._input:
                return data

    @property
    def complete(self) -> bool:
        return bool(self._stream.eof) and not self._input


@functools.cache
def _has_brotli() -> bool:
    from importlib.util import find_spec

    return find_spec("brotli") is not None


@functools.cache
def _zstd_module() -> Any:
    from importlib import import_module

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
