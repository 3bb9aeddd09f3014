"""Connected sockets, before anything is made of them."""

import socket


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a TCP connection, both blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        return a, listener.accept()[0]
