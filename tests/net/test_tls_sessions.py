"""Resuming a TLS session: the second handshake is shorter, whoever is at the other end."""

import re
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.net.counted import CountedTransport
from tests.net.openssl import openssl, s_server
from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    Gen,
    SslTransport,
    Transport,
    call_in_thread,
    coroutine,
    create_task,
    create_transport,
    listen,
    run,
    serve,
    server_context,
    start_tls,
)
from tulip_net.testing import memory_pair

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@coroutine
def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, session: ssl.SSLSession | None
) -> Gen[tuple[SslTransport, tuple[int, int]]]:
    """Return the client's end, closed, and the bytes and round trips of its handshake."""
    a, b = memory_pair()
    counted = CountedTransport(a)
    answer = create_task(start_tls(b, server, server_side=True))
    ours = yield from start_tls(counted, client, server_hostname="localhost", session=session)
    cost = (counted.bytes, counted.round_trips)
    theirs = yield from answer
    yield from theirs.send(b"x")
    yield from ours.recv(1)  # with TLS 1.3 the session comes before it
    ours.close()
    theirs.close()
    return ours, cost


@VERSIONS
def test_the_second_handshake_is_shorter(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    client = certificates.client_context()
    client.maximum_version = version
    server = certificates.server_context()

    async def main() -> None:
        whole, first = await shake_hands(client, server, None)
        again, second = await shake_hands(client, server, whole.session)
        assert (whole.session_reused, again.session_reused) == (False, True)
        assert again.version == whole.version
        # No certificate goes over the wire; and TLS 1.2 saves a whole round trip (RFC 5246
        # section 7.3), where TLS 1.3 has only one to begin with.
        assert second[0] < first[0] * 0.75
        assert (first[1], second[1]) == ((2, 1) if whole.version == "TLSv1.2" else (1, 1))

    run(main())


def test_a_session_of_another_server_gives_a_whole_handshake(certificates: Certificates) -> None:
    """A session that the server does not know costs nothing but the attempt."""
    client = certificates.client_context()

    async def main() -> None:
        known, _ = await shake_hands(client, certificates.server_context(), None)
        other, _ = await shake_hands(client, certificates.server_context(), known.session)
        assert not other.session_reused

    run(main())


def test_a_session_belongs_to_its_context(certificates: Certificates) -> None:
    server = certificates.server_context()

    async def main() -> None:
        known, _ = await shake_hands(certificates.client_context(), server, None)
        a, b = memory_pair()
        with pytest.raises(ValueError, match="Session refers to a different SSLContext"):
            await start_tls(
                a,
                certificates.client_context(),
                server_hostname="localhost",
                session=known.session,
            )
        a.close()
        b.close()

    run(main())


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_with_s_server(certificates: Certificates, version: str) -> None:
    context = certificates.client_context()

    async def main(port: int) -> None:
        session = None
        for resumed in (False, True, True):
            transport = await create_transport("127.0.0.1", port, ssl=context, session=session)
            assert isinstance(transport, SslTransport)
            await transport.send(b"abc\n")
            assert await BufferedReader(transport).readline() == b"cba\n"
            assert transport.session_reused is resumed
            session = transport.session
            await transport.aclose()

    with s_server(certificates.server_file, "-rev", "-quiet", version) as port:
        run(main(port))


@coroutine
def greet(transport: Transport) -> Gen[None]:
    yield from transport.send(b"hello\n")
    yield from transport.recv(1)


@coroutine
def visited_by_s_client(certificates: Certificates, *visits: tuple[str | Path, ...]) -> Gen[str]:
    """Serve ``openssl s_client`` once for each list of its options; return all it said."""
    listener = yield from listen("127.0.0.1")
    context = server_context(certificates.server_file)
    server = create_task(serve(greet, listener, ssl=context))
    said = b""
    for options in visits:
        address = f"127.0.0.1:{listener.port}"
        with openssl("s_client", "-connect", address, *options) as client:
            said += yield from call_in_thread(until_it_ends, client)
    listener.close()
    yield from server
    return said.decode()


def until_it_ends(client: subprocess.Popen[bytes]) -> bytes:
    """Let it read the greeting, which brings the session of TLS 1.3, and then quit."""
    assert client.stdout is not None
    assert client.stdin is not None
    said = b""
    while b"\nhello\n" not in said:
        line = client.stdout.readline()
        assert line, said
        said += line
    client.stdin.write(b"Q\n")
    client.stdin.flush()
    return said + client.stdout.read()


def test_s_client_reconnects_five_times_and_resumes_each_time(certificates: Certificates) -> None:
    said = run(visited_by_s_client(certificates, ("-tls1_2", "-reconnect")))
    assert re.findall("^(New|Reused), TLSv1.2", said, re.MULTILINE) == ["New"] + 5 * ["Reused"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_resumes_a_session_that_it_saved(
    certificates: Certificates, tmp_path: Path, version: str
) -> None:
    file = tmp_path / "session.pem"
    said = run(
        visited_by_s_client(certificates, (version, "-sess_out", file), (version, "-sess_in", file))
    )
    first, second = re.findall(r"^(New|Reused), TLSv1\.\d", said, re.MULTILINE)
    assert (first, second) == ("New", "Reused")
