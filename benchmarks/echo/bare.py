"""The floor: a Python loop over epoll, and nothing that a library would need besides."""

import select
import socket
import ssl


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo, as long as what is sent back fits into the socket's buffer."""
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    door = listener.fileno()
    connections: dict[int, socket.socket] = {}
    while True:
        for number, _ in poll.poll():
            if number == door:
                connection, _ = listener.accept()
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.setblocking(False)
                connections[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
                continue
            connection = connections[number]
            try:
                data = connection.recv(65536)
                if data:
                    assert connection.send(data) == len(data), "it did not fit"
                    continue
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLEOFError:
                pass
            del connections[number]
            connection.close()
