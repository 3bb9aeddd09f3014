"""Attempts to connect that run at once, and what becomes of those that lose."""

import socket
from collections.abc import Sequence
from typing import Any

import pytest

from tests.net.test_connect import addresses, swallowing_port
from tulip_net import (
    AddressInfo,
    coroutine,
    create_connection,
    create_task,
    current_context,
    run,
    sleep,
)


def test_an_attempt_that_cannot_be_made_at_all_is_the_error() -> None:
    """A resolver that gives what is no address: a mistake, and not a failure of the network."""

    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        wrong: Any = ("127.0.0.1", "80")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", wrong)] * 2

    with pytest.raises(TypeError):
        run(create_connection("x", 80, resolver=resolve))


def test_of_two_that_connect_in_the_same_moment_one_is_closed() -> None:
    async def main() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as two,
        ):
            resolver = addresses(one.getsockname()[1], two.getsockname()[1])
            sock = await create_connection("x", 80, resolver=resolver, attempt_delay=0)
            assert not current_context().watches
            accepted = [server.accept()[0] for server in (one, two)]
            sock.close()
            for each in accepted:
                each.settimeout(5)
                assert each.recv(1) == b""
                each.close()

    run(main())


def test_a_race_waits_and_is_cancelled_though_it_is_done_twice() -> None:
    async def main(port: int) -> None:
        task = create_task(
            create_connection("x", 80, resolver=addresses(port, port), attempt_delay=0)
        )
        await sleep(0)
        loop = current_context().eventloop
        before = loop.stats().rounds
        await sleep(0.01)
        assert loop.stats().rounds - before < 20, "the last attempt is waited for, not asked about"
        for _ in range(2):
            task.cancel()
            await sleep(0)
        await task.wait()
        assert task.cancelled()
        assert not current_context().watches

    with swallowing_port() as port:
        run(main(port))
