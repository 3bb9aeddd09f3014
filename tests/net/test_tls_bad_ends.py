"""TLS whose peer ends, or breaks, the stream in an odd way; OpenSSL itself says what it says."""

import random
import ssl
import sys
from typing import cast

import pytest

from tests.net.pairs import memory, over_tls, tcp
from tests.net.tls_peer import Peer, connected
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    BusyError,
    ClosedError,
    Gen,
    TlsError,
    Transport,
    coroutine,
    create_task,
    move_on_after,
    run,
    sleep,
    start_tls,
    with_timeout,
)
from tulip_net.testing import MakePair

PATIENCE = 5.0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("server_side", [False, True])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_words_that_came_with_the_handshake(
    certificates: Certificates, make_pair: MakePair, server_side: bool, version: ssl.TLSVersion
) -> None:
    """They are there at once: nothing more may come."""

    async def main() -> None:
        ours, theirs = await make_pair()
        contexts = certificates.client_context(), certificates.server_context()
        for context in contexts:
            context.maximum_version = version
        mine, yours = contexts[::-1] if server_side else contexts
        peer = Peer(theirs, yours, server_side=not server_side)
        answering = create_task(peer.shake_hands(b"one", b"two"))
        name = None if server_side else "localhost"
        transport = await start_tls(ours, mine, server_side=server_side, server_hostname=name)
        with transport, theirs:
            await answering
            for words in (b"one", b"two"):
                assert await with_timeout(PATIENCE, transport.recv(100)) == words

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_the_end_comes_as_often_as_one_asks(
    certificates: Certificates, make_pair: MakePair
) -> None:
    """Though the connection below goes on, and nothing more comes on it."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates)
        with transport, peer.below:
            await peer.below.send(peer.encrypt(b"last words") + peer.end())
            assert await transport.recv(100) == b"last words"
            for _ in range(3):
                assert await with_timeout(PATIENCE, transport.recv(100)) == b""

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_what_follows_the_end_is_no_concern_of_ours(
    certificates: Certificates, make_pair: MakePair
) -> None:
    """However much it is, and however much was asked for."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates)
        with transport, peer.below:
            await peer.below.send(peer.encrypt(b"last words") + peer.end() + bytes(30_000))
            assert await transport.recv(60_000) == b"last words"
            for _ in range(3):
                assert await with_timeout(PATIENCE, transport.recv(60_000)) == b""

    run(main())


@pytest.mark.parametrize("truncation_ok", [False, True])
@pytest.mark.parametrize("limit", [5, 60_000])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_an_alert_is_no_end(
    certificates: Certificates, make_pair: MakePair, limit: int, truncation_ok: bool
) -> None:
    """An error stays that error, whenever it is met and however often: it never becomes an end."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates, truncation_ok=truncation_ok)
        with transport, peer.below:
            await peer.below.send(peer.encrypt(b"words") + peer.alert() + bytes(30_000))
            assert await transport.recv(limit) == b"words"
            for _ in range(3):
                with pytest.raises(TlsError, match="alert"):
                    await with_timeout(PATIENCE, transport.recv(limit))

    run(main())


@pytest.mark.parametrize("truncation_ok", [False, True])
@pytest.mark.parametrize("limit", [5, 60_000])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_a_broken_record_is_no_end(
    certificates: Certificates, make_pair: MakePair, limit: int, truncation_ok: bool
) -> None:
    async def main() -> None:
        transport, peer = await connected(make_pair, certificates, truncation_ok=truncation_ok)
        with transport, peer.below:
            first = peer.encrypt(b"words")
            broken = bytearray(peer.encrypt(bytes(16384)))
            broken[-1] ^= 1
            await peer.below.send(first + broken + bytes(300))
            await peer.below.send_eof()
            assert await transport.recv(limit) == b"words"
            for _ in range(3):
                with pytest.raises(TlsError, match=r"bad record mac|decryption failed"):
                    await with_timeout(PATIENCE, transport.recv(limit))

    run(main())


@pytest.mark.parametrize("end", ["alert", "end"])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_what_came_before_our_end_comes_before_the_peers(
    certificates: Certificates, make_pair: MakePair, end: str
) -> None:
    """Also where OpenSSL, which has met the peer's end already, would say that it is the end."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates)
        with transport, peer.below:
            words = peer.encrypt(b"words", b"more words")
            await peer.below.send(words + (peer.alert() if end == "alert" else peer.end()))
            assert await transport.recv(1) == b"w"
            for _ in range(2):
                await transport.send_eof()
            got = b""
            while len(got) < 14:
                got += await with_timeout(PATIENCE, transport.recv(3))
            assert got == b"ordsmore words"
            for _ in range(2):
                if end == "alert":
                    with pytest.raises(TlsError, match="alert"):
                        await transport.recv(3)
                else:
                    assert await transport.recv(3) == b""

    run(main())


