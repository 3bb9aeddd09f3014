"""A server in memory and requests to it over connections that are reset, as a seed has it.

Everything is in one event loop in virtual time, so a seed repeats every step.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from embedded_server import PAGES, not_found, read_request

from tulip_http import Client, HTTPError, Limits, Response, create_task
from tulip_http._url import Origin
from tulip_net import BrokenError, Task, Transport, coroutine
from tulip_net.testing import FaultyTransport, memory_pair

CAPACITY = 4096
"""Bytes in a connection's buffers: few, so that large bodies wait for the other side."""

BODY = bytes(range(256)) * 100


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes:
        method: Of HTTP.
        path: A page of the embedded server.
        body: What is sent; ``in_pieces`` as an iterable, which cannot be sent twice.
        streamed: Whether the answer is read piece by piece.
    """

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    in_pieces: bool = False
    streamed: bool = False

    def content(self) -> bytes | Iterator[bytes] | None:
        if self.body is None or not self.in_pieces:
            return self.body
        return iter([self.body[at : at + 1000] for at in range(0, len(self.body), 1000)])


ASKS = (
    Ask("GET", "/quick"),
    Ask("GET", "/large?bytes=20000"),
    Ask("GET", "/large?bytes=20000", streamed=True),
    Ask("HEAD", "/large?bytes=20000"),
    Ask("GET", "/chunked?count=30"),
    Ask("GET", "/chunked?count=30", streamed=True),
    Ask("GET", "/status?code=204"),
    Ask("GET", "/no-such-page"),
    Ask("GET", "/last"),
    Ask("PUT", "/echo", BODY),
    Ask("POST", "/echo", BODY),
    Ask("POST", "/echo", BODY, in_pieces=True),
    Ask("POST", "/echo", b""),
)


@dataclass
class Storm:
    """The weather for all connections, and a server that they lead to.

    Args:
        seed: Each connection's luck is made from it, on either side; ``None``: no faults at all.
        client_resets: How likely an operation of the client's meets a reset.
        server_resets: Likewise, of the server's.

    Attributes:
        served: How often each request came to the server whole, by the number in its header.
    """

    seed: int | None
    client_resets: float = 0.0
    server_resets: float = 0.0
    served: Counter[str] = field(default_factory=Counter)
    _connections: int = 0

    @coroutine
    async def connect(self, _origin: Origin) -> Transport:
        self._connections += 1
        ours, theirs = memory_pair(CAPACITY)
        if self.seed is None:
            Task(self._serve(theirs)).start()
            return ours
        seed = self.seed * 10_000 + self._connections
        Task(self._serve(FaultyTransport(theirs, -seed, reset=self.server_resets))).start()
        return FaultyTransport(ours, seed, reset=self.client_resets)

    async def _serve(self, transport: Transport) -> None:
        with transport, contextlib.suppress(BrokenError):
            while (request := await read_request(transport)) is not None:
                self.served[request.headers["number"]] += 1
                await PAGES.get(request.path, not_found)(request, transport)
                if not request.keep_alive:
                    break
            await transport.aclose()

    async def run(self, rounds: int) -> "list[Outcome]":
        """Send all requests so many times, many of them at once, over few connections."""
        limits = Limits(max_connections=3)
        async with Client(base_url="http://h", connect=self.connect, limits=limits) as client:
            asks = [ask for _ in range(rounds) for ask in ASKS]
            tasks = [create_task(self._ask(client, n, ask)) for n, ask in enumerate(asks)]
            outcomes = [await task for task in tasks]
            assert client.stats().connections == client.stats().idle
        assert client.stats().connections == 0
        return outcomes

    async def _ask(self, client: Client, number: int, ask: Ask) -> "Outcome":
        headers = {"Number": str(number)}
        try:
            if ask.streamed:
                async with client.stream(
                    ask.method, ask.path, content=ask.content(), headers=headers
                ) as response:
                    body = b"".join([chunk async for chunk in response.iter_bytes()])
            else:
                response = await client.request(
                    ask.method, ask.path, content=ask.content(), headers=headers
                )
                body = response.content
        except HTTPError as error:
            return Outcome(ask, number, self.served[str(number)], error=error)
        return Outcome(ask, number, self.served[str(number)], said(response), body)


@dataclass(frozen=True)
class Outcome:
    """What came of a request: an answer or an error, and how often the server had it."""

    ask: Ask
    number: int
    served: int
    said: str = ""
    body: bytes = field(default=b"", repr=False)
    error: HTTPError | None = None


def said(response: Response) -> str:
    return f"{response.status_code} {response.reason_phrase} {dict(response.trailers)}"
