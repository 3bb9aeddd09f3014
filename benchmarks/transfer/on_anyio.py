"""anyio, on asyncio, its default."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketListener
from anyio.streams.tls import TLSListener

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    anyio.run(serve, sender, listener, context)


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    anyio.run(serve, receiver, listener, context)


async def serve(
    handler: Callable[[Any], Awaitable[None]],
    listener: socket.socket,
    context: ssl.SSLContext | None,
) -> None:
    """Serve."""
    door: Any = await SocketListener.from_socket(listener)
    if context is not None:
        door = TLSListener(door, context)
    await door.serve(handler)


async def sender(stream: ByteStream) -> None:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    async with stream:
        async for asked in stream:
            for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
                await stream.send(PIECE)


async def receiver(stream: ByteStream) -> None:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    async with stream:
        while True:
            left = int.from_bytes(await stream.receive(4), "big") * MEBIBYTE
            while left:
                left -= len(await stream.receive(min(left, len(PIECE))))
            await stream.send(DONE)
