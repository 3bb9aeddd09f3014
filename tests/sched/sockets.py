"""Sockets brought into the states that tests need."""

import socket
from contextlib import suppress

from tulip_sched import Gen, Watch, coroutine


def fill(end: socket.socket) -> None:
    """Send until there is no more room."""
    with suppress(BlockingIOError):
        while True:
            end.send(b"x" * 65536)


def drain(end: socket.socket) -> None:
    """Receive until there is nothing left."""
    with suppress(BlockingIOError):
        while True:
            end.recv(1 << 20)


@coroutine
def readable(watch: Watch) -> Gen[None]:
    """Wait for input once."""
    watch.block_r()
    yield


@coroutine
def writable(watch: Watch) -> Gen[None]:
    """Wait for room once."""
    watch.block_w()
    yield


@coroutine
def receive(watch: Watch, end: socket.socket) -> Gen[bytes]:
    """Wait for input once, and take it."""
    yield from readable(watch)
    return end.recv(100)
