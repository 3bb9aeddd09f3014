"""A transport over a connected socket.

The rules that hold here:

1. A receive is tried at once only when there is likely to be something: after one that filled its
   limit. After a short one the kernel has no more. At first nobody knows: a client has asked for
   nothing yet, and of a new client the server mostly hears a moment later. A failed ``recv`` costs
   1.2 microseconds, and a wait no more than the registration that all but the shortest connections
   need anyway (benchmarks/accept).
2. Receiving on a closed transport runs into the closed socket, so that the ordinary path needs no
   test for it.
3. What not every connection needs is made when it is needed: the `Watch` by the first wait.
4. With TCP the kernel tells of input once, when it comes, to a connection that lasts (`EARLY`). So
   after a receive that did not show that there is no more, as when it failed, the next one tries
   before it waits.
5. A connection that was lost has no end; see `_socket_sending`, where sending is.
6. However fast the peer sends, the others have their turn now and then; see `_turns`.
"""

from __future__ import annotations

import contextlib
import socket
import warnings
from typing import TYPE_CHECKING, Final, NoReturn, final

from tulip_net._address import Address, format_address
from tulip_net._socket_sending import SocketSending
from tulip_net._turns import CALL, TURN
from tulip_net._typing import override
from tulip_sched import BusyError, ClosedError, Gen, WrongThreadError, coroutine, sleep

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["SocketTransport"]

RECEIVED: Final = 120 * 1024
"""Most bytes received at once, whatever the limit: a buffer is made for as many before anybody
knows how many have come. From 128 KiB on glibc maps pages for it: then a KiB took 20 microseconds
instead of 7 (mallopt(3), ``M_MMAP_THRESHOLD``)."""


