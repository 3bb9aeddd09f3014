"""Tulip."""

import socket
import ssl

from benchmarks.transfer.peer import DONE, MEBIBYTE, PIECE
from tulip_net import Gen, Listener, Transport, coroutine, run, serve


def send(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Send what is asked for."""
    run(serve(sender, Listener([listener]), ssl=context))


def receive(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Receive what is announced."""
    run(serve(receiver, Listener([listener]), ssl=context))


@coroutine
def sender(transport: Transport) -> Gen[None]:
    """Send as many MiB as a number in four bytes asks for, again and again."""
    while asked := (yield from transport.recv(4)):
        for _ in range(int.from_bytes(asked, "big") * MEBIBYTE // len(PIECE)):
            yield from transport.send(PIECE)


@coroutine
def receiver(transport: Transport) -> Gen[None]:
    """Receive as many MiB as a number in four bytes announces, and say so, again and again."""
    while announced := (yield from transport.recv(4)):
        left = int.from_bytes(announced, "big") * MEBIBYTE
        while left:
            left -= len((yield from transport.recv(min(left, len(PIECE)))))
        yield from transport.send(DONE)
