"""The client against a real nginx, plain and over TLS."""

import resource
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.http.running import in_loop
from tests.opponents.certificates import Certificates
from tests.opponents.nginx import BIG_BYTES, MARK_EVERY, Nginx
from tests.opponents.proxies import tinyproxy
from tulip_http import (
    CertificateError,
    Client,
    ReadTimeout,
    Response,
    Timeout,
    create_task,
    wait_all,
)


@pytest.fixture(params=["plain", "tls"])
def url(request: pytest.FixtureRequest, nginx: Nginx) -> Callable[[str], str]:
    return nginx.url if request.param == "plain" else nginx.tls_url


@pytest.fixture
def client(certificates: Certificates) -> Client:
    return Client(tls=certificates.client_context())


def number_of_connection(response: Response) -> str:
    return response.headers["x-connection"]


@in_loop
async def test_connections_are_kept(url: Callable[[str], str], client: Client) -> None:
    paths = ["/hello.txt", "/204", "/304", "/chunked/page.html", "/empty.txt"]
    seen = set()
    with client:
        for number, path in enumerate(paths, 1):
            response = await client.get(url(path))
            seen.add(number_of_connection(response))
            assert int(response.headers["x-request"]) == number
        response = await client.head(url("/hello.txt"))
        seen.add(number_of_connection(response))
    assert len(seen) == 1


@in_loop
async def test_nginx_s_bodies_are_whole_in_each_framing(
    url: Callable[[str], str], client: Client, nginx: Nginx
) -> None:
    with client:
        response = await client.get(url("/hello.txt"))
        assert response.text == "hello from nginx\n"
        assert response.headers["content-type"] == "text/plain"
        page = (nginx.site / "page.html").read_bytes()
        for folder in ("/", "/chunked/", "/until-close/", "/close/"):
            response = await client.get(url(f"{folder}page.html"))
            assert response.content == page, folder
            if folder == "/chunked/":
                assert response.headers["transfer-encoding"] == "chunked"
        response = await client.get(url("/medium.bin"))
        assert response.content == (nginx.site / "medium.bin").read_bytes()


@in_loop
async def test_answers_without_a_body(url: Callable[[str], str], client: Client) -> None:
    with client:
        for status in (204, 304):
            response = await client.get(url(f"/{status}"))
            assert (response.status_code, response.content) == (status, b"")
        response = await client.head(url("/medium.bin"))
        assert response.headers["content-length"] == str(256 * 4096)
        assert response.content == b""
        response = await client.head(url("/chunked/page.html"))
        assert response.content == b""


@in_loop
async def test_a_connection_that_nginx_closes(url: Callable[[str], str], client: Client) -> None:
    with client:
        first = await client.get(url("/close/hello.txt"))
        second = await client.get(url("/close/hello.txt"))
        assert first.text == second.text == "hello from nginx\n"
        assert number_of_connection(first) != number_of_connection(second)


@pytest.mark.slow
@in_loop
async def test_100_mb_in_bounded_memory(url: Callable[[str], str], client: Client) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 0
    with client:
        async with client.stream("GET", url("/big.bin")) as response:
            async for chunk in response.iter_bytes():
                # Each megabyte begins with its own position: nothing is lost, moved or doubled.
                mark = -size % MARK_EVERY
                if mark + 8 <= len(chunk):
                    found = int.from_bytes(chunk[mark : mark + 8], "big")
                    assert found == size + mark
                size += len(chunk)
    assert size == BIG_BYTES
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 8, f"streaming took {grown:.1f} MiB"


@in_loop
async def test_requests_go_out_as_they_were_made(url: Callable[[str], str], client: Client) -> None:
    with client:
        response = await client.get(url("/request?a=b"), headers={"X-Test": "yes"})
        assert response.text == "GET /request?a=b yes"
        response = await client.delete(url("/request"))
        assert response.text == "DELETE /request "


@in_loop
async def test_what_is_uploaded_to_nginx_comes_back(
    url: Callable[[str], str], client: Client
) -> None:
    body = bytes(range(256)) * 8192
    with client:
        response = await client.put(url("/uploads/file.bin"), content=body)
        assert response.status_code in {201, 204}
        assert (await client.get(url("/uploads/file.bin"))).content == body
        response = await client.delete(url("/uploads/file.bin"))
        assert response.status_code == 204


@in_loop
async def test_a_refusal_comes_back_although_the_upload_still_runs(
    url: Callable[[str], str], client: Client
) -> None:
    """nginx takes 1 MB unless told otherwise, and no POST for a file; it answers at once."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    with client:
        response = await client.post(url("/hello.txt"), content=bytes(50_000_000))
        assert (response.status_code, "Too Large" in response.text) == (413, True)
        response = await client.post(url("/hello.txt"), content=endless())
        assert (response.status_code, "Not Allowed" in response.text) == (405, True)
        expecting = {"Expect": "100-continue"}
        body = iter([b"never asked for"])
        length = {"Content-Length": "50000000"}
        response = await client.post(url("/hello.txt"), content=body, headers=expecting | length)
        assert response.status_code == 413
        assert next(body) == b"never asked for"
        assert (await client.get(url("/hello.txt"))).status_code == 200


@pytest.mark.slow
@in_loop
async def test_a_tunnel_through_a_real_proxy(nginx: Nginx, tmp_path: Path) -> None:
    with tinyproxy(tmp_path) as port:
        async with Client() as client:
            opening = client.stream(
                "CONNECT", f"http://127.0.0.1:{port}/", target=f"127.0.0.1:{nginx.port}"
            )
            async with opening as response:
                assert response.status_code == 200
                transport = response.detach()
            await transport.send(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            answer = b""
            while data := await transport.recv(65536):
                answer += data
            await transport.aclose()
        assert answer.endswith(b"\r\n\r\nhello from nginx\n")


@in_loop
async def test_many_at_once(url: Callable[[str], str], client: Client) -> None:
    with client:
        tasks = [create_task(client.get(url("/hello.txt"))) for _ in range(200)]
        await wait_all(tasks)
        responses = [task.result() for task in tasks]
        assert all(response.text == "hello from nginx\n" for response in responses)
        assert len(set(map(number_of_connection, responses))) <= 100


@in_loop
async def test_nginx_refuses_nonsense_in_words(nginx: Nginx, client: Client) -> None:
    """Plain HTTP to the TLS port: nginx says so, with a 400."""
    with client:
        response = await client.get(nginx.tls_url("/").replace("https:", "http:"))
        assert response.status_code == 400


@in_loop
async def test_the_system_does_not_know_our_authority(nginx: Nginx) -> None:
    async with Client() as client:
        with pytest.raises(CertificateError, match="does not verify"):
            await client.get(nginx.tls_url("/hello.txt"))


@in_loop
async def test_a_silent_nginx_is_a_read_timeout(url: Callable[[str], str], client: Client) -> None:
    message = r"/silent: the server sent nothing for 0\.1 s"
    with client, pytest.raises(ReadTimeout, match=message):
        await client.get(url("/silent"), timeout=Timeout(read=0.1))
