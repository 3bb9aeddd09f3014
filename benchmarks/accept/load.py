"""The load: connects, says that nothing will come, and waits for the server to close."""

import contextlib
import socket
import ssl

from benchmarks.echo.load import connect
from benchmarks.harness import processes
from benchmarks.harness.certificates import client_context
from benchmarks.harness.meter import Meter

AT_ONCE = 20

MOST = 5000
"""Connections in a sample. Each leaves a port that cannot be used again for a second
(tcp_tw_reuse, which Linux allows on loopback), and there are 28,000."""


def come_and_go(port: int, context: ssl.SSLContext | None) -> None:
    """Open some connections, and close them together."""
    connections = list(connect(port, AT_ONCE, context))
    for connection in connections:
        if not isinstance(connection, ssl.SSLSocket):
            connection.shutdown(socket.SHUT_WR)
    for connection in connections:
        if isinstance(connection, ssl.SSLSocket):
            # Some servers close without a goodbye of their own.
            with contextlib.suppress(OSError, ValueError):
                connection.unwrap()
        elif connection.recv(1):
            raise ValueError("the server sent something")
        connection.close()


def main() -> None:
    """Load the server, and print what a connection cost it."""
    pid, port, authority, seconds = processes.arguments()
    processes.pin(processes.load_core())
    context = client_context(authority)
    meter = Meter(seconds, multiple=AT_ONCE, cpu=processes.cpu_clock(pid), most=MOST)
    for count in meter:
        for _ in range(count // AT_ONCE):
            come_and_go(port, context)
    processes.print_sample(meter.sample)


if __name__ == "__main__":
    main()