@pytest.mark.parametrize("truncation_ok", [False, True])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_an_error_that_comes_before_our_end(
    certificates: Certificates, make_pair: MakePair, truncation_ok: bool
) -> None:
    """What has come is looked at while we end our side, and its error is not lost by that."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates, truncation_ok=truncation_ok)
        with transport, peer.below:
            first, broken = peer.encrypt(b"words"), bytearray(peer.encrypt(b"more words"))
            broken[-1] ^= 1
            await peer.below.send(first + broken)
            assert await transport.recv(1) == b"w"
            await transport.send_eof()
            assert await transport.recv(2) == b"or"
            assert await transport.recv(100) == b"ds"
            for _ in range(2):
                with pytest.raises(TlsError, match=r"bad record mac|decryption failed"):
                    await transport.recv(100)

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_what_came_is_gone_with_a_close(certificates: Certificates, make_pair: MakePair) -> None:
    """Also what is decrypted already, or received already."""

    async def main() -> None:
        for closing in (False, True):
            transport, peer = await connected(make_pair, certificates)
            with transport, peer.below:
                await peer.below.send(peer.encrypt(b"one", b"two") + peer.end())
                assert await transport.recv(1) == b"o"
                if closing:
                    await transport.aclose()
                transport.close()
                with pytest.raises(ClosedError):
                    await transport.recv(100)

    run(main())


def test_tls_in_tls_ends_both(certificates: Certificates) -> None:
    """The outer stream in good order, and then the inner one."""

    async def main() -> None:
        transport, peer = await connected(over_tls(tcp, certificates), certificates)
        closing = create_task(transport.aclose())
        assert await with_timeout(PATIENCE, peer.read()) == b""
        await peer.below.send(peer.end())
        assert await with_timeout(PATIENCE, peer.below.recv(100)) == b""
        await peer.below.aclose()
        await with_timeout(PATIENCE, closing)

    run(main())


@pytest.mark.parametrize("doing", ["receiving", "sending"])
def test_tls_that_is_busy_is_left_alone(certificates: Certificates, doing: str) -> None:
    """TLS in TLS cannot begin where somebody waits; he goes on, and so does the stream."""
    data = bytes(16_000_000)

    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        receiving = doing == "receiving"
        with transport, peer.below:
            task = create_task(transport.recv(100) if receiving else transport.send(data))
            await sleep(0)
            with pytest.raises(BusyError, match="a task is waiting on <SslTransport"):
                await start_tls(
                    transport, certificates.client_context(), server_hostname="localhost"
                )
            await peer.below.send(peer.encrypt(b"unharmed"))
            got = 0
            while not receiving and got < len(data):
                got += len(await with_timeout(PATIENCE, peer.read()))
            assert await (task if receiving else transport.recv(100)) == b"unharmed"
            await task

    run(main())


@pytest.mark.parametrize("made", [0, 1, 4, 5, 10, 25])
@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_a_record_that_comes_while_we_end_our_side(
    certificates: Certificates, make_pair: MakePair, waiting: bool, made: int
) -> None:
    """One part before, one after: OpenSSL looks at what has come while it ends the stream."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates)
        with transport, peer.below:
            words = peer.encrypt(b"all ") + peer.encrypt(b"of it")
            receiving = create_task(transport.recv(100)) if waiting else None
            await sleep(0)
            await peer.below.send(words[:made])
            await sleep(0.001)
            await transport.send_eof()
            await peer.below.send(words[made:] + peer.end())
            got = await receiving if receiving else b""
            while part := await with_timeout(PATIENCE, transport.recv(100)):
                got += part
            assert got == b"all of it"

    run(main())


