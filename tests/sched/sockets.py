"""Sockets brought into the states that tests need."""

import socket
from contextlib import suppress


def fill(end: socket.socket) -> None:
    """Send until there is no more room."""
    with suppress(BlockingIOError):
        while True:
            end.send(b"x" * 65536)


def drain(end: socket.socket) -> None:
    """Receive until there is nothing left."""
    with suppress(BlockingIOError):
        while True:
            end.recv(1 << 20)
