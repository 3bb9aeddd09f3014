"""asyncio: streams, and protocols, which its documentation calls the faster, lower level."""

import asyncio
import socket
import ssl
from typing import cast

from typing_extensions import override


def serve_streams(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo with streams."""
    asyncio.run(streams(listener, context))


def serve_protocols(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo with a protocol."""
    asyncio.run(protocols(listener, context))


async def streams(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve with streams on the running loop."""
    server = await asyncio.start_server(echo, sock=listener, ssl=context)
    await server.serve_forever()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def protocols(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve with a protocol on the running loop."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, sock=listener, ssl=context)
    await server.serve_forever()


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)
