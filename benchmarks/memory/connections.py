"""The load: opens connections, echoes one message on each, and keeps them."""

import time

from benchmarks.echo.load import Line, connect, exchange
from benchmarks.echo.server import allow_many_files
from benchmarks.harness import processes
from benchmarks.harness.certificates import client_context
from benchmarks.memory.census import Census

SETTLED = 0.2
"""Seconds after which a server has done what it had to do after a message."""


def main() -> None:
    """Load the server, and print what a connection takes."""
    pid, port, authority, connections = processes.arguments()
    processes.pin(processes.load_core())
    allow_many_files()
    context = client_context(authority)
    kept = []
    census = Census(connections, pid)
    for count in census:
        lines = [Line(each, 1024) for each in connect(port, count, context)]
        exchange(lines, count)
        kept.append(lines)
        time.sleep(SETTLED)
    processes.print_sample(census.sample)


if __name__ == "__main__":
    main()
