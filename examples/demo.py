"""The main program of the post: four pages at once, the first one, then all of them.

Four tasks fetch four pages from a server of our own: a quick one, one over https, a large one with
a progress bar, and one that is slower than its timeout. We wait for the first, then for all.

    hatch run demo
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedded_server import Certificates, start_server
from tqdm import tqdm  # type: ignore[import-untyped]

from tulip_http import Client, Gen, HTTPError, Task, coroutine, create_task, run, wait_all, wait_any

LARGE = 32 << 20

say = tqdm.write  # prints, and moves the progress bar out of the way


class Player:
    """Fetches one page, and remembers how long it took."""

    def __init__(self, name: str, client: Client, url: str, timeout: float = 10) -> None:
        self.name = name
        self.seconds = 0.0
        self._client = client
        self._url = url
        self._timeout = timeout

    @coroutine
    def fetch(self) -> Gen[str]:
        """Fetch the page, and return what came in words."""
        began = time.monotonic()
        try:
            opening = self._client.stream("GET", self._url, timeout=self._timeout)
            with (yield from opening) as response:
                length = int(response.headers["content-length"])
                with bar(self.name, length) as advance:
                    while chunk := (yield from response.read_chunk()):
                        advance(len(chunk))
                return f"{response.status_code} {response.reason_phrase}, {length:,} bytes"
        finally:
            self.seconds = time.monotonic() - began


@contextmanager
def bar(name: str, length: int) -> Iterator[Callable[[int], object]]:
    """Show how far a page has come, if it is large; yield what has to be told."""
    with tqdm(
        total=length, desc=name, unit="B", unit_scale=True, disable=length < LARGE, leave=False
    ) as shown:
        yield shown.update


@coroutine
def main() -> Gen[None]:
    """Start the servers, let the four play, and say how it went."""
    certificates = Certificates()
    plain = yield from start_server()
    secure = yield from start_server(certificates.server_context())
    with Client(tls=certificates.client_context()) as client:
        players = [
            Player("quick", client, plain.url("/quick")),
            Player("https", client, secure.url("/quick")),
            Player("large", client, plain.url(f"/large?bytes={LARGE}&seconds=0.5")),
            Player("too slow", client, plain.url("/slow?seconds=30"), timeout=1),
        ]
        tasks = {create_task(player.fetch(), player.name): player for player in players}

        done = yield from wait_any(tasks)
        say(f"who won:    {names(done)}")
        done = yield from wait_all(tasks)
        say(f"who played: {names(done)}")
        for task, player in tasks.items():
            say(f"{player.seconds:8.3f} s  {player.name:10} {outcome(task)}")
    yield from plain.stop()
    yield from secure.stop()


def names(tasks: set[Task[str]]) -> str:
    """Return the tasks' names."""
    return ", ".join(sorted(task.name for task in tasks))


def outcome(task: Task[str]) -> str:
    """Return a task's result or exception, in words."""
    try:
        return task.result()
    except HTTPError as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    run(main())
