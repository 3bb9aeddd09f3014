"""Every row of the table of odd responses, and every way to cut or garble a response."""

import contextlib
import http.client
import io
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.odd_elsewhere import OTHERS
from tests.http.odd_responses import OK, TABLE, Odd, page
from tests.opponents import need
from tulip_http import Client, HTTPError, Limits, RemoteProtocolError, Response, run, sleep
from tulip_http.testing import ScriptedServer, Step
from tulip_sched.testing import virtual_time

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class Outcome:
    """What became of a request, and of the one after it."""

    def __init__(
        self,
        data: bytes,
        *,
        closes: bool,
        method: str = "GET",
        piece: int = 65536,
        early: bool = False,
    ) -> None:
        self.error: HTTPError | None = None
        self.response: Response | None = None
        self.kept = False
        last = [] if closes else [Step.HANG]
        first: list[bytes | Step] = [data, Step.REQUEST] if early else [Step.REQUEST, data]
        self._server = ScriptedServer([*first, *last], GOOD, piece=piece)
        with virtual_time():
            run(self._ask(method))

    async def _ask(self, method: str) -> None:
        async with Client(connect=self._server.connect) as client:
            try:
                self.response = await client.request(method, "http://h/", timeout=60)
            except HTTPError as error:
                self.error = error
            self.kept = client.stats().idle == 1
            if not self.kept:
                assert client.stats().connections == 0
                assert (await client.get("http://h/")).text == "good"


@pytest.mark.parametrize("piece", [65536, 1])
@pytest.mark.parametrize("odd", TABLE, ids=lambda odd: odd.title)
def test_the_table(odd: Odd, piece: int) -> None:
    """However the bytes are cut. (What comes late after the end is noticed by the next request.)"""
    if piece == 1 and len(odd.data) > 2000:
        piece = 1000  # a byte at a time takes too long
    outcome = Outcome(odd.data, closes=odd.closes, method=odd.method, piece=piece, early=odd.early)
    if odd.body is None:
        assert isinstance(outcome.error, RemoteProtocolError)
        assert outcome.error.request is not None
    else:
        assert outcome.response is not None, outcome.error
        assert outcome.response.content == odd.body
    if piece == 65536:
        assert outcome.kept == odd.kept


def test_the_page_shows_the_table() -> None:
    path = Path(__file__).parents[2] / "docs" / "odd-responses.md"
    assert path.read_text() == page(), "python -m tests.http.odd_responses > docs/odd-responses.md"


def by_h11(odd: Odd) -> bytes | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=65536)
    connection.send(h11.Request(method=odd.method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(odd.data)
    if odd.closes:
        connection.receive_data(b"")
    body = b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return None
            body += event.data if isinstance(event, h11.Data) else b""
    except h11.RemoteProtocolError:
        return None
    return body


def by_http_client(odd: Odd) -> bytes | None:
    class Socket:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(odd.data)

    response = http.client.HTTPResponse(Socket(), method=odd.method)  # type: ignore[arg-type]
    try:
        response.begin()
        return response.read()
    except (http.client.HTTPException, ValueError, OverflowError):
        return None
    finally:
        response.close()


def by_curl(odd: Odd) -> bytes | None:
    """Ask curl. What we refuse is followed by a close, so that nobody waits for more."""
    curl = need.program("curl", package="curl")
    closes = odd.closes or odd.body is None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_once, args=(listener, odd, closes))
        server.start()
        options = ["--disable", "--silent", "--http1.1", "--noproxy", "*"]
        options += ["--head", "--output", "/dev/null"] if odd.method == "HEAD" else []
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done = subprocess.run([curl, *options, url], stdout=subprocess.PIPE, check=False)
        server.join()
    return None if done.returncode else done.stdout


def answer_once(listener: socket.socket, odd: Odd, closes: bool) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):  # curl may have seen enough
        if not odd.early:
            connection.recv(65536)
        connection.sendall(odd.data)
        if closes:
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


@pytest.mark.slow
def test_curl_on_the_same_table() -> None:
    curl = need.program("curl", package="curl")
    version = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True)
    if not version.stdout.startswith("curl 7.88."):
        pytest.skip(f"the column is that of curl 7.88, here is {version.stdout.split()[1]}")
    test_others_on_the_same_table("curl", by_curl)


@pytest.mark.parametrize("name, reader", [("h11", by_h11), ("http.client", by_http_client)])
def test_others_on_the_same_table(name: str, reader: Callable[[Odd], bytes | None]) -> None:
    """Two readers that disagree about a body is what smuggling is made of."""
    found: dict[str, set[str]] = {"accepts": set(), "refuses": set(), "another body": set()}
    for odd in TABLE:
        body = reader(odd)
        if odd.body is None and body is not None:
            found["accepts"].add(odd.title)
        elif odd.body is not None and body is None:
            found["refuses"].add(odd.title)
        elif body != odd.body:
            found["another body"].add(odd.title)
    assert found == OTHERS[name]


WHOLE = {
    "length": OK + b"A: b\r\nContent-Length: 11\r\n\r\nhello world",
    "chunks": OK
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    + OK
    + b"Content-Length: 11\r\n\r\nhello world",
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_closed_at_every_byte(whole: bytes) -> None:
    for end in range(len(whole)):
        outcome = Outcome(whole[:end], closes=True)
        assert isinstance(outcome.error, RemoteProtocolError), whole[:end]
    assert Outcome(whole, closes=True, piece=1).response is not None


def test_an_answer_before_the_question() -> None:
    """On a fresh connection nobody can tell; on a kept one it is noticed, and never taken."""

    async def main() -> None:
        server = ScriptedServer([Step.REQUEST, GOOD, 2.0, GOOD, Step.HANG], GOOD)
        async with Client(connect=server.connect, limits=Limits(idle_seconds=60)) as client:
            assert (await client.get("http://h/")).text == "good"
            await sleep(3)
            assert (await client.get("http://h/")).text == "good"
            assert len(server.received) == 2

    with virtual_time():
        run(main())


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 404 \n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"ffffffff\r\n",
        b"\x1f\x8b\x08\0\0\0\0\0",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES | st.binary(max_size=40), max_size=12),
    st.booleans(),
    st.sampled_from([1, 3, 65536]),
)
def test_any_bytes_give_a_response_or_an_error(
    pieces: list[bytes], closes: bool, piece: int
) -> None:
    """No hang (time would jump to the timeout), nothing outside the tree, a client that goes on."""
    outcome = Outcome(b"".join(pieces), closes=closes, piece=piece)
    assert (outcome.error is None) != (outcome.response is None)


@pytest.mark.parametrize(
    "chunk", [b"A: b\r\n", b"x" * 1000, b"HTTP/1.1 100 C\r\n\r\n", b"1\r\nx\r\n"]
)
@pytest.mark.parametrize("start", [b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"])
def test_an_endless_answer_ends(start: bytes, chunk: bytes) -> None:
    async def main() -> int:
        steps: list[bytes | float | Step] = [Step.REQUEST, start, *[chunk * 50] * 2000]
        server = ScriptedServer(steps)
        limits = Limits(max_body=50_000)
        async with Client(connect=server.connect, limits=limits) as client:
            with pytest.raises(HTTPError):
                await client.get("http://h/")
        return 0

    with virtual_time():
        assert run(main()) == 0
