"""uvloop: asyncio's servers on another loop."""

import socket
import ssl

import uvloop

from benchmarks.echo.on_asyncio import protocols, streams


def serve_streams(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo with streams."""
    uvloop.run(streams(listener, context))


def serve_protocols(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo with a protocol."""
    uvloop.run(protocols(listener, context))
