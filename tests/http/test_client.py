"""The client against the embedded server: what a person does with it every day."""

import pickle
import threading
from dataclasses import replace
from typing import Any

import pytest
from embedded_server import Certificates, EmbeddedServer, start_server

from tests.http.running import Script, eventually, in_loop, in_virtual_time
from tulip_http import (
    URL,
    Client,
    ClientClosed,
    Coroutine,
    Gen,
    HTTPStatusError,
    InvalidURL,
    Limits,
    PoolTimeout,
    ReadTimeout,
    Response,
    ResponseNotRead,
    ResponseTooLarge,
    StreamClosed,
    StreamConsumed,
    SyncClient,
    Timeout,
    TotalTimeout,
    coroutine,
    create_task,
    run,
    sleep,
    wait_all,
)
from tulip_http.bodies._decode import accepted_codings


@in_loop
@coroutine
def test_the_client_works_under_yield_from() -> Gen[None]:
    server = yield from start_server()
    with Client() as client:
        response = yield from client.get(server.url("/quick"))
        assert response.status_code == 200
        assert response.text == "hello\n"
        with (yield from client.stream("GET", server.url("/chunked"))) as response:
            body = b""
            while chunk := (yield from response.read_chunk()):
                body += chunk
        assert body.startswith(b"line 0\nline 1\n")
    yield from server.stop()


@in_loop
async def test_the_client_works_under_await() -> None:
    server = await start_server()
    async with Client() as client:
        response = await client.get(server.url("/quick"))
        assert response.text == "hello\n"
        async with client.stream("GET", server.url("/chunked")) as response:
            lines = [line async for line in response.iter_lines()]
        assert lines == [f"line {number}" for number in range(10)]
        assert response.trailers["x-lines"] == "all"
        with await client.stream("GET", server.url("/quick")) as response:
            assert await response.read() == b"hello\n"
    await server.stop()


@in_loop
async def test_without_a_block() -> None:
    server = await start_server()
    client = Client()
    assert (await client.get(server.url("/quick"))).text == "hello\n"
    async with client.stream("GET", server.url("/quick")) as response:
        await response.aclose()  # httpx's name
        assert response.is_closed
    await client.aclose()
    client.close()
    client.close()
    with pytest.raises(ClientClosed, match="the client is closed"):
        await client.get(server.url("/quick"))
    await server.stop()


