"""curio."""

import socket
import ssl

import curio
from curio.network import run_server

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    curio.run(run_server, curio.io.Socket(listener), sender, context)


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    curio.run(run_server, curio.io.Socket(listener), receiver, context)


async def sender(client: curio.io.Socket, _address: object) -> None:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    while asked := await client.recv(4):
        for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
            await client.sendall(PIECE)


async def receiver(client: curio.io.Socket, _address: object) -> None:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    while announced := await client.recv(4):
        left = int.from_bytes(announced, "big") * MEBIBYTE
        while left:
            left -= len(await client.recv(min(left, len(PIECE))))
        await client.sendall(DONE)
