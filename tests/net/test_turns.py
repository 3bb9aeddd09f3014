"""A peer that always has more to say does not keep the other tasks waiting."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from tulip_net import (
    CancelScope,
    ClosedError,
    PipeTransport,
    SocketTransport,
    Transport,
    create_task,
    run,
    sleep,
)
from tulip_net._turns import CALL, TURN

AT_ONCE = 16
"""Bytes of a receive: few, so that what the kernel holds is enough for many of them."""


def full_socket() -> tuple[Transport, int]:
    """Return a transport that need not wait for so many bytes; then the stream ends."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    held = 0
    with theirs, suppress(BlockingIOError):
        while True:
            held += theirs.send(bytes(AT_ONCE * 64))
    return SocketTransport(ours), held


def full_pipe() -> tuple[Transport, int]:
    """Return the same over a pipe."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    held = 0
    with suppress(BlockingIOError):
        while True:
            held += os.write(writing, bytes(AT_ONCE * 64))
    os.close(writing)
    return PipeTransport(receive=reading), held


async def receive_all(transport: Transport, *, into: bool = False) -> int:
    buffer = bytearray(AT_ONCE)
    received = 0
    while count := (
        await transport.recv_into(buffer) if into else len(await transport.recv(AT_ONCE))
    ):
        received += count
    return received


@pytest.mark.parametrize(
    "full,into", [(full_socket, False), (full_socket, True), (full_pipe, False)]
)
def test_others_have_their_turn(full: Callable[[], tuple[Transport, int]], *, into: bool) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await sleep(0)
            turns += 1

    async def main() -> None:
        transport, held = full()
        with transport:
            first = len(await transport.recv(AT_ONCE))  # a socket's waits
            beside = create_task(others())
            assert first + await receive_all(transport, into=into) == held
            beside.cancel()
            await beside.wait()
            due = held / AT_ONCE * (AT_ONCE + CALL) / TURN
            assert due > 5
            assert due / 2 < turns < due * 2

    run(main())


@pytest.mark.parametrize("full", [full_socket, full_pipe])
def test_cancelled_in_the_others_turn_it_takes_nothing(
    full: Callable[[], tuple[Transport, int]],
) -> None:
    async def main() -> None:
        transport, held = full()
        with transport:
            scope = CancelScope()

            async def other() -> None:
                await sleep(0)
                scope.cancel()

            beside = create_task(other())
            received = 0
            with scope:
                while received < held:
                    received += len(await transport.recv(AT_ONCE))
            assert scope.cancelled_caught
            await beside
            assert received + await receive_all(transport) == held

    run(main())


@pytest.mark.parametrize("full", [full_socket, full_pipe])
def test_a_transport_closed_in_the_others_turn_is_closed(
    full: Callable[[], tuple[Transport, int]],
) -> None:
    async def main() -> None:
        transport, _ = full()

        async def other() -> None:
            await sleep(0)
            transport.close()

        beside = create_task(other())
        with pytest.raises(ClosedError, match="closed"):
            await receive_all(transport)
        await beside

    run(main())
