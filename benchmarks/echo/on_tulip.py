"""Tulip: a handler for `tulip_net.serve`, in either style."""

import socket
import ssl

from tulip_net import Gen, Listener, Transport, coroutine, run
from tulip_net import serve as serve_tulip


def serve(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo, in a generator."""
    run(serve_tulip(echo, Listener([listener]), ssl=context))


def serve_await(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Echo, in an ``async def``."""
    run(serve_tulip(echo_await, Listener([listener]), ssl=context))


@coroutine
def echo(transport: Transport) -> Gen[None]:
    """Send back what comes."""
    while data := (yield from transport.recv(65536)):
        yield from transport.send(data)


async def echo_await(transport: Transport) -> None:
    """Send back what comes."""
    while data := await transport.recv(65536):
        await transport.send(data)
