"""Progress bars for bodies that take long, where there is a terminal and tqdm to draw them."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final, Protocol, final

# Below this a bar would be gone before anybody has read it.
_LARGE: Final = 1 << 20


class Meter(Protocol):
    """How far one body has come."""

    def advance(self, count: int) -> None:
        """Take note of so many more bytes."""
        ...

    def close(self) -> None:
        """Take the bar away."""
        ...


class Board(Protocol):
    """Where lines and bars are shown."""

    def meter(self, name: str, length: int | None) -> Meter:
        """Return a meter for a body of so many bytes, None where nobody knows."""
        ...

    def line(self, text: str) -> None:
        """Print a line, above the bars."""
        ...


def make_board(*, bars: bool) -> Board:
    """Return a board with bars, if they are wanted and possible."""
    # Where standard error was closed before we began, Python has none.
    if bars and sys.stderr is not None and sys.stderr.isatty():
        try:
            return _Bars(importlib.import_module("tqdm").tqdm)
        except ImportError:
            pass  # the extra "cli" was not installed, and nobody is worse off than with a pipe
    return _Lines()


@final
class _Lines:
    """Lines only."""

    def meter(self, name: str, length: int | None) -> Meter:  # noqa: ARG002 - nothing to show
        return self

    def line(self, text: str) -> None:
        print(text, flush=True)

    def advance(self, count: int) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


@final
class _Bars:
    """Lines on standard output, and a bar on standard error for each large body under way."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm

    def meter(self, name: str, length: int | None) -> Meter:
        return _Bar(self._tqdm, name, length)

    def line(self, text: str) -> None:
        # tqdm moves the bars out of the way of what it writes itself.
        self._tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


@final
class _Bar:
    """A bar that appears once the body turns out to be large."""

    def __init__(self, tqdm: Any, name: str, length: int | None) -> None:
        self._tqdm = tqdm
        self._name = name
        self._length = length
        self._seen = 0
        self._bar: Any = None

    def advance(self, count: int) -> None:
        self._seen += count
        if self._bar is not None:
            self._bar.update(count)
        elif max(self._seen, self._length or 0) >= _LARGE:
            self._bar = self._tqdm(
                total=self._length,
                initial=self._seen,
                desc=self._name,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                leave=False,
                file=sys.stderr,
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
