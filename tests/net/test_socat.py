"""socat at the other end: half a close, over TCP and over Unix sockets.

Source: socat(1): ``-t`` for how long it waits once one side has ended; ``EXEC`` half-closes its
program's input when we half-close ours.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.net.echoing import echo
from tests.net.openssl import PATIENCE, free_port
from tests.opponents.certificates import Certificates
from tests.opponents.need import program
from tulip_net import (
    BufferedReader,
    ConnectError,
    Gen,
    Transport,
    call_in_thread,
    coroutine,
    create_task,
    create_transport,
    create_unix_transport,
    listen,
    listen_unix,
    run,
    serve,
    sleep,
    start_tls,
    with_timeout,
)

DATA = bytes(range(256)) * 4000


@contextmanager
def socat(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run socat for the length of the block."""
    with subprocess.Popen(
        [program("socat", package="socat"), "-t", str(PATIENCE), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@coroutine
def connected(address: int | Path) -> Gen[Transport]:
    """Connect to a socat that may still be starting."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if isinstance(address, Path):
                return (yield from create_unix_transport(address))
            return (yield from create_transport("127.0.0.1", address))
        except ConnectError:
            if time.monotonic() > deadline:
                raise
            yield from sleep(0.005)


@coroutine
def counted_by_wc(address: int | Path) -> Gen[bytes]:
    """Send everything and half-close: only then can ``wc`` say how much it was."""
    transport = yield from connected(address)
    yield from transport.send(DATA)
    yield from transport.send_eof()
    said = yield from with_timeout(PATIENCE, BufferedReader(transport).read())
    transport.close()
    return said


def test_half_a_close_reaches_a_program_behind_tcp() -> None:
    port = free_port()
    with socat(f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "EXEC:wc -c"):
        assert int(run(counted_by_wc(port))) == len(DATA)


def test_half_a_close_reaches_a_program_behind_a_unix_socket(tmp_path: Path) -> None:
    with socat(f"UNIX-LISTEN:{tmp_path}/socket", "EXEC:wc -c"):
        assert int(run(counted_by_wc(tmp_path / "socket"))) == len(DATA)


@coroutine
def answer_at_the_end(transport: Transport) -> Gen[None]:
    """Read up to the client's end, and only then answer, at length."""
    whole = yield from BufferedReader(transport).read()
    yield from transport.send(whole[::-1])


@pytest.mark.parametrize("kind", ["TCP", "UNIX"])
def test_our_server_hears_half_a_close_and_still_answers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "socket"

    @coroutine
    def main() -> Gen[bytes]:
        tcp = yield from listen("127.0.0.1")
        unix = yield from listen_unix(path)
        server = create_task(serve(answer_at_the_end, tcp, unix))
        address = f"TCP:127.0.0.1:{tcp.port}" if kind == "TCP" else f"UNIX-CONNECT:{path}"
        with socat("-", address) as client:
            said, _ = yield from call_in_thread(client.communicate, DATA)
        tcp.close()
        unix.close()
        yield from server
        return said

    assert run(main()) == DATA[::-1]


def test_our_tls_goes_through_a_unix_socket(certificates: Certificates, tmp_path: Path) -> None:
    """TLS over a Unix socket, which socat carries on to a TCP server of ours."""
    path = tmp_path / "socket"

    @coroutine
    def main() -> Gen[bytes]:
        listener = yield from listen("127.0.0.1")
        context = certificates.server_context()
        server = create_task(serve(echo, listener, ssl=context))
        with socat(f"UNIX-LISTEN:{path}", f"TCP:127.0.0.1:{listener.port}"):
            transport = yield from start_tls(
                (yield from connected(path)),
                certificates.client_context(),
                server_hostname="localhost",
            )
            sending = create_task(transport.send(DATA))
            got = yield from BufferedReader(transport).readexactly(len(DATA))
            yield from sending
            yield from with_timeout(PATIENCE, transport.aclose())
        listener.close()
        yield from server
        return got

    assert run(main()) == DATA
