"""One URL, from its name to its line."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, final

from tulip_http._errors import HTTPError
from tulip_http._url import without_password
from tulip_net import Gen, coroutine, fail_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tulip_http._client import Client
    from tulip_http._response import Response
    from tulip_http.cli._options import Options
    from tulip_http.cli._progress import Board


@final
class Fetch:
    """What happened to one URL.

    Attributes:
        failed: There was no complete answer, or one that says no and ``--fail`` was given.
        line: What happened, for people.
    """

    __slots__ = ("_began", "_shown", "_size", "failed", "line", "url")

    def __init__(self, url: str) -> None:
        self.url = url
        self.failed = True
        self.line = ""
        self._shown = without_password(url)
        self._size = 0
        self._began = time.monotonic()

    @coroutine
    def run(self, client: Client, options: Options, board: Board) -> Gen[None]:
        """Fetch, and put the outcome into `failed` and `line`; raises nothing of its own."""
        self._began = time.monotonic()
        try:
            with fail_after(options.seconds):
                status = yield from self._fetch(client, options, board)
        except HTTPError as error:
            self._tell(f"{type(error).__name__}: {error}")
        except TimeoutError:
            self._tell(f"gave up after {options.seconds:g} s, with {self._size:,} bytes")
        except OSError as error:
            self._tell(f"cannot write to {options.output}: {error.strerror}")
        else:
            self.failed = options.fail and status >= 400
            self._tell(f"{status}  {self._size:,} bytes")

    @coroutine
    def _fetch(self, client: Client, options: Options, board: Board) -> Gen[int]:
        headers = [(name, value) for name, value in options.headers if value is not None]
        with (yield from client.stream(options.method, self.url, headers=headers)) as response:
            if options.fail and response.is_error:
                return response.status_code  # and leave the file as it is
            yield from self._save(response, options, board)
            return response.status_code

    @coroutine
    def _save(self, response: Response, options: Options, board: Board) -> Gen[None]:
        with _sink(options.output) as write:
            meter = board.meter(self._shown, _length(response))
            try:
                while chunk := (yield from response.read_chunk()):
                    self._size += len(chunk)
                    write(chunk)
                    meter.advance(len(chunk))
            finally:
                meter.close()

    def _tell(self, what: str) -> None:
        seconds = time.monotonic() - self._began
        # A line is a line, whatever a server or a URL puts into it.
        text = "".join(c if c.isprintable() else "?" for c in f"{what}  {self._shown}")
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        text = text.encode(encoding, "replace").decode(encoding)
        self.line = f"{seconds:8.3f} s  {text}"


def _length(response: Response) -> int | None:
    """Return how many bytes will be counted: decoded ones, of which nobody knows the number."""
    if "content-encoding" in response.headers:
        return None
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


class _Writer:
    """Where a body goes."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file

    def __call__(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)


@contextmanager
def _sink(output: str | None) -> Iterator[_Writer]:
    if output is None:
        yield _Writer(None)
    elif output == "-":
        if sys.stdout is None:  # where standard output was closed before we began
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        yield _Writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with Path(output).open("wb") as file:
            yield _Writer(file)
