"""asyncio's streams."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE

READ = 65536
"""Bytes read at once: with 256 KiB, asyncio 3.11 and uvloop took a third more CPU time."""

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    asyncio.run(serve(sender, listener, context))


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    asyncio.run(serve(receiver, listener, context))


async def serve(handler: Handler, listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve on the running loop."""
    # A stream stops reading from the socket once it holds twice the limit.
    server = await asyncio.start_server(handler, sock=listener, ssl=context, limit=len(PIECE))
    await server.serve_forever()


async def sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    while asked := await reader.read(4):
        for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
    writer.close()


async def receiver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    while announced := await reader.read(4):
        left = int.from_bytes(announced, "big") * MEBIBYTE
        while left:
            left -= len(await reader.read(min(left, READ)))
        writer.write(DONE)
        await writer.drain()
    writer.close()
