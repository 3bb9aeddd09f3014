"""OpenSSL at the other end of TLS, with what it says and hears in a test's own hands."""

import contextlib
import ssl
from typing import final

from tests.opponents.certificates import Certificates
from tulip_net import Gen, SslTransport, Transport, coroutine, create_task, start_tls
from tulip_net.testing import MakePair


@final
class Peer:
    """The other end, whose ciphertext goes through the test's hands."""

    def __init__(
        self, below: Transport, context: ssl.SSLContext, *, server_side: bool = True
    ) -> None:
        self.below = below
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server_side else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side, name)

    @coroutine
    def shake_hands(self, *words: bytes) -> Gen[None]:
        """Shake hands, and say something in the same breath as the last of it."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                break
            if self.outgoing.pending:
                yield from self.below.send(self.outgoing.read())
            self.incoming.write((yield from self.below.recv(65536)))
        yield from self.below.send(self.encrypt(*words))

    def encrypt(self, *records: bytes) -> bytes:
        """Return the ciphertext of some data, a record for each."""
        for record in records:
            self.tls.write(record)
        return self.outgoing.read()

    def end(self) -> bytes:
        """Return the ciphertext of its end of the stream."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def alert(self) -> bytes:
        """Return that of a fatal alert: it got a record that is none."""
        self.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        with contextlib.suppress(ssl.SSLError):
            self.tls.read(1)
        return self.outgoing.read()

    @coroutine
    def read(self) -> Gen[bytes]:
        """Receive something, and return the plaintext."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self.tls.read(65536)
            self.incoming.write((yield from self.below.recv(65536)))


@coroutine
def connected(
    make_pair: MakePair,
    certificates: Certificates,
    *,
    truncation_ok: bool = False,
    closing_timeout: float | None = 2,
) -> Gen[tuple[SslTransport, Peer]]:
    """Return our side, and the peer."""
    ours, theirs = yield from make_pair()
    peer = Peer(theirs, certificates.server_context())
    answering = create_task(peer.shake_hands())
    transport = yield from start_tls(
        ours,
        certificates.client_context(),
        server_hostname="localhost",
        truncation_ok=truncation_ok,
        closing_timeout=closing_timeout,
    )
    yield from answering
    return transport, peer
