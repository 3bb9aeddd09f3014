"""Requests are cancelled at random points, many of them, and nothing is left.

All is in memory and on the virtual clock, and random by a seed: connecting takes its time or
fails, the server answers in pieces, late, too early or not at all, some bodies are long. What is
left behind in the event loop (tasks, timers, callbacks, registrations) `virtual_time` reports.

``TULIP_CANCELS=1000000`` makes it a million; by default as many as CI has time for.
"""

import gc
import os
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest

from tulip_http import (
    Client,
    HTTPError,
    Limits,
    Origin,
    Task,
    Timeout,
    Transport,
    coroutine,
    create_task,
    move_on_after,
    run,
    sleep,
    wait_all,
)
from tulip_http._connection import Connection
from tulip_net import BrokenError, BufferedReader, ConnectError, IncompleteReadError
from tulip_net.testing import memory_pair
from tulip_sched.testing import virtual_time

CANCELS = int(os.environ.get("TULIP_CANCELS", "40000"))
MOST, MOST_PER_HOST, WORKERS, HOSTS = 10, 4, 30, 4
LIMITS = Limits(max_connections=MOST, max_per_host=MOST_PER_HOST, max_idle=6, idle_seconds=0.05)
SECONDS = 0.002


class Erratic:
    """A server that does each thing it should not, now and then.

    Attributes:
        alive: Its connections.
        most: Most of them at once.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.alive = Counter[str]()
        self.most = 0

    @coroutine
    async def connect(self, origin: Origin) -> Transport:
        await sleep(self._random.choice((0, SECONDS)) * self._random.random())
        if self._random.random() < 0.02:
            raise ConnectError(str(origin), ())
        ours, theirs = memory_pair()
        Task(self._serve(origin.host, theirs), "erratic").start()
        return ours

    @coroutine
    async def _serve(self, host: str, transport: Transport) -> None:
        self.alive[host] += 1
        self.most = max(self.most, self.alive.total())
        try:
            reader = BufferedReader(transport)
            while await self._answer(reader, transport):
                pass
        except (BrokenError, IncompleteReadError):
            pass  # the client has gone
        finally:
            self.alive[host] -= 1
            transport.close()

    async def _answer(self, reader: BufferedReader, transport: Transport) -> bool:
        if not await reader.peek():
            return False
        head = await reader.readuntil(b"\r\n\r\n")
        chance = self._random.random()
        if chance < 0.02:
            return False  # closed without an answer
        if b"Expect" in head and chance < 0.5:
            await transport.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"POST" in head and chance < 0.8:
            await reader.readexactly(3000)
        await self._pause()
        size = self._random.choice((0, 10, 3000, 200_000))
        fields = "Connection: close\r\n" if chance > 0.95 else ""
        first = self._random.randrange(size + 1)
        answer = f"HTTP/1.1 200 OK\r\n{fields}Content-Length: {size}\r\n\r\n".encode()
        await transport.send(answer + bytes(first))
        await self._pause()
        await transport.send(bytes(size - first))
        return not fields and (b"POST" not in head or chance < 0.8)

    async def _pause(self) -> None:
        for _ in range(self._random.randrange(3)):
            await sleep(self._random.choice((0, SECONDS)) * self._random.random())


class Churn:
    """Workers that ask and give up, until there were enough cancellations."""

    def __init__(self, client: Client, random: Random, goal: int) -> None:
        self._client = client
        self._random = random
        self._goal = goal
        self.outcomes: Counter[str] = Counter()

    async def work(self) -> None:
        while self.outcomes["cancelled"] < self._goal:
            task = create_task(self._ask())
            await self._some_time()
            task.cancel()
            await task.wait()
            if task.cancelled():
                self.outcomes["cancelled"] += 1
            elif isinstance(error := task.exception(), HTTPError):
                self.outcomes[type(error).__name__] += 1
            else:
                task.result()
                self.outcomes["answered"] += 1

    async def _some_time(self) -> None:
        """Wait for a moment, or for some turns of the loop: points between two moments."""
        if self._random.random() < 0.5:
            await sleep(self._random.random() * 6 * SECONDS)
        else:
            for _ in range(self._random.randrange(25)):
                await sleep(0)

    async def _ask(self) -> None:
        url = f"http://host{self._random.randrange(HOSTS)}/"
        match self._random.randrange(6):
            case 0:
                await self._client.post(url, content=bytes(3000))
            case 1:
                await self._client.post(url, content=self._body())
            case 2:
                expecting = {"Expect": "100-continue"}
                await self._client.post(url, content=bytes(3000), headers=expecting)
            case 3:
                async with self._client.stream("GET", url) as response:
                    await response.read_chunk()
            case _:
                await self._client.get(url)

    async def _body(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            await sleep(self._random.random() * SECONDS / 3)
            yield bytes(1000)


async def churn(seed: int, cancels: int) -> Counter[str]:
    random = Random(seed)
    server = Erratic(random)
    timeout = Timeout(connect=1, read=1, write=1, pool=SECONDS * 20, total=2)
    async with Client(connect=server.connect, limits=LIMITS, timeout=timeout) as client:
        found = Churn(client, random, cancels)
        await wait_all([create_task(found.work()) for _ in range(WORKERS)])
        assert server.most <= MOST + WORKERS  # the server may notice a close later than we do
        await sleep(1)  # what is drained in the background has ended, what is idle is closed
        stats = client.stats()
        assert (stats.connections, stats.idle, stats.waiting) == (0, 0, 0)
        assert server.alive.total() == 0
        await all_places_are_there(client)
    return found.outcomes


async def all_places_are_there(client: Client) -> None:
    """As many requests at once as the limits allow, to each host, get their connections."""
    for host in range(HOSTS):
        held = []
        for _ in range(MOST_PER_HOST):
            while True:
                with move_on_after(1):
                    try:
                        held.append(await client.stream("GET", f"http://host{host}/"))
                        break
                    except HTTPError:
                        continue  # an erratic one
        assert client.stats().connections == MOST_PER_HOST
        for response in held:
            response.close()
        await sleep(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_cancelling_at_random_points_leaks_nothing(seed: int) -> None:
    with virtual_time(seed=seed if seed % 2 else None):
        outcomes = run(churn(seed, CANCELS // 4))
    assert outcomes["cancelled"] >= CANCELS // 4
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is Connection]
    assert outcomes["answered"] > outcomes["cancelled"] / 50
