"""The client for programs without coroutines."""

import inspect
import pickle
import threading
import time
import tracemalloc
from typing import Any

import pytest

from tests.opponents.nginx import Nginx
from tulip_http import (
    URL,
    Client,
    ClientClosed,
    ClientOptions,
    ConnectError,
    HTTPStatusError,
    Limits,
    RequestOptions,
    RequestParts,
    Response,
    SyncClient,
    SyncResponse,
    Timeout,
    run,
)
from tulip_http._loop_thread import LoopThread
from tulip_http.testing import Answer, MockServer, ScriptedServer, Step

UNPACKED: dict[str, set[str]] = {
    "Unpack[ClientOptions]": {*ClientOptions.__annotations__},
    "Unpack[RequestParts]": {*RequestParts.__annotations__},
    "Unpack[RequestOptions]": {*RequestParts.__annotations__, *RequestOptions.__annotations__},
}


def parameters(function: Any) -> set[str]:
    """Return the names, those of unpacked options included."""
    names: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        names |= UNPACKED.get(str(parameter.annotation), {name})
    return names


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted({"__init__", *public(Client)} - {"aclose"}))
def test_the_signatures_are_the_clients(name: str) -> None:
    ours, theirs = getattr(SyncClient, name), getattr(Client, name)
    if callable(ours):
        assert parameters(ours) == parameters(theirs)


def test_a_streamed_response_has_what_a_response_has() -> None:
    coroutines = {"read_chunk", "read_raw", "read_text", "read_line", "detach", "aclose"}
    assert public(Response) - coroutines <= public(SyncResponse)


def test_what_a_client_has_in_common_can_be_changed() -> None:
    server = MockServer(lambda request: Answer(body=str(request.headers.multi_items()).encode()))
    with SyncClient(connect=server.connect) as client:
        client.base_url = URL("http://h/a")
        client.headers = {"A": "b"}
        client.params = {"c": "d"}
        client.timeout = 5
        assert client.timeout == Timeout(5)
        response = client.get("x")
        assert response.url == "http://h/a/x?c=d"
        assert response.text == "[('Host', 'h'), ('A', 'b')]"
        assert client.base_url == "http://h/a"
        assert client.params == {"c": "d"}
        client.headers["A"] = "e"
        assert client.build_request("GET", "y").headers == {"A": "e"}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_each_method_keeps_its_connection(nginx: Nginx, method: str) -> None:
    with SyncClient(headers={"X-Test": "yes"}, timeout=5) as client:
        for _ in range(3):
            response = getattr(client, method)(nginx.url("/request"))
            if method != "head":
                assert response.text == f"{method.upper()} /request yes"
        stats = client.stats()
        assert (stats.opened, stats.exchanges, stats.idle, stats.waiting) == (1, 3, 1, 0)


def test_a_stream_is_read_in_every_way(nginx: Nginx) -> None:
    with SyncClient() as client:
        with client.stream("GET", nginx.url("/medium.bin")) as response:
            assert response.status_code == 200
            assert int(response.headers["content-length"]) == 1 << 20
            assert sum(map(len, response.raise_for_status().iter_bytes())) == 1 << 20
        with client.stream("GET", nginx.url("/page.html")) as response:
            assert len(list(response.iter_lines())) == 100
        with client.stream("GET", nginx.url("/page.html")) as response:
            assert "".join(response.iter_text()).count("<p>") == 100
        with client.stream("GET", nginx.url("/gzip/page.html")) as response:
            assert b"".join(response.iter_raw()).startswith(b"\x1f\x8b")
        with client.stream("GET", nginx.url("/hello.txt")) as response:
            assert response.read() == b"hello from nginx\n"
            assert response.content == b"hello from nginx\n"
            response.encoding = "ascii"
            assert (response.text, response.encoding) == ("hello from nginx\n", "ascii")
            with pytest.raises(ValueError, match="is not JSON"):
                response.json()
            assert response.url == nginx.url("/hello.txt")
            assert (response.reason_phrase, response.http_version) == ("OK", "HTTP/1.1")
            assert response.is_closed
            assert response.is_success
            assert not response.is_error
            assert not response.is_redirect
            assert response.request.method == "GET"
            assert response.connection.peer_address == ("127.0.0.1", nginx.port)
            assert response.elapsed.total_seconds() <= response.timings.total
            assert response.trailers == {}
        with client.stream("GET", nginx.url("/medium.bin")) as response:
            sizes = [len(piece) for piece in response.iter_bytes(chunk_size=100_000)]
            assert sizes == [100_000] * 10 + [48576]
        with client.stream("GET", nginx.url("/medium.bin")) as response:
            assert sum(map(len, response.iter_raw(1 << 19))) == 1 << 20
        with client.stream("GET", nginx.url("/big.bin")) as response:
            assert next(response.iter_bytes())


@pytest.mark.parametrize("how", ["get", "send", "stream", "read"])
def test_its_body_is_iterated_over_without_coroutines(how: str) -> None:
    """As in requests and httpx: `for line in response.iter_lines()`."""
    text = "eins\r\nzwei\n\ndrei é"
    server = MockServer(lambda request: Answer(body=text.encode()))
    with SyncClient(connect=server.connect) as client:

        def answer() -> SyncResponse:
            if how == "get":
                return client.get("http://h/")
            if how == "send":
                return client.send(client.build_request("GET", "http://h/"))
            response = client.stream("GET", "http://h/")
            if how == "read":
                response.read()
            return response

        with answer() as response:
            assert list(response.iter_lines()) == ["eins", "zwei", "", "drei é"]
        with answer() as response:
            assert "".join(response.iter_text()) == text
        with answer() as response:
            assert list(response.iter_bytes(5)) == [b"eins\r", b"\nzwei", b"\n\ndre", b"i \xc3\xa9"]
        with answer() as response:
            assert b"".join(response.iter_raw()) == text.encode()


