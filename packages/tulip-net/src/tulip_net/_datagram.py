"""Datagrams: UDP and its kin, connected to one peer or to none.

The rules that hold here:

1. A receive waits first and then takes one datagram, so that a flood of them passes through the
   event loop one by one, and other tasks get their turns.
2. An error that the network reports, such as that nobody listens at the peer's port, comes out
   once, of whichever call is next, and the transport works on: later datagrams may arrive.

Source: RFC 768; udp(7), "Error handling"; RFC 1122 section 4.1.3.3 (errors are told).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import warnings
from typing import TYPE_CHECKING, NoReturn, final

from tulip_net._address import Address, check_port, format_address
from tulip_net._closable import Closable
from tulip_net._errors import BrokenError
from tulip_net._options import SocketOptions
from tulip_net._typing import override
from tulip_sched import ClosedError, Gen, Watch, WrongThreadError, coroutine

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["DatagramTransport"]

LARGEST = 65535
"""Bytes; no UDP datagram is longer (RFC 768, the field "Length")."""


@final
class DatagramTransport(SocketOptions, Closable):
    """Sends and receives datagrams: whole, or not at all.

    Args:
        sock: An open datagram socket, UDP or Unix, connected or not. The transport owns it from
            now on and makes it non-blocking.

    Raises:
        ValueError: ``sock`` is no datagram socket, or it is closed.

    One task may receive while another sends; a second one that would have to wait in the same
    direction gets `BusyError`. ``with`` and ``async with`` close it; one that is dropped without a
    close warns (`ResourceWarning`) and closes.
    """

    __slots__ = ("__weakref__", "_sock", "_watch")

    def __init__(self, sock: socket.socket) -> None:
        if sock.type != socket.SOCK_DGRAM or sock.fileno() < 0:
            raise ValueError(f"a datagram transport needs an open datagram socket, got {sock!r}")
        sock.setblocking(False)
        self._watch = Watch(sock.fileno())
        self._sock = sock

    @property
    def local_address(self) -> Address:
        """Our address; its port is 0 until the socket was bound or has sent something.

        Raises:
            ClosedError: The transport is closed.
        """
        if self.closed:
            raise ClosedError(f"{self!r} has no address any more")
        address: Address = self._sock.getsockname()
        return address

    @property
    def port(self) -> int:
        """The port of `local_address`.

        Raises:
            ClosedError: The transport is closed.
            TypeError: The socket is none that has ports.
        """
        address = self.local_address
        if not isinstance(address, tuple):
            raise TypeError(f"{self!r} has no port")
        return address[1]

    @property
    def peer_address(self) -> Address | None:
        """The address this is connected to; ``None`` if to none."""
        try:
            address: Address = self._sock.getpeername()
        except OSError:
            return None
        return address

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._sock.fileno() < 0

    @coroutine
    def recv_from(self, limit: int = LARGEST) -> Gen[tuple[bytes, Address]]:
        """Wait for a datagram, and return it and its sender's address.

        Args:
            limit: Most bytes to return; the rest of a longer datagram is lost.

        An empty datagram is one like any other: it ends nothing.

        Raises:
            ClosedError: This transport was closed by us.
            BusyError: Another task is already receiving.
            BrokenError: The network reports an error; ``__cause__`` is the ``OSError``, such as
                `ConnectionRefusedError`. The transport works on.
            ValueError: ``limit`` is below 1.

        Cancelling takes no datagram.

        Source: POSIX.1-2017 recvfrom().
        """
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        while True:
            self._watch.block_r()
            yield
            try:
                data, address = self._sock.recvfrom(limit)
            except BlockingIOError:
                continue
            except OSError as error:
                self._fail("receiving", error)
            return data, address

    @coroutine
    def recv(self, limit: int = LARGEST) -> Gen[bytes]:
        """Wait for a datagram and return it; of a connected socket it is the peer's.

        See `recv_from`.
        """
        data, _ = yield from self.recv_from(limit)
        return data

    @coroutine
    def send_to(self, data: Buffer, address: Address) -> Gen[None]:
        """Send one datagram to an address.

        Args:
            data: Its contents; none is fine.
            address: Numeric: a name would have to be looked up. See `getaddrinfo`.

        That it was sent does not say that it arrives. Cancelled, it was not sent.

        Raises:
            ClosedError: This transport was closed by us.
            BusyError: Another task is already waiting to send.
            BrokenError: As for `recv_from`; the datagram was not sent.
            ValueError: It is too long, or the address is no numeric one, or of another family, or
                its port is none.
        """
        _check_numeric(address)
        while True:
            try:
                self._sock.sendto(data, address)
            except BlockingIOError:
                self._watch.block_w()
                yield
            except OSError as error:
                self._fail(f"sending to {format_address(address)}", error)
            else:
                return

    @coroutine
    def send(self, data: Buffer) -> Gen[None]:
        """Send one datagram to the peer that this is connected to. See `send_to`.

        Raises:
            ValueError: This is connected to none, or ``data`` is too long.
        """
        while True:
            try:
                self._sock.send(data)
            except BlockingIOError:
                self._watch.block_w()
                yield
            except OSError as error:
                self._fail("sending", error)
            else:
                return

    @override
    def close(self) -> None:
        """Close the socket now. Tasks that wait get `ClosedError`. Idempotent."""
        self._watch.forget()
        self._sock.close()

    def _fail(self, doing: str, error: OSError) -> NoReturn:
        if self.closed:
            raise ClosedError(f"{doing} on a transport that was closed: {self!r}") from None
        if isinstance(error, socket.gaierror):  # an address of the other family
            raise ValueError(  # noqa: TRY004 - what is wrong is the address
                f"{doing} on {self!r}: {error.strerror}"
            ) from None
        if error.errno in {errno.EMSGSIZE, errno.EDESTADDRREQ, errno.EISCONN}:
            hint = ": send_to() takes one" if error.errno == errno.EDESTADDRREQ else ""
            raise ValueError(f"{doing} on {self!r}: {error.strerror}{hint}") from None
        raise BrokenError(f"{doing} on {self!r} failed: {error}") from error

    @override
    def __repr__(self) -> str:
        if self.closed:
            return "<DatagramTransport closed>"
        ends = format_address(self._sock.getsockname())
        if self.peer_address is not None:
            ends += f" to {format_address(self.peer_address)}"
        return f"<DatagramTransport {ends}>"

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        if sock is None or sock.fileno() < 0:
            return
        text = f"{self!r} was dropped without a close"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        with contextlib.suppress(WrongThreadError):  # the garbage collector runs in any thread
            self._watch.forget()
        sock.close()


def _check_numeric(address: Address) -> None:
    """Refuse a name: the socket would look it up, and the thread would wait."""
    if isinstance(address, tuple):
        import ipaddress

        check_port(address[1])

        try:
            ipaddress.ip_address(address[0])
        except ValueError as error:
            raise ValueError(f"{address[0]!r} is not a numeric address") from error
