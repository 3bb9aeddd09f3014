"""Accept connections whose message, and its end, are there already; echo each and close it."""

import gc
import os
import socket

from tulip_net import Gen, Listener, Transport, coroutine, create_task, run, serve, sleep

CONNECTIONS = 20


async def main(listener: Listener) -> None:
    """Serve until every connection has been closed."""
    left = CONNECTIONS

    @coroutine
    def echo(transport: Transport) -> Gen[None]:
        nonlocal left
        while data := (yield from transport.recv(100)):
            yield from transport.send(data)
        left -= 1

    os.write(1, b"begin\n")
    server = create_task(serve(echo, listener))
    while left:
        await sleep(0)
    os.write(1, b"end\n")
    listener.close()
    await server


if __name__ == "__main__":
    door = socket.create_server(("127.0.0.1", 0))
    clients = [socket.create_connection(door.getsockname()) for _ in range(CONNECTIONS)]
    for client in clients:
        client.send(b"message")
        client.shutdown(socket.SHUT_WR)
    gc.disable()
    run(main(Listener([door])))
    for client in clients:
        assert client.recv(100, socket.MSG_WAITALL) == b"message"
        client.close()
