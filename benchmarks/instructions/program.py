"""The process under test: so many switches, echoes or GETs, and no clock."""

import socket
import subprocess
import sys

from benchmarks.harness import processes
from benchmarks.harness.meter import Exactly
from benchmarks.harness.part import load
from benchmarks.harness.processes import command, environment
from benchmarks.http.job import Job
from benchmarks.http.nginx import PAGE_BYTES


def main() -> None:
    """Do the work."""
    program, case, count, url = processes.arguments()
    with processes.exits():
        module = load(program)
    perform = getattr(module, case)
    if case == "switch":
        perform(Exactly(count))
    elif case == "get":
        perform(Job(url, 1, None, PAGE_BYTES, Exactly(count)))
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        peer = command("benchmarks.instructions.peer", port, count)
        with subprocess.Popen(peer, env=environment()) as running:
            perform(listener)
        sys.exit(running.returncode)


if __name__ == "__main__":
    main()
