"""A peer that speaks TLS up to a step of the test's choice, and then resets the connection."""

import socket
import ssl
import struct

STOPS = (0, 0.5, 1, 1.01, 1.5, 2, 2.01)
"""Steps of `HalfAHandshake.reset_at`."""


class HalfAHandshake:
    """One side of a handshake, client or server, on a socket that blocks."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
    ) -> None:
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._into, self._out, server_side, server_hostname)

    def hello(self) -> bytes:
        """Return a client's first flight."""
        self._advance()
        return self._out.read()

    def reset_at(self, stop: float, sock: socket.socket) -> None:
        """Reset at 0 before the first flight, at 0.5 in the middle of it, at 1 after it.

        Beyond 1 the peer's answer is read, before (at 1.01) the first byte of the second flight.
        """
        # Lingering for 0 seconds: close() sends a RST at once (socket(7), SO_LINGER).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with sock:
            done = False
            while stop > 0 and not done:
                done = self._advance()
                flight = self._out.read()
                if flight:
                    sock.sendall(flight[: 1 + int(len(flight) * stop)])
                    stop -= 1
                if stop > 0 and not done:
                    self._into.write(sock.recv(65536))

    def _advance(self) -> bool:
        """Go on with the handshake; tell whether it is over."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True
