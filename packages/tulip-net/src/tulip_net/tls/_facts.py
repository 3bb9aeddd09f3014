"""What is known of a TLS connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tulip_net._address import Address, format_address
from tulip_net._transport import Transport
from tulip_net._typing import override

if TYPE_CHECKING:
    import ssl

__all__ = ["Facts"]


class Facts:
    """The facts of a connection, asked of those who know them when somebody asks."""

    __slots__ = ()

    if TYPE_CHECKING:
        _inner: Transport

    _tls: ssl.SSLObject
    _closed: bool

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def inner(self) -> Transport:
        """What TLS is spoken over: for the options of its socket, for one.

        Not to be sent or received on: the two ends would not understand each other any more.
        """
        return self._inner

    @property
    def local_address(self) -> Address | None:
        """Our end's address; ``None`` where there is none."""
        address: Address | None = getattr(self._inner, "local_address", None)
        return address

    @property
    def peer_address(self) -> Address | None:
        """The other end's address; ``None`` where there is none."""
        address: Address | None = getattr(self._inner, "peer_address", None)
        return address

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
        """The peer's certificate in DER; ``None`` if it sent none.

        Whose it is, `peer_names` and `peer_subject` say.
        """
        return self._tls.getpeercert(binary_form=True)

    @property
    def peer_names(self) -> tuple[tuple[str, str], ...]:
        """Whom the peer's certificate was issued to: pairs such as ``("DNS", "a.example")``.

        The kinds are those of `ssl.SSLSocket.getpeercert`: also ``"email"``, ``"URI"``, ``"IP
        Address"`` and others. Empty if it names nobody, and if the certificate was not verified:
        anybody can write a name into one of his own.

        Source: RFC 5280 section 4.2.1.6 (subjectAltName).
        """
        # What typeshed says of the fields is what any of them may be.
        return cast("tuple[tuple[str, str], ...]", self._field("subjectAltName"))

    @property
    def peer_subject(self) -> tuple[tuple[str, str], ...]:
        """The subject of the peer's certificate: pairs such as ``("commonName", "worker 7")``.

        Empty where `peer_names` would be. Source: RFC 5280 section 4.1.2.6.
        """
        found = cast("tuple[tuple[tuple[str, str], ...], ...]", self._field("subject"))
        return tuple(pair for pairs in found for pair in pairs)

    def _field(self, name: str) -> object:
        """Return a field of the peer's certificate, if that was verified and has it."""
        return (self._tls.getpeercert() or {}).get(name, ())

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
        state = "closed" if self._closed else "open"
        return f"<SslTransport to {format_address(self.peer_address)} {state}>"
