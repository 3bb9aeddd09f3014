"""What is said to a proxy, apart from how it gets there.

A protocol is a generator without I/O, a `Conversation`: it yields what to send and how many bytes
of answer it needs, and is resumed with exactly so many. None ever asks for a byte too many, because
what follows the proxy's last answer belongs to whoever uses the connection: a server may speak
first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from tulip_net._address import check_host, check_port, format_address
from tulip_net._create_transport import Connector, create_transport
from tulip_net._errors import IncompleteReadError, NetError, ProxyError
from tulip_net._transport import Transport
from tulip_net._typing import override
from tulip_sched import Gen, coroutine

if TYPE_CHECKING:
    import ipaddress

__all__ = ["Conversation", "Proxy", "Refusal", "encode_name", "literal_address"]

Conversation: TypeAlias = Generator[tuple[bytes, int], bytes, None]
"""Yields what to send and how many bytes must come back; raises `Refusal`."""


class Refusal(Exception):  # noqa: N818 - not an error yet: it lacks who refuses what
    """What a proxy answered instead of connecting.

    Args:
        reason: In words.
        code: As a number, where it gave one.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason, code)
        self.reason = reason
        self.code = code


class Proxy(ABC):
    """A `Connector` that has a proxy connect for it. The kinds differ in what they say to it."""

    kind: ClassVar[str]

    def __init__(self, host: str, port: int, through: Connector | None) -> None:
        check_port(port, lowest=1)
        encode_name(check_host(host))
        self._host = host
        self._port = port
        self._through = through or create_transport

    @coroutine
    def __call__(self, host: str, port: int, /) -> Gen[Transport]:
        """Connect to the proxy, have it connect to ``host``, and return the transport.

        Args:
            host: A name, which is looked up by the proxy, or an address.
            port: 1 to 65535.

        Raises:
            ProxyError: The proxy could not be reached, did not understand, or refused.
            ValueError: ``host`` or ``port`` is none.
            TypeError: One is of another type, such as None.

        Cancelling closes the connection to the proxy.
        """
        check_host(host)
        check_port(port, lowest=1)
        target = format_address((host, port))
        conversation = self._converse(host, port)
        request = next(conversation)  # what cannot be asked for is not worth a connection
        try:
            transport = yield from self._through(self._host, self._port)
        except ProxyError:
            raise  # another one, which was in the way to this one
        except NetError as error:
            raise ProxyError(repr(self), target, f"it cannot be reached ({error})") from error
        try:
            yield from _hold(conversation, request, transport)
        except Refusal as refusal:
            transport.close()
            raise ProxyError(repr(self), target, refusal.reason, refusal.code) from None
        except NetError as error:
            transport.close()
            raise ProxyError(repr(self), target, f"it left ({error})") from error
        except BaseException:
            transport.close()
            raise
        return transport

    @abstractmethod
    def _converse(self, host: str, port: int) -> Conversation: ...

    @override
    def __repr__(self) -> str:
        # Without credentials: this ends up in logs.
        return f"{self.kind} proxy {format_address((self._host, self._port))}"


@coroutine
def _hold(
    conversation: Conversation, request: tuple[bytes, int], transport: Transport
) -> Gen[None]:
    while True:
        data, count = request
        if data:
            yield from transport.send(data)
        answer = yield from _receive(transport, count)
        try:
            request = conversation.send(answer)
        except StopIteration:
            return


@coroutine
def _receive(transport: Transport, count: int) -> Gen[bytes]:
    answer = b""
    while len(answer) < count:
        data = yield from transport.recv(count - len(answer))
        if not data:
            raise IncompleteReadError(answer, count)
        answer += data
    return answer


def literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that ``host`` is, or ``None`` if it is a name."""
    import ipaddress

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def encode_name(host: str) -> bytes:
    """Return a host name as it goes over the wire.

    Raises:
        ValueError: It is empty, is no name, or has characters that could end the request early.
    """
    try:
        name = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not a host name ({error})") from error
    if not name or len(name) > 255 or not all(33 <= byte <= 126 for byte in name):
        raise ValueError(f"{host!r} is not a host name")
    return name
