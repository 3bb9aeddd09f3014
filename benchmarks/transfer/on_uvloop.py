"""uvloop: asyncio's streams on another loop."""

import socket
import ssl

import uvloop

from benchmarks.transfer import on_asyncio


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    uvloop.run(on_asyncio.serve(on_asyncio.sender, listener, context))


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    uvloop.run(on_asyncio.serve(on_asyncio.receiver, listener, context))
