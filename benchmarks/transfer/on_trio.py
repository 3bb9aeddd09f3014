"""trio."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    trio.run(serve, sender, listener, context)


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    trio.run(serve, receiver, listener, context)


async def serve(
    handler: Callable[[Any], Awaitable[None]],
    listener: socket.socket,
    context: ssl.SSLContext | None,
) -> None:
    """Serve."""
    listener.setblocking(False)
    door: Any = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    if context is not None:
        door = trio.SSLListener(door, context)
    await trio.serve_listeners(handler, [door])


async def sender(stream: trio.abc.Stream) -> None:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    while asked := await stream.receive_some(4):
        for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
            await stream.send_all(PIECE)


async def receiver(stream: trio.abc.Stream) -> None:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    while announced := await stream.receive_some(4):
        left = int.from_bytes(announced, "big") * MEBIBYTE
        while left:
            left -= len(await stream.receive_some(min(left, len(PIECE))))
        await stream.send_all(DONE)
