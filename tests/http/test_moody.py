"""A crowd of requests to a moody server, used in every way, given up at every moment.

Each answer is that to its own request; nothing is sent twice that must not be; every error is one
of ours and names its request; at the end every place in the pool is there again, and no connection.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from random import Random

import pytest

from tests.http.moody import MOMENT, Moody, body_of
from tests.opponents.certificates import Certificates
from tests.seeds import every_seed, telling
from tulip_http import (
    Client,
    ClientClosed,
    HTTPError,
    Limits,
    Response,
    StreamError,
    Task,
    Timeout,
    create_task,
    fail_after,
    move_on_after,
    run,
    sleep,
    wait_all,
)
from tulip_sched.testing import virtual_time

WORKERS, ROUNDS = 8, 12
METHODS = ["GET", "GET", "GET", "HEAD", "PUT", "POST", "DELETE"]


class Crowd:
    """A client, and those who use it all at once.

    Args:
        seed: Decides everything.
        certificates: For requests over TLS.

    Attributes:
        once: The requests that must not be sent twice.
        outcomes: How often which.
    """

    def __init__(self, seed: int, certificates: Certificates | None = None) -> None:
        self.luck = luck = Random(seed)
        self.scheme = "http" if certificates is None else "https"
        self.server = Moody(luck, certificates)
        self.limits = Limits(
            max_connections=luck.choice([1, 2, 5]),
            max_per_host=luck.choice([None, 1, 2]),
            max_idle=luck.choice([None, 0, 1, 10]),
            idle_seconds=luck.choice([0, 0.05, 4.5, None]),
            max_age_seconds=luck.choice([None, None, 0.1]),
            max_body=luck.choice([None, None, 5000]),
        )
        self.client = Client(connect=self.server.connect, limits=self.limits)
        self.requests = 0
        self.late: list[Task[None]] = []
        self.once: set[int] = set()
        self.outcomes: Counter[str] = Counter()
        self.history: list[str] = [str(self.limits)]

    def moments(self, most: int) -> float:
        return self.luck.randrange(most) * MOMENT

    async def run(self, *, closes: bool = False, rounds: int = ROUNDS) -> None:
        """Have everybody ask; ``closes``: the client is closed in the midst of it."""
        working = [create_task(self.work(rounds), f"worker {number}") for number in range(WORKERS)]
        if closes:
            await sleep(self.moments(40))
            self.client.close()
        await wait_all(working)
        for task in working:
            task.result()
        await sleep(1000)
        for task in self.late:
            task.result()
        stats = self.client.stats()
        assert (stats.connections, stats.waiting) == (stats.idle, 0)
        assert self.limits.idle_seconds is None or not stats.connections
        if not closes:
            await self.all_places_are_there()
        self.client.close()
        stats = self.client.stats()
        assert (stats.connections, stats.idle, stats.waiting) == (0, 0, 0)
        await sleep(1000)
        assert self.server.alive == 0
        for number, count in self.server.seen.items():
            assert count <= (1 if number in self.once else 2), f"{number} was sent {count} times"

    async def all_places_are_there(self) -> None:
        held: list[Response] = []
        places = min(self.limits.max_connections or 99, self.limits.max_per_host or 99)
        while len(held) < places:
            self.requests += 1
            headers = {"Number": str(self.requests)}
            with fail_after(60), suppress(HTTPError):
                url = f"{self.scheme}://h0/"
                held.append(await self.client.stream("GET", url, headers=headers))
        for response in held:
            response.close()

    async def work(self, rounds: int) -> None:
        for _ in range(rounds):
            self.requests += 1
            number = self.requests
            task = create_task(self.ask(number))
            match self.luck.randrange(5):
                case 0 | 1:
                    await task.wait()
                case 2 | 3:
                    await sleep(self.moments(8))
                case _:
                    for _ in range(self.luck.randrange(25)):
                        await sleep(0)
            task.cancel()
            await task.wait()
            self.account(number, None if task.cancelled() else task.exception(), task.cancelled())

    def account(self, number: int, error: BaseException | None, cancelled: bool) -> None:
        outcome = "cancelled" if cancelled else type(error).__name__
        self.history.append(f"{number}: {outcome}")
        self.outcomes[outcome] += 1
        if isinstance(error, HTTPError):
            assert isinstance(error, ClientClosed) or error.request is not None, repr(error)
        elif error is not None and not isinstance(error, TimeoutError):
            raise error

    def timeout(self) -> Timeout:
        if self.luck.random() < 0.5:
            return Timeout(30)
        connect, read, write, pool, total = (
            self.luck.choice([None, 0, MOMENT, 2 * MOMENT, 5 * MOMENT, 1, 1]) for _ in range(5)
        )
        total = total if self.luck.random() < 0.5 else 30
        return Timeout(connect=connect, read=read, write=write, pool=pool, total=total)

    def content(self, number: int) -> bytes | Iterator[bytes] | AsyncIterator[bytes] | None:
        size = self.luck.choice([0, 10, 1000, 70_000, 300_000])
        match self.luck.randrange(5):
            case 0:
                return None
            case 1 | 2:
                return bytes(size)
        # What comes in pieces is there once.
        self.once.add(number)
        count = self.luck.randrange(4)
        if self.luck.random() < 0.5:
            return iter([bytes(size // 3)] * count)
        return self.slow_pieces(count, size // 3)

    async def slow_pieces(self, count: int, size: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            await sleep(self.moments(3))
            yield bytes(size)

    async def ask(self, number: int) -> None:
        luck, method = self.luck, self.luck.choice(METHODS)
        headers, content = {"Number": str(number)}, None
        if method == "POST":
            self.once.add(number)
        if method in ("PUT", "POST"):
            content = self.content(number)
            if luck.random() < 0.3:
                headers["Expect"] = "100-continue"
        if luck.random() < 0.1:
            headers["Connection"] = "close"
        url = f"{self.scheme}://h{luck.randrange(2)}/"
        self.history.append(f"{number}: {method} {headers}")
        timeout = self.timeout()
        if luck.random() < 0.4:
            with move_on_after(luck.choice([None, None, self.moments(6)])):
                response = await self.client.request(
                    method, url, headers=headers, content=content, timeout=timeout
                )
                check(number, response, response.content)
            return
        response = await self.client.stream(
            method, url, headers=headers, content=content, timeout=timeout
        )
        try:
            await self.use(number, response)
        finally:
            for _ in range(luck.randrange(1, 3)):
                response.close()
            if luck.random() < 0.3:
                self.late.append(create_task(self.ask_later(response)))

    async def ask_later(self, response: Response) -> None:
        """Touch a response that was closed long ago: it gives nothing, and harms nobody."""
        await sleep(self.moments(30))
        response.close()
        with suppress(StreamError):
            assert not await response.read_chunk()

    async def use(self, number: int, response: Response) -> None:
        """Take the body in random ways, one after the other."""
        got: list[bytes] = []
        for _ in range(self.luck.randrange(12)):
            try:
                await self.take(response, got)
            except StreamError:
                self.outcomes["StreamError in use"] += 1
            except HTTPError as error:
                self.outcomes["error in use"] += 1
                self.history.append(f"{number}: {error!r}")
                if error.request is None:
                    raise
            check(number, response, b"".join(got))

    async def take(self, response: Response, got: list[bytes]) -> None:
        match self.luck.randrange(10):
            case 0 | 1 | 2:
                got.append(await response.read_chunk())
            case 3:
                with move_on_after(self.moments(4)):
                    got.append(await response.read_chunk())
            case 4 | 5:
                await sleep(self.moments(4))
            case 6:
                got[:] = [await response.read()]
            case 7 if self.luck.random() < 0.3:
                response.close()
            case 8 if self.luck.random() < 0.3:
                with move_on_after(self.moments(4)):
                    async for piece in response.iter_bytes():
                        got.append(piece)  # noqa: PERF401 - also those before it is given up


def check(number: int, response: Response, body: bytes) -> None:
    """Fail unless the answer, and the beginning of its body, are those to this request."""
    assert response.headers["x-number"] == str(number), "the answer to another request"
    assert body_of(number, len(body) + 8).startswith(body), "the body of another answer"


@every_seed(12)
@pytest.mark.parametrize("order", ["usual order", "random order"])
@pytest.mark.parametrize("closes", [False, True], ids=["to the end", "closed meanwhile"])
def test_everybody_gets_an_answer_or_an_error(seed: int, order: str, closes: bool) -> None:
    crowd = Crowd(seed)
    with telling(seed, crowd.history), virtual_time(seed=seed if "random" in order else None):
        run(crowd.run(closes=closes))
    assert closes or len(crowd.outcomes) > 3


@every_seed(8)
def test_everybody_gets_an_answer_or_an_error_over_tls(
    seed: int, certificates: Certificates
) -> None:
    crowd = Crowd(seed, certificates)
    with telling(seed, crowd.history), virtual_time():
        run(crowd.run(rounds=ROUNDS // 2))
