"""Passing open files to another process, over a Unix socket.

Source: unix(7), ``SCM_RIGHTS``, and cmsg(3); POSIX.1-2017 recvmsg(), ``MSG_CTRUNC``.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from tulip_net._errors import BrokenError
from tulip_net._gather import flat
from tulip_net._socket import SocketTransport
from tulip_sched import Gen, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["recv_descriptors", "send_descriptors"]

MOST = 253
"""Descriptors in one message (``SCM_MAX_FD`` of Linux; others allow more)."""

CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


@coroutine
def send_descriptors(
    transport: SocketTransport, files: Sequence[int | _HasFileno], data: Buffer = b"\0"
) -> Gen[None]:
    """Send open files, and some bytes that they travel with.

    Args:
        transport: Over a Unix socket.
        files: 1 to 253 descriptors, or objects with ``fileno()``. The peer gets duplicates: these
            stay open here, and may be closed when this returns.
        data: At least one byte.

    If it is cancelled or fails with all of ``data`` in `SocketTransport.unsent`, the files were
    not sent either; with less, they were.

    Raises:
        ValueError: There are no files, or too many, or ``data`` is empty, or the socket is none
            that can carry them.
        ClosedError, BusyError, BrokenError: As for `Transport.send`.
    """
    view = flat(data)
    if not 1 <= len(files) <= MOST or not view:
        raise ValueError(f"cannot send {len(files)} descriptors with {len(view)} bytes")
    _check_unix(transport)
    numbers = [file if isinstance(file, int) else file.fileno() for file in files]
    message = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))]
    transport._forget_unsent()
    transport._unsent = len(view)
    transport._sending = True
    try:
        while transport._unsent == len(view):
            try:
                transport._unsent -= transport._sock.sendmsg([view], message)
            except BlockingIOError:
                (transport._watch or transport._start_watch()).block_w()
                yield
            except OSError as error:
                transport._fail("sending descriptors", error)
    finally:
        transport._sending = False
    if transport._unsent:
        yield from transport.send(view[-transport._unsent :])


@coroutine
def recv_descriptors(
    transport: SocketTransport, limit: int = 1, *, most: int = 1
) -> Gen[tuple[bytes, list[int]]]:
    """Wait for data, and return it with the open files that travelled with it.

    Args:
        transport: Over a Unix socket. Whoever receives with `SocketTransport.recv` instead loses
            the files that come along.
        limit: Most bytes to return, at least 1.
        most: Most files to take, 1 to 253.

    Returns:
        Data as of `Transport.recv`, and the descriptors, which are the caller's to close and are
        not inherited by child processes. The list is empty if none came with that data.

    Raises:
        BrokenError: The peer sent more files than ``most``; none is left open here.
        ValueError: ``limit`` or ``most`` is out of range, or the socket is none that can carry
            files.
        ClosedError, BusyError: As for `Transport.recv`.

    Cancelling takes nothing from the stream.
    """
    if limit < 1 or not 1 <= most <= MOST:
        raise ValueError(f"cannot receive {limit} bytes with {most} descriptors")
    _check_unix(transport)
    # CMSG_SPACE would round up, and make room for one more than was asked for.
    room = socket.CMSG_LEN(most * array.array("i").itemsize)
    while True:
        if not transport._ready:
            (transport._watch or transport._start_watch()).block_r()
            yield
        try:
            data, messages, flags, _ = transport._sock.recvmsg(limit, room, CLOSE_ON_EXEC)
        except BlockingIOError:
            transport._ready = False
        except OSError as error:
            transport._fail("receiving descriptors", error)
        else:
            transport._ready = len(data) == limit or not data
            if transport._failure is not None and not data:
                transport._fail("receiving descriptors", transport._failure)
            received = _unpack(messages)
            if flags & socket.MSG_CTRUNC:
                for number in received:
                    os.close(number)
                raise BrokenError(f"{transport!r} was sent more than {most} descriptors at once")
            return data, received


def _unpack(messages: Iterable[tuple[int, int, bytes]]) -> list[int]:
    received = array.array("i")
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            received.frombytes(data[: len(data) - len(data) % received.itemsize])
    for number in received if not CLOSE_ON_EXEC else ():
        os.set_inheritable(number, False)
    return list(received)


def _check_unix(transport: SocketTransport) -> None:
    family = getattr(socket, "AF_UNIX", None)
    if transport._sock.family != family and not transport.closed:
        raise ValueError(f"only a Unix socket carries descriptors, not {transport!r}")
