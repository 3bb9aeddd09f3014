"""What a stranger does with tulip-http's further parts: no coroutines, no network, other protocols.

Takes the same two files as the main program, and needs neither.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

from tulip_http import (
    URL,
    Client,
    ClientOptions,
    ConnectionInfo,
    HTTPError,
    Interim,
    Limits,
    Request,
    Response,
    Stats,
    SyncClient,
    SyncResponse,
    Timings,
    Transport,
    run,
)
from tulip_http.testing import Answer, Handler, MockServer, Recording, ScriptedServer, Step


def answer(request: Request) -> Answer:
    """Say what was asked."""
    return Answer(201, (request.content or b"") + request.target.encode(), {"X-A": "b"})


def without_coroutines() -> Recording:
    """Use a client that waits, against a function."""
    handler: Handler = answer
    server = MockServer(handler)
    recording = Recording()
    options: ClientOptions = {"connect": server.connect, "limits": Limits(max_age_seconds=60)}
    with SyncClient(**options) as client:
        response = client.post("http://example.org/a", files={"f": ("n.txt", "text")})
        assert_type(response, SyncResponse)
        assert_type(response.response, Response)
        assert_type(response.iter_lines(), Iterator[str])
        assert len(list(response.iter_lines())) > 4
        assert b'filename="n.txt"' in response.content
        recording.add(client.get("http://example.org/b"))
        with client.stream("GET", "http://example.org/c") as streamed:
            assert_type(streamed, SyncResponse)
            assert_type(streamed.iter_bytes(), Iterator[bytes])
            assert b"".join(streamed.iter_raw()) == b"/c"
            assert_type(streamed.url, URL)
        client.headers["X-A"] = "b"
        client.timeout = 5
        assert client.build_request("GET", "http://h/").headers["x-a"] == "b"
        stats = client.stats()
        assert_type(stats, Stats)
        assert (stats.exchanges, stats.opened) == (3, 1)
        assert_type(response.timings, Timings)
        assert_type(response.connection, ConnectionInfo)
    assert [request.method for request in server.requests] == ["POST", "GET", "GET"]
    return recording


async def again(recording: Recording) -> None:
    """Have the same said again, from a file."""
    with tempfile.TemporaryDirectory() as folder:
        recording.save(Path(folder, "recording.json"))
        loaded = Recording.load(Path(folder, "recording.json"))
    async with Client(connect=loaded.connect) as client:
        assert (await client.get(URL("http://example.org/b"))).text == "/b"


async def other_protocols() -> None:
    """Take the connection over; see what comes before an answer; sign what is sent."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
    server = ScriptedServer([Step.REQUEST, hint + switch, b"hello", Step.HANG])
    hints: list[Interim] = []
    fields = {"Connection": "upgrade", "Upgrade": "echo"}
    async with Client(connect=server.connect) as client:
        opening = client.stream(
            "GET", "http://h/%7e?sig=%2f", headers=fields, verbatim=True, on_interim=hints.append
        )
        async with opening as response:
            transport = assert_type(response.detach(), Transport)
        assert await transport.recv(5) == b"hello"
        transport.close()
    assert hints[0].headers["link"] == "</style.css>"
    assert server.received[0].startswith(b"GET /%7e?sig=%2f HTTP/1.1\r\n")


def refused(client: SyncClient) -> None:
    """Each of these lines is a mistake that the type checker finds."""
    client.get("/", files={"f": 5})  # type: ignore[arg-type]
    for _ in client.get("/").response.iter_lines():  # type: ignore[attr-defined]
        break
    client.get("/", trailers=5)  # type: ignore[arg-type]
    SyncClient(retries=3)  # type: ignore[call-arg]
    ScriptedServer(5)  # type: ignore[arg-type]


if __name__ == "__main__":
    run(again(without_coroutines()))
    run(other_protocols())
    with SyncClient(connect=ScriptedServer(b"not HTTP").connect) as one:
        try:
            one.get("http://h/")
        except HTTPError as error:
            print(error.request)
