"""The floor: a blocking socket."""

import socket
import ssl

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    with accept(listener, context) as connection:
        while asked := connection.recv(4):
            for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
                connection.sendall(PIECE)


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    with accept(listener, context) as connection:
        while announced := connection.recv(4):
            left = int.from_bytes(announced, "big") * MEBIBYTE
            while left:
                left -= len(connection.recv(min(left, len(PIECE))))
            connection.sendall(DONE)


def accept(listener: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    """Return the first connection."""
    connection, _ = listener.accept()
    if context is None:
        return connection
    return context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True)
