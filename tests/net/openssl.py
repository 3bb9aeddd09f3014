"""OpenSSL's own client and server as opponents, each a process of a test's own."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.opponents.need import program

PATIENCE = 10.0


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def openssl(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of OpenSSL's programs for the length of the block."""
    process = subprocess.Popen(
        [program("openssl", package="openssl"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextmanager
def s_server(certificate: Path, *options: str | Path) -> Iterator[int]:
    """Run ``openssl s_server``, which sends each line back reversed; give its port."""
    port = free_port()
    with openssl(
        "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, *options
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, process.stdout and process.stdout.read()
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            else:
                break
        yield port
