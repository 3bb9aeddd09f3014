"""What can go wrong on a network, sorted by who must act.

*You misused it*: `BusyError` and `ClosedError` come from the layers below; `ValueError` and
`TypeError` are Python's own. *The world failed*: everything here, under `NetError`, so that one
``except`` is enough for a program that only wants to give up in good order. The operating system's
own error is the ``__cause__``.

Every class keeps its values as its arguments and makes the message from them, so all of them
pickle.
"""

from __future__ import annotations

import errno
from typing import Final, final

from tulip_net._typing import override

__all__ = [
    "LOSSES",
    "BrokenError",
    "CertificateError",
    "ConnectError",
    "IncompleteReadError",
    "LimitError",
    "NetError",
    "ProxyError",
    "ResolveError",
    "TlsError",
    "TruncatedError",
]


LOSSES: Final = {
    *(errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
    *(errno.EHOSTUNREACH, errno.ENETUNREACH),
}
"""What the kernel says of a connection that it has given up. Not ``EPIPE``: that also comes after
an end that the peer did send."""


class NetError(Exception):
    """The network, or the program at its other end, failed."""


class BrokenError(NetError):
    """A connection that worked has failed; ``__cause__`` is the ``OSError`` where there is one."""


@final
class IncompleteReadError(NetError):
    """The stream ended before all that was asked for had come.

    Attributes:
        partial: What came before the end.
        expected: How many bytes were asked for; ``None`` if the question was for a separator.
        stream: Which stream it was, as its ``repr`` tells.
    """

    def __init__(
        self, partial: bytes, expected: int | None = None, stream: str = "the stream"
    ) -> None:
        super().__init__(partial, expected, stream)
        self.partial = partial
        self.expected = expected
        self.stream = stream

    @override
    def __str__(self) -> str:
        if self.expected is not None:
            return f"{self.stream} ended after {len(self.partial)} of {self.expected} bytes"
        if not self.partial:
            return f"{self.stream} ended, and nothing more had come"
        return f"{self.stream} ended before the separator, after {self.partial[-40:]!r}"


@final
class LimitError(NetError):
    """No separator within the limit; everything is still in the reader's buffer.

    Attributes:
        limit: The limit in bytes.
        partial: What has come so far; it stays in the buffer, for `BufferedReader.read` to take.
    """

    def __init__(self, limit: int, partial: bytes) -> None:
        super().__init__(limit, partial)
        self.limit = limit
        self.partial = partial

    @override
    def __str__(self) -> str:
        return (
            f"no separator within the limit of {self.limit} bytes; it begins {self.partial[:40]!r}"
        )


@final
class ResolveError(NetError):
    """A name has no address; ``__cause__`` is the ``socket.gaierror`` or ``UnicodeError``.

    Attributes:
        host: The name that was looked up.
        reason: The resolver's answer in words.
    """

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"cannot resolve {self.host!r}: {self.reason}"


@final
class ConnectError(NetError):
    """No address accepted a connection.

    Attributes:
        target: What was asked for, such as ``"example.org:443"``.
        failures: Each address that was tried, in the order of failure, and its error.
    """

    def __init__(self, target: str, failures: tuple[tuple[str, OSError], ...]) -> None:
        super().__init__(target, failures)
        self.target = target
        self.failures = failures

    @override
    def __str__(self) -> str:
        reasons = "; ".join(
            # A literal address is not said twice.
            ("" if address == self.target else f"{address}: ") + (error.strerror or str(error))
            for address, error in self.failures
        )
        return f"cannot connect to {self.target}: {reasons}"


@final
class ProxyError(NetError):
    """A proxy did not make the connection; where it could not be reached, ``__cause__`` says why.

    Attributes:
        proxy: Which one, such as ``"SOCKS5 proxy 127.0.0.1:1080"``.
        target: Where it was to connect to, such as ``"example.org:443"``.
        reason: What it answered, in words.
        code: What it answered, as a number: an HTTP status, or the reply code of SOCKS; ``None``
            if it did not get that far.
    """

    def __init__(self, proxy: str, target: str, reason: str, code: int | None = None) -> None:
        super().__init__(proxy, target, reason, code)
        self.proxy = proxy
        self.target = target
        self.reason = reason
        self.code = code

    @override
    def __str__(self) -> str:
        return f"{self.proxy} does not connect to {self.target}: {self.reason}"


class TlsError(BrokenError):
    """TLS failed: in the handshake, or on a bad record; ``__cause__`` is the ``ssl.SSLError``."""


@final
class CertificateError(TlsError):
    """The peer's certificate does not verify.

    Attributes:
        host: The name the certificate had to be good for; ``None`` on the server's side.
        reason: OpenSSL's verdict in words.
    """

    def __init__(self, host: str | None, reason: str) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason

    @override
    def __str__(self) -> str:
        of = "the client" if self.host is None else repr(self.host)
        return f"the certificate of {of} does not verify: {self.reason}"


@final
class TruncatedError(TlsError):
    """A TLS stream ended without a close_notify: what came may not be all.

    Source: RFC 8446 section 6.1.
    """
