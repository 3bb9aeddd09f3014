"""TLS: verification, ends, errors, and OpenSSL's own programs at the other end."""

import datetime
import random
import socket
import ssl
from collections.abc import Callable

import pytest

from tests.net.openssl import openssl, s_server
from tests.net.pairs import tcp
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    BufferedReader,
    BusyError,
    CertificateError,
    ClosedError,
    Gen,
    SslTransport,
    TlsError,
    Transport,
    TruncatedError,
    call_in_thread,
    client_context,
    coroutine,
    create_task,
    create_transport,
    fail_after,
    listen,
    move_on_after,
    run,
    serve,
    server_context,
    sleep,
    start_tls,
    with_timeout,
)
from tulip_net.testing import memory_pair


@coroutine
def tls_pair(
    certificates: Certificates,
    client: ssl.SSLContext | None = None,
    server: ssl.SSLContext | None = None,
    *,
    name: str = "localhost",
    truncation_ok: bool = False,
) -> Gen[tuple[SslTransport, SslTransport]]:
    """Return client and server; if the client fails, its error comes out."""
    a, b = yield from tcp()
    answer = create_task(start_tls(b, server or certificates.server_context(), server_side=True))
    try:
        there = yield from start_tls(
            a,
            client or certificates.client_context(),
            server_hostname=name,
            truncation_ok=truncation_ok,
        )
    except BaseException:
        with pytest.raises(BrokenError):
            yield from answer
        raise
    return there, (yield from answer)


# -- whom to trust -----------------------------------------------------------------------------


def test_the_wrong_name_is_refused_and_named(certificates: Certificates) -> None:
    server = certificates.server_context("other.example")
    with pytest.raises(
        CertificateError, match=r"'localhost' does not verify: .*mismatch"
    ) as caught:
        run(tls_pair(certificates, server=server))
    assert caught.value.host == "localhost"
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    with pytest.raises(CertificateError, match=r"unable to get local issuer|self.signed"):
        run(tls_pair(certificates, client_context()))


def test_an_expired_certificate_is_refused(certificates: Certificates) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    server = certificates.server_context(expires=yesterday)
    with pytest.raises(CertificateError, match="certificate has expired"):
        run(tls_pair(certificates, server=server))


def test_verifying_needs_a_name(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tcp()
        with pytest.raises(ValueError, match="server_hostname"):
            await start_tls(a, certificates.client_context())
        with pytest.raises(ValueError, match="context with a certificate"):
            await start_tls(a, server_side=True)
        await a.send(b"unharmed")
        assert await b.recv(99) == b"unharmed"
        a.close()
        b.close()

    run(main())


def test_the_client_context_is_shared_and_verifies() -> None:
    assert client_context() is client_context()
    assert client_context(alpn=("h2", "http/1.1")) is client_context(alpn=["h2", "http/1.1"])
    assert client_context().verify_mode is ssl.CERT_REQUIRED
    assert client_context().check_hostname


def test_a_client_certificate_can_be_asked_for(certificates: Certificates) -> None:
    server = certificates.server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    certificates.authority.configure_trust(server)
    client = certificates.client_context()
    certificates.authority.issue_cert("client@example.org").configure_cert(client)

    async def main() -> None:
        a, b = await tls_pair(certificates, client, server)
        assert b.peer_certificate
        a.close()
        b.close()
        # With TLS 1.3 a client learns of the refusal when it reads: it has its keys before.
        plain_a, plain_b = await tcp()
        context = certificates.client_context()
        task = create_task(start_tls(plain_a, context, server_hostname="localhost"))
        with pytest.raises(TlsError, match="peer did not return a certificate"):
            await start_tls(plain_b, server, server_side=True)
        with pytest.raises(TlsError, match=r"alert|certificate required"):
            await (await task).recv(1)
        task.result().close()

    run(main())


# -- facts -------------------------------------------------------------------------------------


def test_facts_are_attributes(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])

    async def main() -> None:
        a, b = await tls_pair(certificates, client, server)
        assert a.alpn_protocol == b.alpn_protocol == "http/1.1"
        assert a.version == b.version == "TLSv1.3"
        assert a.cipher == b.cipher
        assert a.server_hostname == "localhost"
        assert b.server_hostname is None
        assert a.peer_certificate
        assert b.peer_certificate is None
        assert a.peer_address == b.local_address
        assert a.local_address == b.peer_address
        assert repr(a).startswith("<SslTransport to 127.0.0.1:")
        a.close()
        b.close()

    run(main())


