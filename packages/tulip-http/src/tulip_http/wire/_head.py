"""The head of a response: its status line and header fields, taken apart when asked for.

Most programs look at the status and at one or two fields, and the exchange itself needs to know
little more than that a field is *not* there. So a head that llhttp has accepted is kept as it came,
and cut into pairs at the first question that needs them. llhttp has refused whatever could be cut
in two ways (folded lines, NUL, a bare CR), so the cutting is a matter of line ends and colons;
`tests/http/test_plain.py` compares it with what llhttp itself hands out.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias, final

from tulip_http._errors import RemoteProtocolError

Fields: TypeAlias = list[tuple[bytes, bytes]]
"""Header fields in the order they came."""

WITHOUT_BODY: Final = frozenset({"HEAD", "CONNECT"})
"""Methods whose answer may announce a body that does not come: llhttp cannot be told."""

# RFC 9110 section 10.1.4: what a server may use that is told nothing. identity was one once.
_TRANSFER_CODINGS: Final = frozenset({b"chunked", b"identity", b""})

# Whether there is such a field, seen without taking the head apart. The search skips from one line
# end to the next; lower() and find() cost a third more.
_KEPT: Final = re.compile(rb"\n(?i:keep-alive):")
_CODED: Final = re.compile(rb"\n(?i:content-encoding):")
_CHUNKED: Final = b"\r\nTransfer-Encoding: chunked\r\n"
_TRANSFERRED: Final = re.compile(rb"\n(?i:transfer-encoding):[ \t]*([^\r\n]*)")
_KEEP_ALIVE: Final = rb"(?i)(?:^|,)\s*timeout\s*=\s*\"?(\d{1,9})"


def is_usual(raw: bytes) -> bool:
    """Say whether a head has no transfer coding but chunked, in the way that costs least to see.

    What comes after chunked may be another: then the body lasts until the end of the connection,
    and is looked at once more. (What follows the head can only spare a server the refusal.)
    """
    if _CHUNKED in raw:
        return True
    found = _TRANSFERRED.search(raw)
    return found is None or found[1] == b"chunked"


@final
class ResponseHead:
    """Status line and header fields, as they came.

    Args:
        version: "HTTP/1.1" or "HTTP/1.0".
        status: Three digits.
        raw: All of it, if llhttp has accepted it; ``reason`` and ``fields`` are then taken from it.
        reason: The words after the status.
        fields: The header fields.
        trailers: Fields after the body: they appear there when they come.
    """

    __slots__ = ("_fields", "_raw", "_reason", "_trailers", "status", "version")

    def __init__(
        self,
        version: str,
        status: int,
        raw: bytes | None,
        reason: bytes = b"",
        fields: Fields | None = None,
        trailers: Fields | None = None,
    ) -> None:
        self.version: str = version
        self.status: int = status
        self._raw = raw
        self._reason = reason
        self._fields = fields
        self._trailers = trailers

    @property
    def reason(self) -> bytes:
        """The words after the status, ``b""`` where there are none."""
        if self._raw is not None and self._fields is None:
            self._cut(self._raw)
        return self._reason

    @property
    def fields(self) -> Fields:
        """The header fields in the order they came."""
        if self._fields is None:
            self._cut(self._raw or b"")
        assert self._fields is not None
        return self._fields

    @property
    def trailers(self) -> Fields:
        """The fields after the body, as far as they have come."""
        return self._trailers or []

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of the fields with this (lower-case) name."""
        return [value for field, value in self.fields if field.lower() == name]

    def codings(self) -> list[bytes]:
        """Return the values of Content-Encoding; mostly there is none, and this is quick then."""
        if self._raw is not None and _CODED.search(self._raw) is None:
            return []
        return self.values(b"content-encoding")

    def transfer_codings(self) -> list[bytes]:
        """Return the transfer codings in lower case, the one that was applied last last."""
        told = b",".join(self.values(b"transfer-encoding")).lower()
        return [coding.strip() for coding in told.split(b",")] if told else []

    def check(self, method: str) -> None:
        """Refuse what llhttp does not mind in the answer to a request with this method.

        Raises:
            RemoteProtocolError: There is no such status, or the body would be taken for what it is
                not: it has a transfer coding that nobody asked for.
        """
        if self.status < 100:
            raise RemoteProtocolError(f"there is no status {self.status:03}")
        unknown = set(self.transfer_codings()) - _TRANSFER_CODINGS
        if unknown and method not in WITHOUT_BODY and self.status not in {204, 304}:
            told = b", ".join(sorted(unknown))
            raise RemoteProtocolError(f"Transfer-Encoding {told!r} is not what was asked for")

    def options(self) -> list[bytes]:
        """Return what the Connection fields say, in lower case."""
        return b",".join(self.values(b"connection")).lower().translate(None, b" \t").split(b",")

    def persists(self) -> bool:
        """Say whether the connection stays open after this response (RFC 9112 section 9.3)."""
        options = self.options()
        return b"close" not in options and (self.version == "HTTP/1.1" or b"keep-alive" in options)

    def kept_for(self) -> float:
        """Return for how many seconds the server keeps the connection, as far as it says so.

        Source: RFC 2068 section 19.7.1.1; apache2 and hypercorn send ``Keep-Alive: timeout=5``.
        """
        if self._raw is not None and _KEPT.search(self._raw) is None:
            return math.inf
        found = re.search(_KEEP_ALIVE, b",".join(self.values(b"keep-alive")))
        # A tenth less: the request must arrive before the server's own clock has run out.
        return math.inf if found is None else int(found[1]) * 0.9

    def _cut(self, raw: bytes) -> None:
        fields: Fields = []
        line, *lines = raw.split(b"\n")  # RFC 9112 section 2.2: the CR may be missing
        self._reason = line.removesuffix(b"\r")[13:]  # after "HTTP/1.1 200 "
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                break  # the empty line: what follows it is body
            fields.append((name, value.removesuffix(b"\r").lstrip(b" \t")))
        self._fields = fields
