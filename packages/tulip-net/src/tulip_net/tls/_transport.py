"""What the two ways of running TLS have in common."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO

from tulip_net._address import Address, format_address
from tulip_net._closable import Closable
from tulip_net._send_file import FilePart, send_by_reading
from tulip_net._typing import override
from tulip_sched import Coroutine, Gen, coroutine

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Buffer

__all__ = ["RECORD", "SslTransport"]

RECORD = 16384
"""The most plaintext bytes in one TLS record (RFC 8446 section 5.1)."""


class SslTransport(Closable, ABC):
    """A `Transport` over TLS, client or server; made by `start_tls` and `create_transport`.

    `close` drops the connection without a word, and the peer sees a stream cut short, as it
    should if we had to stop half-way. `aclose` ends the stream properly. So do the ends of ``with``
    and ``async with``, each in its way; an error that leaves ``async with`` drops the connection.

    Attributes:
        local_address: Our end's address; ``None`` where there is none.
        peer_address: The other end's address; ``None`` where there is none.
        server_hostname: The name the server's certificate was checked against; ``None`` on the
            server's side.
    """

    __slots__ = ("__weakref__", "_unsent", "local_address", "peer_address", "server_hostname")

    _unsent: int
    local_address: Address | None
    peer_address: Address | None
    server_hostname: str | None

    @property
    @abstractmethod
    def unsent(self) -> int:
        """How many bytes of the last `send` were not taken when it was cancelled or failed.

        TLS sends whole records: bytes of a record that was begun count as sent, and go out with
        the next `send` or with `aclose`.
        """

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether `close` was called."""

    @abstractmethod
    def recv(self, limit: int) -> Coroutine[bytes]:
        """Wait for data and return some of it. See `Transport.recv`.

        Raises:
            TruncatedError: The peer left without ending the stream, and ``truncation_ok`` was not
                given.
            TlsError: What came is not TLS, or was tampered with.
        """

    @abstractmethod
    def recv_into(self, buffer: Buffer) -> Coroutine[int]:
        """Wait for data and put it into ``buffer``. See `Transport.recv_into` and `recv`."""

    @abstractmethod
    def send(self, data: Buffer, /, *more: Buffer) -> Coroutine[None]:
        """Send all of ``data``, and of ``more``. See `Transport.send`.

        Several buffers are copied together first, so that they share records.
        """

    @coroutine
    def send_file(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> Gen[int]:
        """Send a file, or a part of it. See `Transport.send_file`."""
        return (yield from send_by_reading(self, FilePart(file, offset, count)))

    @abstractmethod
    def send_eof(self) -> Coroutine[None]:
        """Tell the peer that nothing more will come; receiving goes on.

        Raises:
            ValueError: The transport was not made with ``half_close=True``. (The direct way
                cannot: where OpenSSL's end meets data on its way in, that data is lost.)
        """

    @abstractmethod
    @override
    def close(self) -> None:
        """Drop the connection now, without a word to the peer. See `Transport.close`."""

    @abstractmethod
    @override
    def aclose(self) -> Coroutine[None]:
        """End the TLS stream, wait for the peer to do so too, but not for long, and `close`.

        What the peer still sends meanwhile is dropped. A task that waits on this transport gets
        `ClosedError`.

        Source: RFC 8446 section 6.1.
        """

    @property
    @abstractmethod
    def _tls(self) -> ssl.SSLSocket | ssl.SSLObject: ...

    @property
    def version(self) -> str | None:
        """The TLS version in use, such as ``"TLSv1.3"``."""
        return self._tls.version()

    @property
    def cipher(self) -> tuple[str, str, int] | None:
        """The cipher's name, the version that defined it, and its secret bits."""
        return self._tls.cipher()

    @property
    def alpn_protocol(self) -> str | None:
        """The application protocol both sides agreed on; ``None`` if none was."""
        return self._tls.selected_alpn_protocol()

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER; ``None`` if it sent none."""
        return self._tls.getpeercert(binary_form=True)

    @property
    def session(self) -> ssl.SSLSession | None:
        """The session, for a later `start_tls` to the same server to resume.

        With TLS 1.3 the server sends it after the handshake: read something first. Take it
        before this transport is closed.
        """
        return self._tls.session

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._tls.session_reused)

    @override
    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<SslTransport to {format_address(self.peer_address)} {state}>"

    def __del__(self) -> None:
        try:
            unclosed = not self.closed
        except AttributeError:
            return  # __init__ failed
        if unclosed:
            text = f"{self!r} was dropped without a close"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)
            self._drop()

    @abstractmethod
    def _drop(self) -> None: ...
