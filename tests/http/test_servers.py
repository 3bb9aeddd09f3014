"""The same requests to every server that people run."""

import email
import io
from collections.abc import Iterator
from email.policy import HTTP
from typing import Any

import pytest

from tests.http.running import in_loop
from tests.opponents import servers
from tests.opponents.nginx import Nginx
from tulip_http import Client, Limits, create_task, wait_all

pytestmark = pytest.mark.slow  # to start them takes a second or two


@pytest.fixture(scope="module", params=("nginx", *servers.NAMES))
def server(request: pytest.FixtureRequest, nginx: Nginx) -> Iterator[servers.Server]:
    if request.param == "nginx":
        yield servers.Server("nginx", nginx.port, echoes=False)
        return
    with servers.running(request.param, nginx) as server:
        yield server


@in_loop
async def test_pages_on_one_connection(server: servers.Server) -> None:
    async with Client() as client:
        for _ in range(3):
            response = await client.get(server.url("/hello.txt"))
            assert (response.status_code, response.text) == (200, "hello from nginx\n")
            assert response.headers["content-type"].startswith("text/plain")
            assert (await client.get(server.url("/empty.txt"))).content == b""
            page = await client.get(server.url("/page.html"))
            assert page.text.count("<p>") == 100
            head = await client.head(server.url("/hello.txt"))
            assert (head.status_code, head.content) == (200, b"")
            assert (await client.get(server.url("/no-such-page"))).status_code == 404
        assert client.stats().opened == 1
        assert client.stats().exchanges == 15


@in_loop
async def test_a_large_body(server: servers.Server) -> None:
    async with Client() as client:
        whole = bytes(range(256)) * 4096
        assert (await client.get(server.url("/medium.bin"))).content == whole
        async with client.stream("GET", server.url("/medium.bin")) as response:
            assert b"".join([piece async for piece in response.iter_raw()]) == whole
        async with client.stream("GET", server.url("/medium.bin")) as response:
            assert await response.read_chunk()
        assert (await client.get(server.url("/hello.txt"))).status_code == 200


@in_loop
async def test_a_last_request(server: servers.Server) -> None:
    """The server says that it closes, or closes without a word."""
    async with Client() as client:
        for _ in range(2):
            response = await client.get(server.url("/hello.txt"), headers={"Connection": "close"})
            assert response.text == "hello from nginx\n"
        assert client.stats().opened == 2


@in_loop
async def test_many_at_once(server: servers.Server) -> None:
    async with Client(limits=Limits(max_connections=10)) as client:
        tasks = [create_task(client.get(server.url("/page.html"))) for _ in range(100)]
        await wait_all(tasks)
        assert all(task.result().status_code == 200 for task in tasks)
        assert client.stats().opened <= 12  # one or the other may be closed by the server


@in_loop
async def test_bodies_that_are_sent(server: servers.Server) -> None:
    body = bytes(range(256)) * 1024
    async with Client() as client:
        for content in (body, iter([body[:1000], body[1000:]])):
            response = await client.post(server.url("/hello.txt"), content=content)
            if server.echoes:
                assert response.content == body
            else:
                assert response.status_code in {200, 403, 405}
        expecting = {"Expect": "100-continue"}
        response = await client.post(server.url("/echo"), content=body, headers=expecting)
        if server.echoes:
            assert response.content == body
        assert (await client.get(server.url("/hello.txt"))).status_code == 200


@in_loop
async def test_trailers_do_no_harm(server: servers.Server) -> None:
    """Whoever does not want them drops them, and the next request is where it belongs."""
    async with Client() as client:
        for _ in range(2):
            response = await client.post(
                server.url("/echo"), content=[b"one ", b"two"], trailers={"X-Sum": "7"}
            )
            if server.echoes:
                assert response.text == "one two"
        assert (await client.get(server.url("/hello.txt"))).text == "hello from nginx\n"


@in_loop
async def test_a_form_with_files_arrives(server: servers.Server) -> None:
    """As Python's own reader of MIME sees it."""
    files: dict[str, Any] = {"a": ('ü"\r\n.bin', b"a"), "b": io.BytesIO(b"x" * 300_000)}
    fields: dict[str, Any] = {"n": "ä", "m": [1, 2]}
    async with Client() as client:
        response = await client.post(server.url("/echo"), data=fields, files=files)
        media_type = response.request.headers["content-type"]
        if server.echoes:
            head = f"Content-Type: {media_type}\r\n\r\n".encode()
            parts: Any
            parts = email.message_from_bytes(head + response.content, policy=HTTP).get_payload()
            names = [part.get_param("name", header="content-disposition") for part in parts]
            assert names == ["n", "m", "m", "a", "b"]
            contents = [part.get_payload(decode=True) for part in parts]
            assert contents[:4] == ["ä".encode(), b"1", b"2", b"a"]
            assert contents[4] == b"x" * 300_000
