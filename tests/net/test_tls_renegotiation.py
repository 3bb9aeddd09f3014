"""Renegotiation (TLS 1.2) is refused, whichever side asks for it, and never hangs.

Source: RFC 9325 section 3.4; RFC 5246 section 7.2.2 (the alert ``no_renegotiation``).
"""

import subprocess

import pytest

from tests.net.openssl import free_port, openssl
from tests.opponents.certificates import Certificates
from tulip_net import (
    ConnectError,
    Gen,
    TlsError,
    Transport,
    call_in_thread,
    client_context,
    coroutine,
    create_transport,
    listen,
    run,
    server_context,
    sleep,
    start_tls,
    with_timeout,
)


def command(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def said_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """Return what it says up to the line with these words; fail if they never come."""
    assert process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def test_a_server_refuses(certificates: Certificates) -> None:
    @coroutine
    def main() -> Gen[None]:
        listener = yield from listen("127.0.0.1")
        address = f"127.0.0.1:{listener.port}"
        with openssl("s_client", "-connect", address, "-tls1_2") as client:
            transport = yield from start_tls(
                (yield from listener.accept()),
                server_context(certificates.server_file),
                server_side=True,
            )
            command(client, b"before")
            assert (yield from with_timeout(5, transport.recv(100))) == b"before\n"
            command(client, b"R")
            with pytest.raises(TlsError):  # s_client does not take no for an answer
                yield from with_timeout(5, transport.recv(100))
            yield from call_in_thread(said_until, client, b"no renegotiation")
            transport.close()
        listener.close()

    run(main())


def test_a_client_refuses(certificates: Certificates) -> None:
    context = client_context(authority=certificates.authority_file)

    @coroutine
    def connected(port: int) -> Gen[Transport]:
        for _ in range(1000):
            try:
                return (yield from create_transport("127.0.0.1", port, ssl=context))
            except ConnectError:  # it is still starting
                yield from sleep(0.005)
        raise AssertionError("s_server did not start")

    @coroutine
    def main() -> Gen[None]:
        port = free_port()
        options = ("-accept", f"127.0.0.1:{port}", "-cert", certificates.server_file)
        with openssl("s_server", *options, "-tls1_2") as server:
            transport = yield from connected(port)
            command(server, b"before")
            assert (yield from with_timeout(5, transport.recv(100))) == b"before\n"
            command(server, b"r")
            with pytest.raises(TlsError):  # s_server does not take no for an answer either
                yield from with_timeout(5, transport.recv(100))
            transport.close()
            yield from call_in_thread(said_until, server, b"no renegotiation")

    run(main())
