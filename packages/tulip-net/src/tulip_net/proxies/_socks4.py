"""SOCKS4a: SOCKS4, and names.

Source: "SOCKS: A protocol for TCP proxy across firewalls" (Y. Lee, 1992) and "SOCKS 4A: A Simple
Extension to SOCKS 4 Protocol", both in the archive of OpenSSH and in that of NEC.
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

__all__ = ["Socks4Proxy", "socks4"]

GRANTED: Final = 90

REPLIES: Final = {
    91: "rejected, or failed",
    92: "it cannot ask identd here who we are",
    93: "identd here says that we are somebody else",
}

NAME_FOLLOWS: Final = b"\0\0\0\x01"
"""An address that cannot be: 0.0.0.x, with x above 0, says that a name follows."""


@final
class Socks4Proxy(Proxy):
    """A `Connector` through a SOCKS4a proxy; it is the proxy that looks names up.

    Args:
        host: The proxy's name or address.
        port: The proxy's port.
        username: The protocol's only credential: it has no password, and no IPv6 addresses.
        through: Connects to the proxy; default: `create_transport`.

    Raises:
        ValueError: An argument cannot be sent.
    """

    kind: ClassVar[str] = "SOCKS4a"

    def __init__(
        self, host: str, port: int, *, username: str = "", through: Connector | None = None
    ) -> None:
        super().__init__(host, port, through)
        self._username = username.encode()
        if b"\0" in self._username:
            raise ValueError(f"SOCKS4 has no way to send a null byte in {username!r}")

    @override
    def _converse(self, host: str, port: int) -> Conversation:
        return socks4(host, port, self._username)


def socks4(host: str, port: int, username: bytes = b"") -> Conversation:
    """Ask for a connection to ``host``, a name or an IPv4 address."""
    address = literal_address(host)
    if address is None:
        where, name = NAME_FOLLOWS, encode_name(host) + b"\0"
    elif address.version == 4 and not (0 < int(address) < 256):
        where, name = address.packed, b""
    else:  # 0.0.0.x would have the proxy wait for a name
        raise ValueError(f"SOCKS4 has no way to send the address {host}")
    request = b"\x04\x01" + port.to_bytes(2, "big") + where + username + b"\0" + name
    version, code, *_ = yield request, 8
    if version:
        raise Refusal(f"it answered with version {version} instead of 0: not SOCKS4")
    if code != GRANTED:
        raise Refusal(f"it answered {REPLIES.get(code, 'an unknown code')} ({code})", code)
