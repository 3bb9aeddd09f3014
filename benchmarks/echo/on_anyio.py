"""anyio, on asyncio, its default, and on uvloop, which is an option of that."""

import socket
import ssl
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketListener
from anyio.streams.tls import TLSListener


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo."""
    anyio.run(main, listener, context)


def serve_on_uvloop(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo on uvloop."""
    anyio.run(main, listener, context, backend_options={"use_uvloop": True})


async def main(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve."""
    door: Any = await SocketListener.from_socket(listener)
    if context is not None:
        door = TLSListener(door, context)
    await door.serve(echo)


async def echo(stream: ByteStream) -> None:
    """Send back what comes."""
    async with stream:
        async for data in stream:
            await stream.send(data)