@pytest.mark.parametrize("limit", [5, 60_000])
def test_the_peer_is_told_of_a_broken_record(certificates: Certificates, limit: int) -> None:
    """Whoever has to read an error closes at once, as a rule: the alert goes before that.

    Source: RFC 8446 section 6.2.
    """

    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        with transport, peer.below:
            first, broken = peer.encrypt(b"words"), bytearray(peer.encrypt(bytes(16384)))
            broken[-1] ^= 1
            await peer.below.send(first + broken + bytes(300))
            assert await transport.recv(limit) == b"words"
            with pytest.raises(TlsError):
                await transport.recv(limit)
            with pytest.raises(ssl.SSLError, match="bad record mac"):
                await with_timeout(PATIENCE, peer.read())

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reset destroys what has come")
def test_a_peer_that_cannot_be_told(certificates: Certificates) -> None:
    """What was wrong with its stream is the error, not that our alert does not go out."""

    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        with transport:
            broken = bytearray(peer.encrypt(b"words"))
            broken[-1] ^= 1
            await transport.send(b"never read")
            await sleep(0.001)
            await peer.below.send(broken)
            peer.below.close()  # with something unread: a reset
            with pytest.raises(TlsError, match=r"bad record mac|decryption failed"):
                await transport.recv(100)

    run(main())


def test_a_send_that_openssl_refuses_is_unsent(certificates: Certificates) -> None:
    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        with transport, peer.below:
            await peer.below.send(peer.alert())
            with pytest.raises(TlsError):
                await transport.recv(100)
            for size in (7, 700_000):
                with pytest.raises(BrokenError):
                    await transport.send(bytes(size))
                assert transport.unsent == size

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reset destroys what has come")
def test_what_came_can_be_read_though_sending_fails(certificates: Certificates) -> None:
    """A server answers an upload it does not want, and closes: the answer counts, as on TCP."""

    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        with transport:
            sending = create_task(transport.send(bytes(16_000_000)))
            await sleep(0)
            await peer.below.send(peer.encrypt(b"too large") + peer.end())
            peer.below.close()
            with pytest.raises(BrokenError):
                await with_timeout(PATIENCE, sending)
            assert await transport.recv(100) == b"too large"
            assert await transport.recv(100) == b""

    run(main())


class Flood:
    """A transport on which a peer has always something more to say."""

    def __init__(self, below: Transport) -> None:
        self.below = below
        self.peer: Peer | None = None
        self.said = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.below, name)

    @coroutine
    def recv(self, limit: int) -> Gen[bytes]:
        if self.peer is None:
            return (yield from self.below.recv(limit))
        self.said += 1
        assert self.said < 20_000, "nothing else ran"
        return self.peer.encrypt(b"blah" * 100)


def test_a_peer_that_never_stops_does_not_hold_up_an_aclose(certificates: Certificates) -> None:
    """The limit is kept, and others get their turn, though there is never anything to wait for."""
    floods = []

    @coroutine
    def flooded() -> Gen[tuple[Transport, Transport]]:
        ours, theirs = yield from memory()
        floods.append(Flood(ours))
        return cast("Transport", floods[0]), theirs

    async def main() -> None:
        transport, peer = await connected(flooded, certificates, closing_timeout=0.01)
        await peer.below.send(peer.encrypt(b"x"))
        await transport.recv(1)
        floods[0].peer = peer
        await with_timeout(PATIENCE, transport.aclose())
        assert transport.closed
        peer.below.close()

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_a_second_aclose_does_not_cut_the_first_one_short(
    certificates: Certificates, make_pair: MakePair
) -> None:
    """Nor what a cancelled send left to it."""
    data = random.Random(3).randbytes(16_000_000)

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates, closing_timeout=None)
        with move_on_after(0.02):
            await transport.send(data)
        sent = len(data) - transport.unsent
        closings = [create_task(transport.aclose()) for _ in range(2)]
        await sleep(0)
        got = b""
        while len(got) < sent:
            part = await with_timeout(PATIENCE, peer.read())
            assert part
            got += part
        assert got == data[:sent]
        assert await with_timeout(PATIENCE, peer.read()) == b""
        await peer.below.send(peer.end())
        for closing in closings:
            await with_timeout(PATIENCE, closing)
        assert transport.closed
        peer.below.close()

    run(main())
