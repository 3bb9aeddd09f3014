"""A server on several cores: one process for each, one event loop in each, one port for all.

Every process listens for itself (``SO_REUSEPORT``) and the kernel deals the connections out;
nothing is shared, so nothing is locked. A SIGTERM stops a process in good order: what it has
accepted is still served. With threads in the place of processes it works the same way, one loop in
each; they share a core as long as Python has its global lock.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter

from tulip_net import (
    BufferedReader,
    Gen,
    Transport,
    coroutine,
    create_transport,
    current_context,
    listen,
    map_over,
    run,
    serve,
)

PROCESSES = 3
VISITS = 60


@coroutine
def tell_who_i_am(transport: Transport) -> Gen[None]:
    """Answer a line with the number of this process."""
    yield from BufferedReader(transport).readline()
    yield from transport.send(b"%d\n" % os.getpid())


@coroutine
def work(port: int) -> Gen[None]:
    """Serve until SIGTERM, and then finish what has begun, for ten seconds at most."""
    listener = yield from listen("127.0.0.1", port, reuse_port=True)
    current_context().eventloop.add_signal_handler(signal.SIGTERM, listener.close)
    print("ready", flush=True)
    yield from serve(tell_who_i_am, listener, grace=10)


@coroutine
def visit(port: int) -> Gen[int]:
    """Ask whoever answers for the number of its process."""
    transport = yield from create_transport("127.0.0.1", port)
    try:
        yield from transport.send(b"who are you?\n")
        return int((yield from BufferedReader(transport).readline()))
    finally:
        transport.close()


def start(port: int) -> "subprocess.Popen[bytes]":
    """Start one process, and wait until it listens."""
    worker = subprocess.Popen(  # noqa: S603 - it is this very program
        [sys.executable, __file__, str(port)], stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    return worker


def main() -> None:
    """Start the processes on a free port, visit them, and stop them."""
    with socket.socket() as reserved:  # it keeps the port for us, and does not listen
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        workers = [start(port) for _ in range(PROCESSES)]
        served = Counter(run(map_over(visit, [port] * VISITS)))
    for number, worker in enumerate(workers, 1):
        worker.terminate()
        with worker:
            status = worker.wait()
        print(f"process {number} served {served[worker.pid]} visits and ended with {status}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(work(int(sys.argv[1])))
    else:
        main()
