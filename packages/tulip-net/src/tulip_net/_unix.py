"""Unix sockets: the same transports and listeners, found by a path instead of a port.

Source: unix(7), "Address format" and "Abstract sockets"; connect(2), ``EAGAIN``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys

from tulip_net._address import format_address
from tulip_net._connect import connect
from tulip_net._errors import ConnectError
from tulip_net._listen import BACKLOG
from tulip_net._listener import Listener
from tulip_net._socket import SocketTransport
from tulip_sched import Gen, coroutine, sleep

__all__ = ["create_unix_transport", "listen_unix"]

LONGEST_PAUSE = 0.1
"""Seconds between attempts while the server's backlog is full."""


@coroutine
def create_unix_transport(path: str | bytes | os.PathLike[str]) -> Gen[SocketTransport]:
    r"""Connect to a Unix socket.

    Args:
        path: In the file system; or, on Linux, an abstract name, which begins with ``\0``.

    While the server's backlog is full this waits; limit it with `fail_after`.

    Raises:
        ConnectError: Nobody listens there, or there is no descriptor left.
        ValueError: ``path`` is empty, or this system has no Unix sockets.
    """
    address = _check(path)
    pause = 0.001
    while True:
        try:
            sock = _unix_socket()
        except OSError as error:  # such as that there is no descriptor left
            where = format_address(address)
            raise ConnectError(where, ((where, error),)) from error
        try:
            yield from connect(sock, address)
        except ConnectError as error:
            if error.failures[0][1].errno != errno.EAGAIN:
                raise
            # The kernel does not queue us: there is no readiness to wait for.
            yield from sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            return SocketTransport(sock)


@coroutine
async def listen_unix(
    path: str | bytes | os.PathLike[str], *, mode: int | None = None, backlog: int = BACKLOG
) -> Listener:
    r"""Listen on a Unix socket.

    Args:
        path: In the file system; or, on Linux, an abstract name, which begins with ``\0``. A
            socket that a server left behind is replaced, if nobody listens on it.
        mode: Permissions of the file, such as ``0o600``; default: what the umask leaves.
        backlog: How many connections the kernel may hold ready.

    The file stays when the listener is closed: removing it could remove a successor's.

    Raises:
        OSError: The path cannot be listened on; the message names it.
        ValueError: ``path`` is empty, or is abstract and has a ``mode``, or this system has no Unix
            sockets.
    """
    address = _check(path)
    if mode is not None and os.fsencode(address).startswith(b"\0"):
        raise ValueError(f"an abstract name has no permissions, got mode={mode:#o}")
    sock = _unix_socket()
    try:
        _remove_stale(address)
        sock.bind(address)
        if mode is not None:
            from pathlib import Path

            Path(os.fsdecode(address)).chmod(mode)
        sock.listen(backlog)
        return Listener([sock])
    except OSError as error:
        sock.close()
        # The socket module's own "AF_UNIX path too long" has nothing but its text.
        reason = error.strerror or str(error)
        shown = os.fsdecode(address).replace("\0", "@", 1)
        raise OSError(error.errno, f"cannot listen on {shown}: {reason}") from error
    except BaseException:
        sock.close()
        raise


def _unix_socket() -> socket.socket:
    if sys.platform == "win32":
        raise ValueError("this system has no Unix sockets")
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def _check(path: str | bytes | os.PathLike[str]) -> str | bytes:
    address = os.fspath(path)
    if not address:
        raise ValueError("the path of a Unix socket is empty")
    return address


def _remove_stale(address: str | bytes) -> None:
    """Remove a socket in the file system on which nobody listens."""
    from pathlib import Path

    file = Path(os.fsdecode(address))
    if "\0" in str(file) or not file.exists() or not stat.S_ISSOCK(file.stat().st_mode):
        return
    with _unix_socket() as probe:
        probe.setblocking(False)
        if probe.connect_ex(address) == errno.ECONNREFUSED:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
