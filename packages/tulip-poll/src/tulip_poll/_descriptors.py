"""What counts as a file descriptor: a number, or an object that knows its number."""

from typing import Protocol, TypeAlias

# A descriptor is a C int; a bigger number cannot be one, and would raise an
# OverflowError that does not say where it came from.
HIGHEST = 2**31 - 1


class HasFileno(Protocol):
    """An object with a file descriptor: a socket, a pipe's end, an open file."""

    def fileno(self) -> int:
        """Return the descriptor's number."""
        ...


FileDescriptor: TypeAlias = int | HasFileno


def number_of(fd: FileDescriptor) -> int:
    """Return the number of a file descriptor.

    Args:
        fd: A number of at least 0, or an object with ``fileno()``.

    Raises:
        TypeError: It is neither, or its ``fileno()`` gives no integer.
        ValueError: The number is out of range, which is what a closed socket has, or the
            object is a closed file.
    """
    number = fd if isinstance(fd, int) else _ask(fd)
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"a file descriptor must be an integer or have fileno(), got {fd!r}")
    if not 0 <= number <= HIGHEST:
        raise ValueError(
            f"a file descriptor must be between 0 and {HIGHEST}, got {number}"
            + ("" if isinstance(fd, int) else f" from {fd!r}: is it closed?")
        )
    return number


def _ask(fd: HasFileno) -> int:
    """Call ``fileno()``, and name the object when that fails."""
    try:
        ask = fd.fileno
    except AttributeError:
        raise TypeError(
            f"a file descriptor must be an integer or have fileno(), got {fd!r}"
        ) from None
    try:
        return ask()
    except ValueError as error:
        # io objects raise this when closed, and do not name themselves.
        raise ValueError(f"no file descriptor in {fd!r}: {error}") from error
