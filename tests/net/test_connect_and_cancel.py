"""Ten thousand connections that are cancelled on their way leave nothing behind."""

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.guards.leftovers import open_descriptors
from tests.net.test_connect import addresses, swallowing_port
from tests.opponents.certificates import Certificates
from tulip_net import (
    HttpProxy,
    Listener,
    Socks5Proxy,
    Task,
    Transport,
    create_task,
    create_transport,
    listen,
    move_on_after,
    run,
    serve,
    sleep,
)

ROUNDS = 10_000
AT_A_TIME = 50


async def be_silent(transport: Transport) -> None:
    """What a proxy is to those who are cancelled while they wait for its answer."""
    while await transport.recv(65536):
        pass


def ways(
    listener: Listener, tls_listener: Listener, hanging: int, certificates: Certificates
) -> list[Callable[[], Task[Transport]]]:
    """Return ways to connect, each of which can be cancelled at several points."""
    port, here = listener.port, "127.0.0.1"
    context = certificates.client_context()
    slow = {"resolver": addresses(hanging, hanging, port), "attempt_delay": 0.001}
    return [
        lambda: create_task(create_transport("localhost", port)),
        lambda: create_task(create_transport("nowhere.invalid", port)),
        lambda: create_task(create_transport(here, hanging)),
        lambda: create_task(create_transport("several", port, **slow)),  # type: ignore[arg-type]
        lambda: create_task(create_transport(here, port, proxy=Socks5Proxy(here, port))),
        lambda: create_task(create_transport(here, port, proxy=HttpProxy("localhost", port))),
        lambda: create_task(create_transport(here, tls_listener.port, ssl=context)),
    ]


async def one_round(way: Callable[[], Task[Transport]], turns: int) -> str:
    """Connect in some way, cancel after some turns of the loop, and return how it ended."""
    task = way()
    for _ in range(turns):
        await sleep(0)
    task.cancel()
    await task.wait()
    if task.cancelled():
        return "cancelled"
    if task.exception() is not None:
        return "failed"
    task.result().close()
    return "connected"


def holdings() -> tuple[int, int]:
    """Return how many descriptors and threads this process has."""
    return len(open_descriptors()), threading.active_count()


async def rounds(every_way: list[Callable[[], Task[Transport]]]) -> Counter[str]:
    luck = random.Random(2012)
    ended: Counter[str] = Counter()
    for _ in range(ROUNDS // AT_A_TIME):
        tasks = [
            create_task(one_round(luck.choice(every_way), luck.choice([0, 1, 2, 3, 5, 20, 60])))
            for _ in range(AT_A_TIME)
        ]
        for task in tasks:
            ended[await task] += 1
    return ended


@pytest.mark.slow
def test_ten_thousand_rounds(certificates: Certificates) -> None:
    async def main(hanging: int) -> Counter[str]:
        listener, tls_listener = await listen("127.0.0.1"), await listen("127.0.0.1")
        context = certificates.server_context()
        servers = [
            create_task(serve(be_silent, listener, grace=0)),
            create_task(serve(be_silent, tls_listener, ssl=context, grace=0)),
        ]
        before = holdings()
        ended = await rounds(ways(listener, tls_listener, hanging, certificates))
        with move_on_after(10):  # the servers' sides end, and look-ups that nobody waits for
            while holdings() != before:
                await sleep(0.005)
        assert holdings() == before
        listener.close()
        tls_listener.close()
        for server in servers:
            await server
        return ended

    with swallowing_port() as port:
        ended = run(main(port))
    assert ended.total() == ROUNDS
    assert ended["cancelled"] > ROUNDS // 4
    assert ended["connected"] > 100, "none got to its end: the points were all early ones"
    assert ended["failed"] > 0, "no name was found to be none"