@in_loop
async def test_a_client_that_nobody_closed_leaves_nothing() -> None:
    """The check after each test sees a descriptor that is left; a warning would fail the test."""
    server = await start_server()
    assert (await Client().get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@pytest.mark.leaves_behind("a client that outlives a loop leaves its timers in it")
def test_a_client_survives_its_event_loop() -> None:
    client = Client()

    async def once() -> None:
        server = await start_server()
        assert (await client.get(server.url("/quick"))).text == "hello\n"
        await server.stop()

    run(once())
    run(once())
    client.close()


@pytest.mark.parametrize("method", ["get", "options", "post", "put", "patch", "delete", "head"])
@in_loop
async def test_each_method_sends_its_own_name(method: str) -> None:
    server = await start_server()
    async with Client() as client:
        call: Any = getattr(client, method)
        response: Response = await call(server.url("/echo?a=b"), params={"c": "d e"})
        if method == "head":
            assert response.content == b""
            assert int(response.headers["content-length"]) > 0
        else:
            assert response.text.startswith(f"{method.upper()} /echo?a=b&c=d+e\n")
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    assert server.connections == 1
    await server.stop()


@in_loop
async def test_what_a_request_carries() -> None:
    server = await start_server()
    async with Client(
        base_url=server.url("/"), headers={"X-One": "1", "X-Two": "2"}, params={"p": 1}
    ) as client:
        response = await client.post("echo", headers={"x-two": "3"}, json=["ü"])
        head, _, body = response.text.partition("\n\n")
        assert body == '["ü"]'
        lines = head.splitlines()
        assert lines[0] == "POST /echo?p=1"
        assert lines[1:] == [
            "accept: */*",
            f"accept-encoding: {accepted_codings()}",
            "content-length: 6",
            "content-type: application/json",
            f"host: {response.url.netloc}",
            "user-agent: tulip-http",
            "x-one: 1",
            "x-two: 3",
        ]
        response = await client.get("/echo", headers={"Host": "other.example"})
        assert "host: other.example" in response.text.splitlines()
    await server.stop()


def test_a_base_url_that_is_set_later_may_be_text_and_must_be_a_url() -> None:
    with Client() as client:
        client.base_url = "http://h/api"
        assert isinstance(client.base_url, URL)
        assert client.build_request("GET", "/users").url == "http://h/api/users"
        with pytest.raises(InvalidURL):
            client.base_url = "no URL"
        client.base_url = None
        assert client.base_url is None


def test_a_range_is_asked_for_as_it_is() -> None:
    """Of an encoded page it would begin in the middle of the coding."""
    part = {"range": "bytes=100-"}

    def asked(client: Client, headers: dict[str, str] | None) -> str | None:
        return client.build_request("GET", "http://h/", headers=headers).headers["accept-encoding"]

    assert asked(Client(), None) == accepted_codings()
    assert asked(Client(), part) == "identity"
    assert asked(Client(headers=part), None) == "identity"
    assert asked(Client(headers=part), {"X": "y"}) == "identity"
    usual = {"Accept-Encoding": accepted_codings()}
    assert asked(Client(), {**part, **usual}) == accepted_codings()
    assert asked(Client(), {**part, "Accept-Encoding": "gzip"}) == "gzip"
    assert asked(Client(headers={"Accept-Encoding": "br"}), part) == "br"
    bare = Client()
    del bare.headers["Accept-Encoding"]
    assert "accept-encoding" not in bare.build_request("GET", "http://h/", headers=part).headers


@pytest.mark.parametrize("end", ["?key=1", "?", "#part"])
def test_a_base_url_ends_in_a_path(end: str) -> None:
    with pytest.raises(InvalidURL, match="a path cannot follow"):
        Client(base_url=f"http://h/api{end}")
    with SyncClient() as client, pytest.raises(InvalidURL, match="a path cannot follow"):
        client.base_url = f"http://h/api{end}"


@in_loop
async def test_base_url_is_put_before() -> None:
    client = Client(base_url="http://h/api/")
    assert client.build_request("GET", "users?all").url == "http://h/api/users?all"
    assert client.build_request("GET", "/users").url == "http://h/api/users"
    assert client.build_request("GET", "http://other/").url == "http://other/"


@pytest.mark.parametrize(
    "path, body",
    [
        ("/large?bytes=1000000", None),
        ("/large?bytes=0", b""),
        ("/until-close", b"the end of this is the end of the connection\n"),
        ("/chunked?count=1000", None),
        ("/status?code=204", b""),
        ("/status?code=304", b""),
        ("/last", b"that was all\n"),
    ],
)
@in_loop
async def test_a_body_of_each_framing_is_whole_again_and_again(
    path: str, body: bytes | None
) -> None:
    server = await start_server()
    async with Client() as client:
        for _ in range(3):
            response = await client.get(server.url(path))
            assert body is None or response.content == body
            if path.startswith("/large"):
                assert len(response.content) == int(path.partition("=")[2])
            async with client.stream("GET", server.url(path)) as streamed:
                assert await streamed.read() == response.content == streamed.content
                assert streamed.is_closed
    await server.stop()


@in_loop
async def test_connections_are_kept() -> None:
    server = await start_server()
    async with Client() as client:
        for path in ["/quick", "/chunked", "/status?code=204", "/large?bytes=500000", "/echo"]:
            await client.get(server.url(path))
            await client.head(server.url(path))
    assert server.connections == 1
    assert server.requests == 10
    await server.stop()


@in_virtual_time
async def test_a_kept_connection_that_the_server_closed_is_noticed() -> None:
    """At once after the answer, and after a while; for requests that can be repeated and not."""
    server = await start_server()
    async with Client() as client:
        for method in ("GET", "POST"):
            for pause in (0, 0.02):
                for _ in range(3):
                    response = await client.request(method, server.url("/last"))
                    assert response.content == b"that was all\n"
                    await sleep(pause)
    assert server.requests == 12
    await server.stop()


@in_loop
async def test_replays_a_safe_request_once() -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    async with Script([good, b""], [good]) as server, Client() as client:
        assert (await client.get(server.url())).content == b"hi"
        assert (await client.get(server.url())).content == b"hi"
        assert len(server.requests) == 2


@in_loop
async def test_streams_at_most_once() -> None:
    server = await start_server()
    async with Client() as client:
        async with client.stream("GET", server.url("/large?bytes=300000")) as response:
            with pytest.raises(ResponseNotRead, match="was not read yet"):
                _ = response.content
            size = sum([len(chunk) async for chunk in response.iter_bytes()])
            assert size == 300_000
            assert await response.read_chunk() == b""
            with pytest.raises(StreamConsumed) as caught:
                await response.read()
            assert caught.value.request is response.request
        async with client.stream("GET", server.url("/large")) as response:
            assert await response.read_chunk()
        with pytest.raises(StreamClosed, match="was closed before it was read"):
            await response.read_chunk()
        # A body that was given up costs its connection and nothing else.
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_loop
async def test_iterates_over_what_is_read() -> None:
    server = await start_server()
    async with Client() as client:
        response = await client.get(server.url("/chunked?count=2"))
        async with client.stream("GET", server.url("/chunked?count=2")) as streamed:
            await streamed.read()
        for each in (response, response, streamed):  # as often as one likes, and from the beginning
            assert [chunk async for chunk in each.iter_bytes()] == [b"line 0\nline 1\n"]
            assert [chunk async for chunk in each.iter_bytes(5)] == [b"line ", b"0\nlin", b"e 1\n"]
            assert [chunk async for chunk in each.iter_raw(14)] == [b"line 0\nline 1\n"]
            assert [text async for text in each.iter_text()] == ["line 0\nline 1\n"]
            assert [line async for line in each.iter_lines()] == ["line 0", "line 1"]
            for iterate in (each.iter_bytes, each.iter_raw):
                with pytest.raises(ValueError, match="at least 1 byte, got 0"):
                    iterate(0)  # and not when somebody asks for the first piece
        async with client.stream("GET", server.url("/chunked?count=2")) as streamed:
            assert [chunk async for chunk in streamed.iter_bytes(10)] == [b"line 0\nlin", b"e 1\n"]
            assert [chunk async for chunk in streamed.iter_bytes(10)] == []  # nobody kept it
    await server.stop()


@pytest.mark.parametrize(
    "announced, encoding, text",
    [
        ("text/plain; charset=iso-8859-1", "iso8859-1", "ü"),
        ('text/plain; charset="UTF-8"', "utf-8", "\ufffd"),
        ("text/plain; charset=nonsense", "utf-8", "\ufffd"),
        ("text/plain", "utf-8", "\ufffd"),
    ],
)
@in_loop
async def test_text_is_in_the_announced_encoding_or_the_one_set(
    announced: str, encoding: str, text: str
) -> None:
    script = f"HTTP/1.1 200 OK\r\nContent-Type: {announced}\r\n\r\n".encode() + b"\xfc"
    async with Script(script) as server, Client() as client:
        response = await client.get(server.url())
        assert (response.encoding, response.text) == (encoding, text)
        response.encoding = "latin-1"
        assert response.text == "ü"
        with pytest.raises(LookupError):
            response.encoding = "nonsense"


@in_loop
async def test_a_response_describes_itself() -> None:
    script = b'HTTP/1.1 404 Gone Fishing\r\nContent-Length: 7\r\nLocation: /x\r\n\r\n{"a":1}'
    async with Script(script) as server, Client() as client:
        response = await client.get(server.url("/a"))
        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase == "Gone Fishing"
        assert response.json() == {"a": 1}
        assert response.url == server.url("/a")
        assert response.is_error
        assert not response.is_success
        assert not response.is_redirect
        assert 0 < response.elapsed.total_seconds() < 5
        with pytest.raises(HTTPStatusError, match="404 Gone Fishing") as caught:
            response.raise_for_status()
        assert caught.value.response is response
        assert caught.value.request is response.request
        error = pickle.loads(pickle.dumps(caught.value))
        assert error.response.json() == {"a": 1}
        assert "404 Gone Fishing" in repr(response)


@in_loop
async def test_an_interim_answer_is_not_the_answer() -> None:
    script = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    async with Script(script) as server, Client() as client:
        response = await client.get(server.url())
        assert (response.status_code, response.text) == (200, "hi")
        response.raise_for_status()


@in_loop
async def test_tls_connections_are_kept_like_plain_ones() -> None:
    certificates = Certificates()
    server = await start_server(certificates.server_context())
    async with Client(tls=certificates.client_context()) as client:
        for _ in range(3):
            assert (await client.get(server.url("/quick"))).text == "hello\n"
        response = await client.get(server.url("/large?bytes=3000000"))
        assert len(response.content) == 3_000_000
    assert server.connections == 1
    async with Client(tls=False) as client:
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_virtual_time
async def test_limits_of_connections_hold_and_nobody_overtakes() -> None:
    server = await start_server()
    limits = Limits(max_connections=2)
    finished = []
    async with Client(limits=limits) as client:

        async def fetch(number: int) -> None:
            response = await client.get(server.url("/slow?seconds=0.01"))
            assert response.status_code == 200
            finished.append(number)

        await wait_all([create_task(fetch(number)) for number in range(10)])
    assert server.connections == 2
    assert [number // 2 for number in finished] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    await server.stop()


@in_virtual_time
async def test_an_idle_connection_makes_room_for_another_host() -> None:
    one, two = await start_server(), await start_server()
    async with Client(limits=Limits(max_connections=1)) as client:
        for _ in range(2):
            assert (await client.get(one.url("/quick"))).text == "hello\n"
            assert (await client.get(two.url("/quick"))).text == "hello\n"
        # Somebody waits for the other host while the only connection is busy.
        slow = create_task(client.get(one.url("/slow?seconds=0.02")))
        await sleep(0.01)
        assert (await client.get(two.url("/quick"))).text == "hello\n"
        assert (await slow).status_code == 200
    await one.stop()
    await two.stop()


@in_virtual_time
async def test_a_limit_per_host() -> None:
    one, two = await start_server(), await start_server()
    async with Client(limits=Limits(max_per_host=1)) as client:
        tasks = [create_task(client.get(one.url("/slow?seconds=0.01"))) for _ in range(3)]
        assert (await client.get(two.url("/quick"))).text == "hello\n"
        assert not any(task.done() for task in tasks)
        await wait_all(tasks)
    assert (one.connections, two.connections) == (1, 1)
    await one.stop()
    await two.stop()


@in_virtual_time
async def test_waiting_for_a_connection_ends() -> None:
    server = await start_server()
    timeout = Timeout(pool=0.05)
    async with Client(limits=Limits(max_connections=1), timeout=timeout) as client:
        slow = create_task(client.get(server.url("/slow?seconds=0.2")))
        await sleep(0.01)
        with pytest.raises(PoolTimeout, match=r"within 0.05 s: 1 are open") as caught:
            await client.get(server.url("/quick"))
        assert caught.value.request is not None
        assert caught.value.safe_to_repeat
        with pytest.raises(TotalTimeout, match=r"within 0.05 s: 1 are open") as late:
            await client.get(server.url("/quick"), timeout=Timeout(total=0.05))
        assert late.value.phase == "pool"
        assert (await slow).status_code == 200
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_virtual_time
async def test_idle_connections_are_closed_in_time() -> None:
    server = await start_server()
    async with Client(limits=Limits(idle_seconds=0.03)) as client:
        await client.get(server.url("/quick"))
        await sleep(0.1)
        await client.get(server.url("/quick"))
        assert server.connections == 2
    async with Client(limits=Limits(max_idle=0)) as client:
        await client.get(server.url("/quick"))
        await client.get(server.url("/quick"))
    assert server.connections == 4
    await server.stop()


@in_loop
async def test_a_body_that_is_too_large() -> None:
    server = await start_server()
    async with Client(limits=Limits(max_body=100_000)) as client:
        for path in ("/large?bytes=100001", "/chunked?count=20000"):
            with pytest.raises(ResponseTooLarge, match="larger than 100000 bytes") as caught:
                await client.get(server.url(path))
            assert caught.value.request is not None
            async with client.stream("GET", server.url(path)) as response:
                with pytest.raises(ResponseTooLarge):
                    await response.read()
        async with client.stream("GET", server.url("/large?bytes=200000")) as response:
            assert sum([len(chunk) async for chunk in response.iter_bytes()]) == 200_000
        assert len((await client.get(server.url("/large?bytes=100000"))).content) == 100_000
    await server.stop()


@in_loop
async def test_a_body_that_is_too_large_and_came_with_the_head() -> None:
    server = await start_server()
    async with Client(limits=Limits(max_body=5)) as client:
        with pytest.raises(ResponseTooLarge, match="larger than 5 bytes"):
            await client.get(server.url("/quick"))
    await server.stop()


@in_loop
async def test_a_large_upload() -> None:
    server = await start_server()
    async with Client() as client:
        body = bytes(range(256)) * 4 * 4096
        response = await client.post(server.url("/echo"), content=body)
        assert response.content.endswith(body)
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    assert server.connections == 1
    await server.stop()


@in_virtual_time
async def test_an_answer_that_comes_before_the_request_is_sent() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n"
    body = bytes(20_000_000)
    for hang in (True, False):
        async with Script(refusal, hang=hang) as server, Client(timeout=2) as client:
            response = await client.post(server.url(), content=body)
            assert (response.status_code, response.text) == (413, "no\n")


@in_virtual_time
async def test_cancelling_leaves_no_descriptor_and_no_place() -> None:
    server = await start_server()
    async with Client(limits=Limits(max_connections=2)) as client:
        for path in ("/never", "/large?seconds=5", "/slow"):
            tasks = [create_task(client.get(server.url(path))) for _ in range(5)]
            await sleep(0.02)
            for task in tasks:
                task.cancel()
            await wait_all(tasks)
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_loop
async def test_closing_ends_what_is_under_way() -> None:
    server = await start_server()
    client = Client(limits=Limits(max_connections=1))
    tasks = [create_task(client.get(server.url("/never"))) for _ in range(3)]
    await eventually(lambda: server.requests == 1)
    client.close()
    await wait_all(tasks)
    for task in tasks:
        assert isinstance(task.exception(), ClientClosed)
    await server.stop()


@in_virtual_time
async def test_each_phase_has_its_own_timeout_and_error() -> None:
    server = await start_server()
    async with Client(timeout=Timeout(read=0.3)) as client:
        with pytest.raises(ReadTimeout, match=r"/never.*sent nothing for 0\.3 s") as caught:
            await client.get(server.url("/never"))
        assert caught.value.safe_to_repeat
        assert isinstance(caught.value, TimeoutError)
        # As long as something comes, the limit of silence does not count; the total one does.
        path = "/large?bytes=655360&seconds=0.6"
        assert len((await client.get(server.url(path))).content) == 655_360
        with pytest.raises(TotalTimeout, match=r"longer than 0\.2 s in all") as late:
            await client.get(server.url(path), timeout=Timeout(read=1, total=0.2))
        assert late.value.phase == "read"
        with pytest.raises(ReadTimeout):
            async with client.stream("GET", server.url("/large?seconds=900")) as response:
                await response.read()
        assert (await client.get(server.url("/quick"), timeout=None)).text == "hello\n"
    await server.stop()


def test_timeouts_and_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="the read timeout must be at least 0 seconds, got -1"):
        Timeout(read=-1)
    with pytest.raises(TypeError, match="'5'"):
        Client(timeout="5")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the connect timeout must be seconds or None, got '5'"):
        Timeout(connect="5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 0 seconds, got nan"):
        Timeout(float("nan"))
    # As in httpx: a number by itself is for all of them.
    assert Timeout(5, read=60, total=None) == Timeout(
        connect=5, read=60, write=5, pool=5, total=None
    )
    assert Timeout(None) == Timeout.of(None)
    assert pickle.loads(pickle.dumps(Timeout(5))) == replace(Timeout(5, read=7), read=5)
    client = Client()
    client.timeout = 5
    assert client.timeout == Timeout(5)
    client.headers = {"A": "b"}
    assert client.build_request("GET", "http://h/").headers == {"A": "b"}
    assert Timeout.of(5) == Timeout(connect=5, read=5, write=5, pool=5, total=5)
    assert Timeout.of(None) == Timeout(connect=None, read=None, write=None, pool=None, total=None)


@pytest.mark.parametrize(
    "name,value,told",
    [
        ("max_connections", 0, "at least 1, got 0"),
        ("max_head_bytes", 0, "at least 1, got 0"),
        ("max_connections", "5", "a number or None, got '5'"),
        ("slow_seconds", None, "a number, got None"),
        ("max_head_bytes", None, "a number, got None"),
    ],
)
def test_a_limit_that_cannot_be_is_named(name: str, value: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"the limit {name} must be {told}"):
        Limits(**{name: value})


def test_two_threads_two_loops() -> None:
    texts: list[str] = []

    async def main() -> None:
        server = await start_server()
        async with Client() as client:
            tasks = [create_task(client.get(server.url("/quick"))) for _ in range(20)]
            await wait_all(tasks)
            texts.extend(task.result().text for task in tasks)
        await server.stop()

    threads = [threading.Thread(target=lambda: run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["hello\n"] * 40


@in_loop
async def test_a_stream_is_a_coroutine() -> None:
    server: EmbeddedServer = await start_server()
    async with Client() as client:
        stream: Coroutine[Response] = client.stream("GET", server.url("/quick"))
        task = create_task(stream)
        with await task as response:
            assert await response.read() == b"hello\n"
    await server.stop()
