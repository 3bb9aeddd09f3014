"""Proxies that no one here wrote, each a process for the length of a block, on loopback."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.opponents.need import program

START_SECONDS = 10.0
STOP_SECONDS = 10.0


@contextmanager
def microsocks(*options: str) -> Iterator[int]:
    """Run microsocks, a SOCKS5 server, and give its port."""
    found = program("microsocks", package="microsocks")
    port = free_port()
    with listening_process([found, "-i", "127.0.0.1", "-p", str(port), *options], port):
        yield port


@contextmanager
def tinyproxy(folder: Path, *lines: str) -> Iterator[int]:
    """Run tinyproxy, an HTTP proxy, and give its port.

    Args:
        folder: For its configuration.
        lines: More lines of it, such as ``BasicAuth user password``.
    """
    found = program("tinyproxy", package="tinyproxy-bin")
    port = free_port()
    configuration = folder / "tinyproxy.conf"
    configuration.write_text(
        "\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 600", *lines, ""])
    )
    with listening_process([found, "-d", "-c", configuration], port):
        yield port


@contextmanager
def danted(folder: Path) -> Iterator[int]:
    """Run Dante, which speaks SOCKS5 and SOCKS4 (not 4a: no names), and give its port."""
    found = program("danted", package="dante-server")
    port = free_port()
    configuration = folder / "danted.conf"
    configuration.write_text(
        f"""\
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""
    )
    arguments: list[str | Path] = [
        found,
        "-f",
        configuration,
        "-p",
        folder / "danted.pid",
        "-N",
        "1",
    ]
    with listening_process(arguments, port):
        yield port


@contextmanager
def twisted_socks(folder: Path) -> Iterator[int]:
    """Run Twisted's SOCKS server, which speaks SOCKS4 and 4a, and give its port."""
    found = program("twistd3", package="python3-twisted")
    port = free_port()
    arguments: list[str | Path] = [found, "--nodaemon", "--pidfile=", "--rundir", folder]
    arguments += ["--logfile", folder / "twistd.log"]
    arguments += ["socks", "--interface", "127.0.0.1", "--port", str(port)]
    with listening_process(arguments, port):
        yield port


@contextmanager
def listening_process(arguments: Sequence[str | Path], port: int) -> Iterator[None]:
    """Run a program until the block ends; it begins when the program listens."""
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_listens(process, port)
        yield
    finally:
        stop(process)


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once the port accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.005)
        else:
            return
    pytest.fail(f"{process.args!r} does not listen on port {port}; it ended: {process.poll()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: at once, then by force."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
