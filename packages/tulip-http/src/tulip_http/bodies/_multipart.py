"""Forms with files, ``multipart/form-data``: the files go out as they are read.

Source: RFC 7578; WHATWG HTML, "multipart form data", for how names are escaped.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, final

from tulip_http._errors import LocalProtocolError
from tulip_http.bodies._encode import encoded, flat_pairs
from tulip_http.bodies._stream import BodyStream, Readable

if TYPE_CHECKING:
    from tulip_http.bodies._encode import DataTypes

FileContent: TypeAlias = bytes | bytearray | memoryview | str | Readable
"""What is in a file: bytes, text (sent as UTF-8), or an open file."""

FileTypes: TypeAlias = (
    FileContent | tuple[str | None, FileContent] | tuple[str | None, FileContent, str | None]
)
"""A file for a form: its content, or its name and content, or name, content and media type."""

FilesTypes: TypeAlias = Mapping[str, FileTypes] | Iterable[tuple[str, FileTypes]]
"""What is accepted as ``files``: the name of the form's field, and the file."""

_BOUNDARY: Final = r'(?i);\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]*))'
_BOUNDARY_CHARACTERS: Final = r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]"

# WHATWG: these three, and nothing else, are escaped, and like this.
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


@final
class Multipart:
    """A form with files, as an async iterable of pieces.

    Args:
        data: Its other fields.
        files: Its files.
        given: A Content-Type to keep to, if it is a multipart's: to its boundary, if it has one.

    Attributes:
        length: Of all of it in bytes; None if a file does not say how long it is.
        media_type: For Content-Type, with the boundary.

    Raises:
        TypeError: A field or a file is none.
        LocalProtocolError: The boundary that was given cannot be one.
    """

    def __init__(self, data: DataTypes | None, files: FilesTypes, given: str = "") -> None:
        self.media_type, boundary = _media_type(given)
        self._parts = [
            *(_Part(boundary, name, None, value, None) for name, value in _fields(data)),
            *(_Part(boundary, name, *_file(name, file)) for name, file in _pairs(files)),
        ]
        self._end = f"--{boundary}--\r\n".encode()
        sizes = [part.length for part in self._parts]
        known = [size for size in sizes if size is not None]
        self.length: int | None = sum(known) + len(self._end) if len(known) == len(sizes) else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        for part in self._parts:
            yield part.head
            if isinstance(part.content, bytes):
                yield part.content
            else:
                async for piece in part.content.pieces():
                    yield piece
            yield b"\r\n"
        yield self._end


@final
class _Part:
    """One field: its head, and what is in it."""

    def __init__(
        self,
        boundary: str,
        name: str,
        filename: str | None,
        content: FileContent,
        media_type: str | None,
    ) -> None:
        lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_escaped(name)}"']
        if filename is not None:
            lines[1] += f'; filename="{_escaped(filename)}"'
        if media_type is not None:
            lines.append(f"Content-Type: {_escaped(media_type)}")
        # Names of files need not be Unicode: they go out as the file system has them.
        self.head = encoded("\r\n".join([*lines, "", ""]), "surrogateescape")
        self.content: bytes | BodyStream
        if isinstance(content, Readable):
            self.content = BodyStream(content)
            size = self.content.length
        else:
            self.content = encoded(content) if isinstance(content, str) else bytes(content)
            size = len(self.content)
        self.length = None if size is None else len(self.head) + size + 2


def _media_type(given: str) -> tuple[str, str]:
    """Return what goes into Content-Type, and the boundary."""
    if not given.lower().startswith("multipart/"):
        given = "multipart/form-data"
    found = re.search(_BOUNDARY, given)
    if found is None:
        # 128 random bits: no file can contain the boundary on purpose.
        boundary = os.urandom(16).hex()
        return f"{given.rstrip('; ')}; boundary={boundary}", boundary
    boundary = found[1] if found[2] is None else found[2]
    if not re.fullmatch(_BOUNDARY_CHARACTERS, boundary):
        raise LocalProtocolError(f"{boundary!r} cannot be a boundary (RFC 2046 section 5.1.1)")
    return given, boundary


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _fields(data: DataTypes | None) -> Iterable[tuple[str, str | bytes]]:
    if isinstance(data, (str, bytes)):
        raise TypeError("data beside files is a mapping or pairs, not text")
    return [] if data is None else flat_pairs(data)


def _pairs(files: FilesTypes) -> Iterable[tuple[str, FileTypes]]:
    return files.items() if isinstance(files, Mapping) else files


def _file(field: str, file: FileTypes) -> tuple[str | None, FileContent, str | None]:
    filename: str | None
    media_type: str | None = None
    if isinstance(file, tuple):
        if len(file) not in {2, 3}:
            raise TypeError(
                f"file {field!r} is its content, (name, content) or (name, content, media type), "
                f"not {len(file)} things"
            )
        filename, content = file[:2]
        media_type = file[2] if len(file) == 3 else None
    else:
        content = file
        own = getattr(content, "name", None)
        filename = os.path.basename(own) if isinstance(own, str) else field  # noqa: PTH119 - a name
    if not isinstance(content, (bytes, bytearray, memoryview, str, Readable)):
        raise TypeError(f"file {field!r} must be bytes, text or an open file, got {content!r}")
    if media_type is None and filename is not None:
        from mimetypes import guess_type

        media_type = guess_type(filename)[0] or "application/octet-stream"
    return filename, content, media_type
