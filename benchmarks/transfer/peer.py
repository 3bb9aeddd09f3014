"""The other side of a transfer: a blocking socket, and the clock.

Every transfer begins with a number in four bytes, how many MiB it will be.
"""

import random
import socket
import ssl
import time

from benchmarks.echo.load import connect
from benchmarks.harness import processes
from benchmarks.harness.certificates import client_context
from benchmarks.harness.meter import Sample

MEBIBYTE = 1 << 20
PIECE = random.randbytes(256 * 1024)
"""What is written at once, on every side: asyncio reads no more at once either (`max_size`).

Not zeros: `bytes` of a size are one and the same empty page of the kernel's, 64 times over, until
somebody writes to it. Copying them is no measure of copying what a program has to send."""

WARM_UP = 8
"""MiB that are transferred before the clocks are read."""

DONE = b"!"


def send(connection: socket.socket, mebibytes: int) -> None:
    """Announce an amount, send it, and wait until the other side has seen it all."""
    connection.sendall(mebibytes.to_bytes(4, "big"))
    for _ in range(mebibytes * MEBIBYTE // len(PIECE)):
        connection.sendall(PIECE)
    if connection.recv(1) != DONE:
        raise EOFError("the receiver did not say that it has everything")


def receive(connection: socket.socket, mebibytes: int) -> None:
    """Ask for an amount, and take it."""
    connection.sendall(mebibytes.to_bytes(4, "big"))
    buffer = bytearray(len(PIECE))
    left = mebibytes * MEBIBYTE
    while left:
        count = connection.recv_into(buffer, min(left, len(buffer)))
        if not count:
            raise EOFError(f"the sender stopped {left} bytes too early")
        left -= count


def main() -> None:
    """Transfer, and print what it cost the process under test."""
    pid, port, authority, sends, mebibytes = processes.arguments()
    processes.pin(processes.load_core())
    cpu = processes.cpu_clock(pid)
    transfer = receive if sends else send
    connection: socket.socket | ssl.SSLSocket
    (connection,) = connect(port, 1, client_context(authority))
    transfer(connection, WARM_UP)
    wall, spent = time.perf_counter_ns(), cpu()
    transfer(connection, mebibytes)
    spent, wall = cpu() - spent, time.perf_counter_ns() - wall
    processes.print_sample(Sample(spent / mebibytes, wall / mebibytes, mebibytes))


if __name__ == "__main__":
    main()
