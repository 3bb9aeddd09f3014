"""curio: its server with socket objects, which its documentation prefers to streams."""

import socket
import ssl

import curio
from curio.network import run_server


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo."""
    curio.run(main, listener, context)


async def main(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serve."""
    await run_server(curio.io.Socket(listener), echo, context)


async def echo(client: curio.io.Socket, _address: object) -> None:
    """Send back what comes."""
    while data := await client.recv(65536):
        await client.sendall(data)
