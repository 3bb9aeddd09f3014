"""What a server says."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, final

from tulip_http._headers import Headers, HeaderTypes

# What says where the body ends is said here, and nowhere else.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


@final
@dataclass(frozen=True)
class Answer:
    """A response to be sent.

    Attributes:
        status: 200 to 599.
        body: As it is sent.
        headers: Content-Length is added.
    """

    status: int = 200
    body: bytes = b""
    headers: HeaderTypes | None = None

    def serialize(self, method: str) -> bytes:
        """Return the bytes of the answer to a request with this method."""
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = ""
        fields = [pair for pair in Headers(self.headers).raw if pair[0].lower() not in _FRAMING]
        bodiless = self.status in {204, 304}
        if not bodiless:
            fields.append((b"Content-Length", str(len(self.body)).encode()))
        head = f"HTTP/1.1 {self.status} {reason}\r\n".encode() + Headers(fields).block() + b"\r\n"
        return head if bodiless or method == "HEAD" else head + self.body
