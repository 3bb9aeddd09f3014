"""The load: sends messages on many connections, and checks each byte that comes back.

Blocking sockets and no event loop: per message it makes two system calls where a server makes at
least two and its share of a wait. So it is a little faster than any server in Python, which is
never idle for long. It is the kernel that limits how long a call may take: to a socket with a
timeout of Python's belongs a ``poll`` before each call, and a load with four calls per message
was slower than the fastest servers, which then had to wait, and to poll, for every second message.
"""

import random
import socket
import ssl
import struct
from collections.abc import Iterable, Sequence

from benchmarks.echo.server import allow_many_files
from benchmarks.harness import processes
from benchmarks.harness.certificates import client_context
from benchmarks.harness.meter import Meter

PATIENCE = 30.0
"""Seconds; an answer that takes longer never comes."""


class Line:
    """One connection, and the message that goes to and fro on it."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        self._connection = connection
        self._message = random.randbytes(size)
        self._answer = bytearray(size)
        self._size = size
        # TLS hands out a record at a time; the kernel waits for the whole message.
        self._flags = 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_WAITALL

    def send(self) -> None:
        """Send the message."""
        self._connection.sendall(self._message)

    def receive(self) -> None:
        """Wait for the answer, and compare it with the message."""
        count = self._connection.recv_into(self._answer, self._size, self._flags)
        while count < self._size:
            more = self._connection.recv_into(memoryview(self._answer)[count:])
            if not more:
                raise EOFError(f"the server closed after {count} of {self._size} bytes")
            count += more
        if self._answer != self._message:
            raise ValueError("the answer differs from the message")


def connect(
    port: int, count: int, context: ssl.SSLContext | None
) -> Iterable[socket.socket | ssl.SSLSocket]:
    """Open connections one after another."""
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        patience = struct.pack("@ll", int(PATIENCE), int(PATIENCE % 1 * 1_000_000))
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connection.setsockopt(socket.SOL_SOCKET, direction, patience)
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname="localhost")
        yield connection


def exchange(lines: Sequence[Line], count: int) -> None:
    """Echo ``count`` messages, a multiple of the number of lines."""
    for line in lines:
        line.send()
    for _ in range(count // len(lines) - 1):
        for line in lines:
            line.receive()
            line.send()
    for line in lines:
        line.receive()


def main() -> None:
    """Connect, load the server, and print what a message cost it."""
    pid, port, authority, connections, size, seconds = processes.arguments()
    processes.pin(processes.load_core())
    allow_many_files()
    context = client_context(authority)
    lines = [Line(each, size) for each in connect(port, connections, context)]
    meter = Meter(seconds, multiple=connections, cpu=processes.cpu_clock(pid))
    for count in meter:
        exchange(lines, count)
    processes.print_sample(meter.sample)


if __name__ == "__main__":
    main()
