"""HTTP proxies that open tunnels.

Source: RFC 9110 section 9.3.6 (CONNECT), section 15.2 (interim answers); RFC 9112 section 2.2
(lines that end with LF alone), section 3.2.3 (the request's form) and section 4 (the status line);
RFC 7617 (Basic credentials).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import ClassVar, Final, final

from tulip_net._address import format_address
from tulip_net._create_transport import Connector
from tulip_net._typing import override
from tulip_net.proxies._conversation import Conversation, Proxy, Refusal, encode_name

__all__ = ["HttpProxy", "connect_tunnel"]

LONGEST_HEAD: Final = 65536
"""Bytes; what servers commonly allow for a whole head."""

ENDS = b"\n\r\n", b"\n\n"
STATUS_LINE = rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: ([^\r\n]*))?\r?\n"
HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 section 5.1, token


@final
class HttpProxy(Proxy):
    """A `Connector` through an HTTP proxy, with CONNECT.

    Args:
        host: The proxy's name or address.
        port: The proxy's port.
        username: For Basic authentication; without a colon.
        password: Likewise. Whoever can listen between here and the proxy can read it.
        headers: More header fields for the proxy.
        through: Connects to the proxy; default: `create_transport`. For a proxy that is spoken to
            over TLS: ``functools.partial(create_transport, ssl=True)``.

    Raises:
        ValueError: An argument cannot be sent, or a password came without a username.
    """

    kind: ClassVar[str] = "HTTP"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        headers: Mapping[str, str] | None = None,
        through: Connector | None = None,
    ) -> None:
        super().__init__(host, port, through)
        fields = dict(headers or {})
        if username is not None:
            fields["Proxy-Authorization"] = _basic(username, password or "")
        elif password is not None:
            raise ValueError("a password for a proxy needs a username")
        self._fields = _write_fields(fields)

    @override
    def _converse(self, host: str, port: int) -> Conversation:
        return connect_tunnel(host, port, self._fields)


def connect_tunnel(host: str, port: int, fields: bytes = b"") -> Conversation:
    """Ask for a tunnel to ``host``.

    Args:
        host: A name or an address.
        port: Its port.
        fields: Header fields, each with its line end.
    """
    name = encode_name(host).decode("ascii")
    where = format_address((name, port)).encode("ascii")
    request = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (where, where, fields)
    while True:
        head = yield from _read_head(request)
        status_line = re.match(STATUS_LINE, head)
        if status_line is None:
            raise Refusal(f"it answered {head[:60]!r}, which is not HTTP")
        code = int(status_line[1])
        if code >= 300:
            words = (status_line[2] or b"").decode("latin-1").strip()
            raise Refusal(f"it answered {code} {words}".rstrip(), code)
        if code >= 200:
            return
        request = b""  # an interim answer: the final one follows


def _read_head(request: bytes) -> Generator[tuple[bytes, int], bytes, bytes]:
    """Send the request, and return everything up to the empty line, and not a byte more."""
    head = b""
    while not head.endswith(ENDS):
        if len(head) > LONGEST_HEAD:
            raise Refusal(f"it answered with a head of more than {LONGEST_HEAD} bytes")
        if head[:7] != b"HTTP/1."[: len(head)]:
            raise Refusal(f"it answered {head[:60]!r}, which is not HTTP")
        # As many as are missing at least, if what came last is a part of the end already.
        head += yield request, 1 if head.endswith((b"\n", b"\n\r")) else 2
        request = b""
    return head


def _basic(username: str, password: str) -> str:
    if ":" in username:
        raise ValueError(f"Basic authentication has no way to send a colon in {username!r}")
    import base64

    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _write_fields(fields: Mapping[str, str]) -> bytes:
    for name, value in fields.items():
        if not re.fullmatch(HEADER_NAME, name) or any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name!r}: {value!r} is not a header field")
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
