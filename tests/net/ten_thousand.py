"""A server and a client in processes of their own, for `test_ten_thousand`: many connections.

``server COUNT`` prints its port, serves until its input ends, and prints what it holds then;
``client COUNT PORT`` opens all connections, uses each one while all are open, and closes them.
"""

import json
import resource
import selectors
import socket
import sys
from pathlib import Path

from tulip_net import Gen, Transport, coroutine, create_task, current_context, listen, run, serve

SPARE = 50
"""Descriptors for everything else."""


def raise_limit(count: int) -> None:
    """Let this process have so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + SPARE, hard))


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@coroutine
def server() -> Gen[dict[str, int]]:
    loop = current_context().eventloop
    connections = together = most = 0

    @coroutine
    def echo(transport: Transport) -> Gen[None]:
        nonlocal connections, together, most
        connections += 1
        together += 1
        most = max(most, together)
        while data := (yield from transport.recv(1000)):
            yield from transport.send(data)
        together -= 1

    listener = yield from listen("127.0.0.1")
    serving = create_task(serve(echo, listener))
    before = descriptors()
    say(listener.port)
    loop.add_reader(0, listener.close)
    yield from serving
    loop.remove_reader(0)
    left = descriptors() - before + 1  # the listener is closed by now
    return {"connections": connections, "most": most, "left": left}


def client(count: int, port: int) -> dict[str, int]:
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    served = 0
    with selectors.DefaultSelector() as selector:
        for number, sock in enumerate(sockets):
            selector.register(sock, selectors.EVENT_READ, b"%08d" % number)
            sock.sendall(b"%08d" % number)
        while selector.get_map():
            for key, _ in selector.select(10):
                assert isinstance(key.fileobj, socket.socket)
                served += key.fileobj.recv(1000) == key.data
                selector.unregister(key.fileobj)
    for sock in sockets:
        sock.close()
    return {"served": served}


if __name__ == "__main__":
    raise_limit(int(sys.argv[2]))
    if sys.argv[1] == "server":
        say(run(server()))
    else:
        say(client(int(sys.argv[2]), int(sys.argv[3])))
