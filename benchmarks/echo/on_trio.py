"""trio: `serve_listeners` with its stream types."""

import socket
import ssl
from typing import Any

import trio


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo."""
    listener.setblocking(False)
    trio.run(main, listener, context)


async def main(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve."""
    door: Any = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
    if context is not None:
        door = trio.SSLListener(door, context)
    await trio.serve_listeners(echo, [door])


async def echo(stream: trio.abc.Stream) -> None:
    """Send back what comes."""
    while data := await stream.receive_some(65536):
        await stream.send_all(data)
