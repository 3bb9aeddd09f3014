"""The options of a transport's socket, such as keep-alive probes and the sizes of its buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, overload

from tulip_sched import ClosedError

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer

__all__ = ["SocketOptions"]

LARGEST: Final = 1024
"""Bytes; what `socket.socket.getsockopt` has room for."""


class SocketOptions:
    """What a `SocketTransport` and a `DatagramTransport` have of `socket.socket` besides."""

    __slots__ = ()

    if TYPE_CHECKING:
        _sock: socket.SocketType

    def setsockopt(self, level: int, option: int, value: int | Buffer) -> None:
        """Set an option of the socket.

        Args:
            level: Whose option it is, such as ``socket.SOL_SOCKET`` or ``socket.IPPROTO_TCP``.
            option: Its number, such as ``socket.SO_KEEPALIVE``.
            value: An integer, or the bytes of what the option takes.

        Raises:
            ClosedError: The transport is closed.
            OSError: There is no such option here, or it does not take this value.

        ``TCP_NODELAY`` is set from the beginning where a transport was connected or accepted by
        this library.

        Source: POSIX.1-2017 setsockopt(); socket(7), tcp(7).
        """
        try:
            self._sock.setsockopt(level, option, value)
        except OSError as error:
            raise self._refused("set", level, option, error) from error

    @overload
    def getsockopt(self, level: int, option: int) -> int: ...
    @overload
    def getsockopt(self, level: int, option: int, size: int) -> bytes: ...
    def getsockopt(self, level: int, option: int, size: int | None = None) -> int | bytes:
        """Ask for an option of the socket.

        Args:
            level: As for `setsockopt`.
            option: As for `setsockopt`.
            size: For an option that is no integer: most bytes of it to return, 1 to 1024.

        Raises:
            ClosedError: The transport is closed.
            OSError: There is no such option here.
            ValueError: ``size`` is out of range.

        Source: POSIX.1-2017 getsockopt().
        """
        if size is not None and not 1 <= size <= LARGEST:
            raise ValueError(f"an option has 1 to {LARGEST} bytes, got size={size}")
        try:
            if size is None:
                return self._sock.getsockopt(level, option)
            return self._sock.getsockopt(level, option, size)
        except OSError as error:
            raise self._refused("ask for", level, option, error) from error

    def _refused(self, doing: str, level: int, option: int, error: OSError) -> Exception:
        if self._sock.fileno() < 0:
            return ClosedError(f"{self!r} has no options any more")
        told = f"cannot {doing} option {option} of level {level} of {self!r}: {error.strerror}"
        return OSError(error.errno, told)