@final
class SocketTransport(SocketSending):
    """A `Transport` over a connected stream socket: TCP, Unix, or one end of a pair.

    Args:
        sock: The socket. The transport owns it from now on and makes it non-blocking.

    Raises:
        ValueError: ``sock`` is no stream socket, or it is closed.

    Attributes:
        local_address: Our end's address.
        peer_address: The other end's address; ``None`` if it was gone before we could ask.
    """

    __slots__ = ("__weakref__", "_full", "_ready", "peer_address")

    def __init__(self, sock: socket.socket) -> None:
        if sock.type != socket.SOCK_STREAM or sock.fileno() < 0:
            raise ValueError(f"a transport needs an open stream socket, got {sock!r}")
        peer_address: Address | None = None
        with contextlib.suppress(OSError):
            peer_address = sock.getpeername()
        self._begin(sock, peer_address)

    @classmethod
    def _accepted(cls, sock: socket.SocketType, peer_address: Address) -> SocketTransport:
        """Return a transport over what ``accept`` gave, which needs no more questions."""
        transport = cls.__new__(cls)
        transport._begin(sock, peer_address)
        return transport

    def _begin(self, sock: socket.SocketType, peer_address: Address | None) -> None:
        sock.setblocking(False)
        self._watch = None
        self._sock = sock
        self._ready = self._sending = self._ended = False
        self._unsent = self._full = 0
        self._failure = None
        self.peer_address: Address | None = peer_address

    @property
    def local_address(self) -> Address:
        """Our end's address.

        Raises:
            ClosedError: The transport is closed: there is no such end any more.
        """
        try:
            address: Address = self._sock.getsockname()
        except OSError as error:
            self._fail("asking for the address", error)
        return address

    @property
    def disturbed(self) -> bool:
        """Whether something has come since the last `recv`, data or an end, that nobody waited for.

        As far as the event loop has seen: it asks nobody. Where it is false, something may have
        come since the last poll; where it is true, it may be of no importance.
        """
        # After a receive that may have left something behind, there may be no other event (rule 4).
        return self._ready or (self._watch is not None and self._watch.missed())

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:  # noqa: C901 - every message's path, flat
        """Wait for data and return between 1 and ``limit`` bytes of it, or ``b""`` at the end.

        See `Transport.recv`.

        Source: POSIX.1-2017 recv(); RFC 9293 section 3.10.7.
        """
        if limit < 1:
            raise ValueError(f"read limit must be at least 1, got {limit}")
        if limit > RECEIVED:  # noqa: PLR1730 - the call of min() shows (benchmarks/echo)
            limit = RECEIVED
        while True:
            if not self._ready:
                (self._watch or self._start_watch()).block_r()
                yield
            elif self._full > TURN:
                self._full = 0
                yield from sleep(0)  # rule 6
            try:
                data = self._sock.recv(limit)
            except BlockingIOError:
                self._ready = False
            except Exception as error:  # noqa: BLE001 - raised again
                self._fail_receiving(error)
            else:
                if len(data) == limit or not data:
                    self._ready = True
                    self._full += limit + CALL
                    if not data and self._failure is not None:
                        self._fail("receiving", self._failure)  # rule 5
                elif self._ready:
                    self._ready = False
                return data

    @coroutine
    def recv_into(self, buffer: Buffer) -> Gen[int]:
        """Wait for data, put it into ``buffer``, and return how many bytes it was; 0 at the end.

        See `Transport.recv_into`.
        """
        room = memoryview(buffer).nbytes
        if not room:
            raise ValueError("cannot receive into a buffer of 0 bytes")
        while True:
            if not self._ready:
                (self._watch or self._start_watch()).block_r()
                yield
            elif self._full > TURN:
                self._full = 0
                yield from sleep(0)  # rule 6
            try:
                count = self._sock.recv_into(buffer)
            except BlockingIOError:
                self._ready = False
            except Exception as error:  # noqa: BLE001 - raised again
                self._fail_receiving(error)
            else:
                self._ready = count == room or not count
                if self._ready:
                    self._full += room + CALL
                if self._failure is not None and not count:
                    self._fail("receiving", self._failure)  # rule 5
                return count

    @override
    def close(self) -> None:
        """Close the socket now. See `Transport.close`.

        The kernel goes on sending what it has taken, unless data has come that nobody read.
        """
        self._ready = True  # rule 2
        if self._watch is not None:
            self._watch.forget()
        self._sock.close()

    def detach(self) -> socket.socket:
        """Give the socket away, still open and non-blocking; the transport is closed thereby.

        Raises:
            BusyError: A task is waiting on this transport.
            ClosedError: It is closed.
        """
        # A second object for the same file: ours keeps its place, and is closed from now on.
        old = self._let_go()
        sock = socket.socket(old.family, old.type, old.proto, fileno=old.detach())
        sock.setblocking(False)
        return sock

    def _let_go(self) -> socket.SocketType:
        """Give up the socket, which the caller detaches: the transport is closed by that."""
        if self.closed:
            raise ClosedError(f"{self!r} has no socket any more")
        self._check_idle()
        if self._watch is not None:
            self._watch.forget()
        self._ready = True
        return self._sock

    def _check_idle(self) -> None:
        """Raise `BusyError` if a task is waiting on it."""
        if self._watch is not None and not self._watch.idle():
            raise BusyError(f"a task is waiting on {self!r}")

    def _fail_receiving(self, error: Exception) -> NoReturn:
        self._ready = True  # rule 4
        if isinstance(error, OSError):
            self._fail("receiving", error)
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    @override
    def __repr__(self) -> str:
        state = "closed" if self.closed else f"fd={self._sock.fileno()}"
        return f"<SocketTransport to {format_address(self.peer_address)} {state}>"

    def __del__(self) -> None:
        try:
            sock = self._sock
        except AttributeError:  # `__init__` refused it
            return
        if sock.fileno() < 0:
            return
        text = f"{self!r} was dropped without a close"
        warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
        with contextlib.suppress(WrongThreadError):
            # If it is collected in another thread, the next Watch of this number sweeps up.
            if self._watch is not None:
                self._watch.forget()
        sock.close()