def test_a_session_can_be_resumed(certificates: Certificates) -> None:
    client, server = certificates.client_context(), certificates.server_context()

    async def main() -> None:
        session = None
        for resumed in (False, True):
            plain_a, plain_b = await tcp()
            answer = create_task(start_tls(plain_b, server, server_side=True))
            a = await start_tls(
                plain_a,
                client,
                server_hostname="localhost",
                session=session,
            )
            b = await answer
            await b.send(b"x")
            await a.recv(1)
            assert a.session_reused is resumed
            session = a.session
            assert session is not None
            a.close()
            b.close()

    run(main())


# -- ends and errors ---------------------------------------------------------------------------


def test_a_stream_cut_short_is_an_error(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tls_pair(certificates)
        await b.send(b"half a mess")
        b.close()
        assert await a.recv(100) == b"half a mess"
        for _ in range(2):
            with pytest.raises(TruncatedError, match="without ending the TLS stream"):
                await a.recv(100)
        a.close()

    run(main())


def test_a_stream_cut_short_may_be_allowed(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tls_pair(certificates, truncation_ok=True)
        b.close()
        assert await a.recv(100) == b""
        assert await a.recv(100) == b""
        a.close()

    run(main())


def test_every_other_error_is_an_error_at_once(certificates: Certificates) -> None:
    """The original took every TLS error for want-read, and waited for ever."""

    async def main() -> None:
        a, b = await tcp()
        task = create_task(
            start_tls(
                a,
                certificates.client_context(),
                server_hostname="localhost",
            )
        )
        await b.recv(1000)
        await b.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(TlsError, match=r"wrong version number \(the peer does not speak TLS\)"):
            await with_timeout(5, task)
        b.close()

    run(main())


def test_a_peer_that_leaves_during_the_handshake(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tcp()
        context = certificates.client_context()
        task = create_task(start_tls(a, context, server_hostname="localhost"))
        await b.recv(1000)
        b.close()
        with pytest.raises(TruncatedError, match="the TLS handshake on"):
            await task

    run(main())


def test_a_cancelled_handshake_leaves_no_socket(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tcp()
        context = certificates.client_context()
        with move_on_after(0.01) as scope:
            await start_tls(a, context, server_hostname="localhost")
        assert scope.cancelled_caught
        await b.recv(1000)
        assert await b.recv(1) == b""
        b.close()

    run(main())


def test_a_tampered_record_is_an_error(certificates: Certificates) -> None:
    async def main() -> None:
        plain_a, between_a = memory_pair()
        between_b, plain_b = memory_pair()
        answer = create_task(start_tls(plain_b, certificates.server_context(), server_side=True))
        relays = [
            create_task(relay(between_a, between_b, lambda data: data)),
            create_task(relay(between_b, between_a, lambda data: tampered(data))),
        ]
        spoil = False

        def tampered(data: bytes) -> bytes:
            return data[:-1] + bytes([data[-1] ^ 1]) if spoil else data

        a = await start_tls(plain_a, certificates.client_context(), server_hostname="localhost")
        b = await answer
        await b.send(b"good")
        assert await a.recv(9) == b"good"
        spoil = True
        await b.send(b"evil")
        with pytest.raises(TlsError, match=r"bad record mac|decryption failed"):
            await a.recv(9)
        for transport in (a, b, between_a, between_b):
            transport.close()
        for task in relays:
            task.cancel()
            await task.wait()

    run(main())


@coroutine
def relay(source: Transport, target: Transport, change: Callable[[bytes], bytes]) -> Gen[None]:
    while data := (yield from source.recv(65536)):
        yield from target.send(change(data))


def test_a_busy_transport_is_left_alone(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tcp()
        task = create_task(a.recv(1))
        await sleep(0)
        with pytest.raises(BusyError):
            await start_tls(a, certificates.client_context(), server_hostname="localhost")
        await b.send(b"x")
        assert await task == b"x"
        a.close()
        b.close()

    run(main())


# -- a peer that is slow to take ---------------------------------------------------------------


def test_no_byte_is_lost_when_a_send_would_block(certificates: Certificates) -> None:
    """Cancelled in the middle of a record, the rest and other sends go on where it stopped."""
    # More than the kernel takes on its own on loopback: up to 4 MiB to send and 6 to receive.
    data = random.Random(1).randbytes(16_000_000)

    async def main() -> None:
        a, b = await tls_pair(certificates)
        with move_on_after(0.02) as scope:
            await a.send(data)
        assert scope.cancelled_caught
        left = data[len(data) - a.unsent :]
        assert 0 < len(left) < len(data)
        reader = create_task(BufferedReader(b).readexactly(len(data)))
        for at in range(0, len(left), 3_777_777):
            await a.send(left[at : at + 3_777_777])
        assert await reader == data
        a.close()
        b.close()

    run(main())


def test_the_end_of_the_stream_stays_the_end(certificates: Certificates) -> None:
    """Also while the peer, who has ended its side of TLS, leaves the connection below open."""

    async def main() -> None:
        a, b = await tls_pair(certificates)
        await b.send_eof()
        for _ in range(3):
            with fail_after(5):
                assert await a.recv(10) == b""
        await a.send(b"answer")
        assert await b.recv(10) == b"answer"
        for transport in (a, b):
            transport.close()

    run(main())


def test_a_receiver_sends_what_a_cancelled_send_left(certificates: Certificates) -> None:
    """And the next send, all of which went out, has nothing unsent."""
    data = random.Random(2).randbytes(16_000_000)

    async def main() -> None:
        a, b = await tls_pair(certificates)
        with move_on_after(0.02):
            await a.send(data)
        assert a.unsent
        sent = data[: len(data) - a.unsent]
        reader = create_task(BufferedReader(b).readexactly(len(sent)))
        with fail_after(10):
            while not reader.done():
                await b.send(b"x")
                assert await a.recv(1) == b"x"
                await sleep(0)
        assert await reader == sent
        await a.send(b"all of it")
        assert a.unsent == 0
        assert await b.recv(100) == b"all of it"
        a.close()
        b.close()

    run(main())


def test_the_end_waits_for_the_send(certificates: Certificates) -> None:
    """It would come in the middle of what is being sent, which then could not go on."""
    data = bytes(16_000_000)

    async def main() -> None:
        a, b = await tls_pair(certificates)
        sending = create_task(a.send(data))
        await sleep(0)
        with pytest.raises(BusyError, match="another task is already sending"):
            await a.send_eof()
        assert await BufferedReader(b).readexactly(len(data)) == data
        await sending
        await a.send_eof()
        with pytest.raises(ClosedError, match=r"after its send_eof"):
            await a.send(b"x")
        assert await b.recv(1) == b""
        a.close()
        for doing in (a.send_eof(), a.send(b"x"), a.recv(1)):
            with pytest.raises(ClosedError, match=r"(send|receiv)ing on a transport that was"):
                await doing
        b.close()

    run(main())


def test_both_directions_at_once(certificates: Certificates) -> None:
    data = bytes(5_000_000)

    async def main() -> None:
        a, b = await tls_pair(certificates)
        tasks = [create_task(t.send(data)) for t in (a, b)]
        readers = [create_task(BufferedReader(t).readexactly(len(data))) for t in (a, b)]
        for sender, reader in zip(tasks, readers, strict=True):
            assert await reader == data
            await sender
        a.close()
        b.close()

    run(main())


# -- OpenSSL at the other end ------------------------------------------------------------------


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_against_s_server(certificates: Certificates, version: str) -> None:
    async def main(port: int) -> None:
        transport = await create_transport("127.0.0.1", port, ssl=certificates.client_context())
        reader = BufferedReader(transport)
        for line in (b"hello", b"x" * 16000, b"world"):
            await transport.send(line + b"\n")
            assert await with_timeout(5, reader.readline()) == line[::-1] + b"\n"
        await with_timeout(5, transport.aclose())

    with s_server(certificates.server_file, "-rev", "-quiet", version) as port:
        run(main(port))


def test_s_client_against_a_server(certificates: Certificates) -> None:
    """Key updates ask the receiving side to write (K); the connection goes on."""

    @coroutine
    def main() -> Gen[bytes]:
        listener = yield from listen("127.0.0.1")
        port = listener.port
        with openssl(
            "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", certificates.authority_file
        ) as client:
            assert client.stdin is not None
            plain = yield from listener.accept()
            transport = yield from start_tls(
                plain,
                server_context(certificates.server_file),
                server_side=True,
            )
            reader = BufferedReader(transport)
            lines = []
            for text in (b"one\n", b"K\n", b"two\n", b"k\n", b"three\n"):
                client.stdin.write(text)
                client.stdin.flush()
                if len(text) > 2:
                    lines.append((yield from with_timeout(5, reader.readline())))
                    yield from transport.send(lines[-1])
                yield from sleep(0.02)
            client.stdin.write(b"Q\n")
            client.stdin.flush()
            lines.append((yield from with_timeout(5, reader.readline())))
            yield from transport.aclose()
            yield from call_in_thread(client.wait)
        listener.close()
        return b"".join(lines)

    assert run(main()) == b"one\ntwo\nthree\n"


# -- ends in good order ------------------------------------------------------------------------


def test_aclose_does_not_wait_for_ever(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tcp()
        answer = create_task(start_tls(b, certificates.server_context(), server_side=True))
        client = await start_tls(
            a,
            certificates.client_context(),
            server_hostname="localhost",
            closing_timeout=0.02,
        )
        server = await answer  # and never reads
        await with_timeout(10, client.aclose())
        assert client.closed
        server.close()

    run(main())


def test_whoever_ends_the_stream_second_waits_for_nothing(certificates: Certificates) -> None:
    def come_and_go(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            certificates.client_context().wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            # Says goodbye, without an end of the connection below, and waits for the server's.
            tls.unwrap().close()

    async def main() -> None:
        listener = await listen("127.0.0.1")
        client = create_task(call_in_thread(come_and_go, listener.port))
        plain = await listener.accept()
        server = await start_tls(plain, certificates.server_context(), server_side=True)
        assert await server.recv(10) == b""
        with pytest.raises(StopIteration):  # it ends in the first step
            next(iter(server.aclose()))
        assert server.closed
        await client
        listener.close()

    run(main())


def test_what_was_sent_last_arrives_though_data_was_left_unread(
    certificates: Certificates,
) -> None:
    """A close with data unread would reset the connection and destroy the last words."""
    last = bytes(1_000_000)

    @coroutine
    def handler(transport: Transport) -> Gen[None]:
        yield from transport.recv(1)
        yield from transport.send(last)

    @coroutine
    def main() -> Gen[bytes]:
        listener = yield from listen("127.0.0.1")
        server = create_task(serve(handler, listener, ssl=certificates.server_context()))
        client = yield from create_transport(
            "127.0.0.1", listener.port, ssl=certificates.client_context()
        )
        yield from client.send(bytes(200_000))
        yield from sleep(0.05)
        got = yield from BufferedReader(client).read()
        yield from client.aclose()
        listener.close()
        yield from server
        return got

    assert run(main()) == last


def test_a_dropped_tls_transport_warns(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tls_pair(certificates)
        holder = [a]
        del a
        with pytest.warns(ResourceWarning, match=r"<SslTransport.*dropped without a close"):
            holder.clear()
        b.close()

    run(main())


def test_a_waiting_task_is_told_when_another_ends_the_stream(certificates: Certificates) -> None:
    async def main() -> None:
        a, b = await tls_pair(certificates)
        waiting = create_task(a.recv(1))
        await sleep(0)
        await a.aclose()
        with pytest.raises(ClosedError):
            await waiting
        assert await b.recv(1) == b""
        b.close()

    run(main())
