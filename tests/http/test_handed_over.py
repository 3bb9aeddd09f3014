"""A connection that is handed from one request to the next may have been closed by the server.

That one is noticed like any other that was kept: what can be repeated is, and what cannot is not
sent on it.
"""

import pytest

from tests.http.running import in_loop
from tulip_http import Client, Limits, NetworkError, RemoteProtocolError, create_task
from tulip_http._url import Origin
from tulip_net import Gen, Task, Transport, coroutine
from tulip_net.testing import memory_pair

ONE = Limits(max_connections=1)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class ClosesAfterAnswers:
    """A server that answers so many requests on each connection, and closes it without a word.

    Args:
        answers: How many, for each connection; the last one holds for all that follow.
    """

    def __init__(self, *answers: int) -> None:
        self._answers = answers
        self.connections = 0
        self.requests = 0

    @coroutine
    async def connect(self, _origin: Origin) -> Transport:
        ours, theirs = memory_pair()
        answers = self._answers[min(self.connections, len(self._answers) - 1)]
        self.connections += 1
        Task(self._serve(theirs, answers)).start()
        return ours

    @coroutine
    def _serve(self, transport: Transport, answers: int) -> Gen[None]:
        with transport:
            for _ in range(answers):
                if not (yield from transport.recv(65536)):
                    return
                self.requests += 1
                yield from transport.send(ANSWER)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@in_loop
async def test_the_next_one_gets_its_answer(method: str) -> None:
    server = ClosesAfterAnswers(1)
    async with Client(connect=server.connect, limits=ONE) as client:
        tasks = [create_task(client.request(method, "http://h/")) for _ in range(5)]
        assert [(await task).text for task in tasks] == ["hi"] * 5
    assert server.requests == 5


@in_loop
async def test_it_is_sent_once_more_and_not_again() -> None:
    """Whatever kills the server must not be sent to all of them."""
    server = ClosesAfterAnswers(1, 0)
    async with Client(connect=server.connect, limits=ONE) as client:
        first, second = (create_task(client.get("http://h/")) for _ in range(2))
        assert (await first).text == "hi"
        with pytest.raises((NetworkError, RemoteProtocolError)):
            await second
        assert client.stats().connections == 0
    assert server.connections == 2
