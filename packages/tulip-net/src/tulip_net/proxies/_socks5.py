"""SOCKS5.

Source: RFC 1928 (the protocol; section 6 for the replies), RFC 1929 (username and password).
"""

from __future__ import annotations

from typing import ClassVar, Final, final

from tulip_net._create_transport import Connector
from tulip_net._typing import override
from tulip_net.proxies._conversation import (
    Conversation,
    Proxy,
    Refusal,
    encode_name,
    literal_address,
)

__all__ = ["Socks5Proxy", "socks5"]

VERSION: Final = 5
NO_AUTHENTICATION, USERNAME_PASSWORD, NONE_OF_THEM = 0, 2, 255
CONNECT: Final = 1
IPV4, NAME, IPV6 = 1, 3, 4

REPLIES: Final = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
"""RFC 1928 section 6."""


@final
class Socks5Proxy(Proxy):
    """A `Connector` through a SOCKS5 proxy; it is the proxy that looks names up.

    Args:
        host: The proxy's name or address.
        port: The proxy's port.
        username: 1 to 255 bytes in UTF-8.
        password: Likewise. Whoever can listen between here and the proxy can read it.
        through: Connects to the proxy; default: `create_transport`.

    Raises:
        ValueError: An argument cannot be sent, or only one of username and password was given.
    """

    kind: ClassVar[str] = "SOCKS5"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        through: Connector | None = None,
    ) -> None:
        super().__init__(host, port, through)
        self._credentials: tuple[bytes, bytes] | None = None
        if username is not None or password is not None:
            self._credentials = ((username or "").encode(), (password or "").encode())
            if not all(1 <= len(each) <= 255 for each in self._credentials):
                raise ValueError("SOCKS5 needs a username and a password of 1 to 255 bytes each")

    @override
    def _converse(self, host: str, port: int) -> Conversation:
        return socks5(host, port, self._credentials)


def socks5(host: str, port: int, credentials: tuple[bytes, bytes] | None = None) -> Conversation:
    """Ask for a connection to ``host``.

    Args:
        host: A name or an address.
        port: Its port.
        credentials: Username and password, offered if the proxy wants them.
    """
    where = _write_address(host)
    methods = bytes([NO_AUTHENTICATION] if credentials is None else [0, USERNAME_PASSWORD])
    answer = yield bytes([VERSION, len(methods)]) + methods, 2
    _check_version(answer[0], VERSION)
    if answer[1] == USERNAME_PASSWORD and credentials is not None:
        yield from _authenticate(*credentials)
    elif answer[1] == NONE_OF_THEM:
        lacking = "a username and a password" if credentials is None else "another authentication"
        raise Refusal(f"it wants {lacking}", NONE_OF_THEM)
    elif answer[1] != NO_AUTHENTICATION:
        raise Refusal(f"it chose authentication {answer[1]}, which was not offered", answer[1])
    reply = yield bytes([VERSION, CONNECT, 0]) + where + port.to_bytes(2, "big"), 4
    _check_version(reply[0], VERSION)
    if reply[1]:
        raise Refusal(
            f"it answered {REPLIES.get(reply[1], 'an unknown code')} ({reply[1]})", reply[1]
        )
    yield from _skip_address(reply[3])


def _authenticate(username: bytes, password: bytes) -> Conversation:
    request = b"\x01%c%b%c%b" % (len(username), username, len(password), password)
    version, status = yield request, 2
    _check_version(version, 1)
    if status:
        raise Refusal("it does not accept the username and password", status)


def _skip_address(kind: int) -> Conversation:
    """Read the address from which the proxy connects; it says little and nobody wants it."""
    sizes = {IPV4: 4, IPV6: 16}
    if kind == NAME:
        (length,) = yield b"", 1
    elif kind in sizes:
        length = sizes[kind]
    else:
        raise Refusal(f"it answered with an address of the unknown kind {kind}")
    yield b"", length + 2


def _write_address(host: str) -> bytes:
    address = literal_address(host)
    if address is None:
        name = encode_name(host)
        return bytes([NAME, len(name)]) + name
    return bytes([IPV4 if address.version == 4 else IPV6]) + address.packed


def _check_version(version: int, expected: int) -> None:
    if version != expected:
        raise Refusal(f"it answered with version {version} instead of {expected}: not SOCKS5")
