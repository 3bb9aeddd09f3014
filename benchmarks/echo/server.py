"""The process under test: one competitor's echo server, until it is terminated.

A competitor's function is ``serve(listener, context)``: it echoes on every connection accepted
from a listening socket, until the peer has sent everything, and never returns.
"""

import json
import resource
import socket

from benchmarks.harness import processes
from benchmarks.harness.certificates import server_context
from benchmarks.harness.part import load

BACKLOG = 1024


def main() -> None:
    """Listen, print the port, and serve."""
    program, certificate = processes.arguments()
    processes.pin(processes.tested_core())
    allow_many_files()
    with processes.exits():
        serve = load(program)
    assert callable(serve)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    # Accepted sockets inherit it: small messages go out at once, for everyone.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(json.dumps(listener.getsockname()[1]), flush=True)
    serve(listener, server_context(certificate))


def allow_many_files() -> None:
    """Raise the limit of open files as far as we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