def test_a_body_that_is_there_is_iterated_over_again_and_by_two_at_once() -> None:
    server = MockServer(lambda request: Answer(body=b"a\nb"))
    with SyncClient(connect=server.connect) as client:
        response = client.get("http://h/")
    pairs = [(one, other) for one in response.iter_lines() for other in response.iter_lines()]
    assert pairs == [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
    assert [*response.iter_bytes()] == [*response.iter_raw()] == [response.read()] == [b"a\nb"]
    assert [*response.iter_text()] == ["a\nb"]
    response.close()
    assert response.content == b"a\nb"
    copy = pickle.loads(pickle.dumps(response))
    assert [*copy.iter_lines()] == ["a", "b"]
    assert repr(copy) == "<SyncResponse 200 OK for http://h/>"


@pytest.mark.parametrize("how", ["iter_bytes", "iter_raw", "iter_text", "iter_lines"])
def test_an_empty_body_has_no_pieces(how: str) -> None:
    server = MockServer(lambda request: Answer(204))
    with SyncClient(connect=server.connect) as client:
        assert list(getattr(client.get("http://h/"), how)()) == []


def test_lines_of_a_stream_go_on_where_another_loop_left_off() -> None:
    server = MockServer(lambda request: Answer(body=b"a\nb\nc\nd"))
    with (
        SyncClient(connect=server.connect) as client,
        client.stream("GET", "http://h/") as response,
    ):
        assert next(response.iter_lines()) == "a"
        assert next(response.iter_lines()) == "b"
        assert list(response.iter_lines()) == ["c", "d"]
        assert list(response.iter_lines()) == []


def test_lines_of_a_stream_are_waited_for_once_a_piece_not_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asking the other thread costs as much as a hundred lines."""
    calls = 0
    call = LoopThread.call

    def counting(thread: LoopThread, make: Any) -> Any:
        nonlocal calls
        calls += 1
        return call(thread, make)

    monkeypatch.setattr(LoopThread, "call", counting)
    server = MockServer(lambda request: Answer(body=b"line\n" * 1000))
    with (
        SyncClient(connect=server.connect) as client,
        client.stream("GET", "http://h/") as response,
    ):
        assert list(response.iter_lines()) == ["line"] * 1000
    assert calls < 10


def test_a_stream_is_iterated_over_in_bounded_memory(nginx: Nginx) -> None:
    lines = 4096
    (nginx.site / "lines.txt").write_bytes((b"-" * 1023 + b"\n") * lines)
    with SyncClient() as client:
        assert client.get(nginx.url("/hello.txt")).is_success  # whatever is made once
        with client.stream("GET", nginx.url("/lines.txt")) as response:
            tracemalloc.start()
            try:
                assert sum(1 for _ in response.iter_lines()) == lines
                assert tracemalloc.get_traced_memory()[1] < lines * 1024 / 2
            finally:
                tracemalloc.stop()


def test_the_error_of_a_status_has_a_response_without_coroutines() -> None:
    server = MockServer(lambda request: Answer(404, b"a\nb"))
    with SyncClient(connect=server.connect) as client:
        response = client.get("http://h/")
        with pytest.raises(HTTPStatusError, match="404 Not Found") as caught:
            response.raise_for_status()
    assert caught.value.response is response


def test_errors_come_out() -> None:
    with SyncClient() as client:
        with pytest.raises(ConnectError):
            client.get("http://127.0.0.1:1/")
        request = client.build_request("GET", "http://127.0.0.1:1/")
        with pytest.raises(ConnectError):
            client.send(request)
    with pytest.raises(ClientClosed):
        client.get("http://127.0.0.1:1/")


def test_threads_share_it_and_its_limits() -> None:
    server = MockServer(lambda request: Answer(body=request.target.encode()))
    found: list[str] = []
    with SyncClient(limits=Limits(max_connections=2), connect=server.connect) as client:

        def work(number: int) -> None:
            found.extend(client.get(f"http://h/{number}/{turn}").text for turn in range(10))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == sorted(f"/{a}/{b}" for a in range(4) for b in range(10))
    assert server.connections <= 2


def test_inside_of_a_run(nginx: Nginx) -> None:
    """It holds the run up, but works: its loop is another thread's."""

    async def main() -> str:
        with SyncClient() as client:
            return client.get(nginx.url("/hello.txt")).text

    assert run(main()) == "hello from nginx\n"


def test_one_that_nobody_closed_leaves_nothing(nginx: Nginx) -> None:
    assert SyncClient().get(nginx.url("/hello.txt")).status_code == 200
    SyncClient().close()


def test_closing_ends_what_another_thread_waits_for() -> None:
    outcomes: list[type[BaseException]] = []
    server = ScriptedServer([Step.REQUEST, Step.HANG])
    client = SyncClient(connect=server.connect)

    def work() -> None:
        try:
            client.get("http://h/")
        except ClientClosed as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not (server.received and server.received[0]):
        time.sleep(0.001)
    client.close()
    thread.join()
    assert outcomes == [ClientClosed]
