"""What a stranger does with tulip-http: get pages, one or many, and handle what goes wrong.

Run with two files: a server's key and certificates, and the authority's certificate.
"""

import contextlib
import datetime
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, assert_type

import tulip_http
from tulip_http import (
    URL,
    AnyCoroutine,
    Cancelled,
    CancelScope,
    CertificateError,
    Client,
    ClientClosed,
    ConnectError,
    ConnectTimeout,
    Coroutine,
    DecodingError,
    Gen,
    Headers,
    HTTPError,
    HTTPStatusError,
    InvalidURL,
    Limits,
    LocalProtocolError,
    NetworkError,
    Origin,
    PoolTimeout,
    ProtocolError,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    Request,
    RequestError,
    RequestOptions,
    RequestParts,
    Response,
    ResponseNotRead,
    ResponseStream,
    ResponseTooLarge,
    ScriptOptions,
    Semaphore,
    StreamClosed,
    StreamConsumed,
    StreamError,
    SyncResponse,
    Task,
    TaskCancelledError,
    TaskGroup,
    Timeout,
    TimeoutException,
    TotalTimeout,
    TransportError,
    UnsupportedProtocol,
    WriteError,
    WriteTimeout,
    as_completed,
    call_in_thread,
    coroutine,
    create_task,
    fail_after,
    move_on_after,
    run,
    shield,
    sleep,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)

SERVER_FILE, AUTHORITY_FILE = sys.argv[1:]


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves lines of text, answers a POST with what it got, and knows nothing else."""

    protocol_version = "HTTP/1.1"
    # Head and body go out together. Else a client that refuses the body by its length has closed
    # before it comes, and the server complains of a reset.
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer with two lines, or with 404."""
        self.answer(200 if self.path.startswith("/lines") else 404, b"one\ntwo\n")

    def do_POST(self) -> None:
        """Answer with the body of the request."""
        length = int(self.headers["Content-Length"])
        self.answer(200, self.rfile.read(length))

    do_HEAD = do_DELETE = do_OPTIONS = do_GET
    do_PUT = do_PATCH = do_POST

    def answer(self, status: int, body: bytes) -> None:
        """Send a whole response."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server of the standard library's in a thread, and yield its base URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@coroutine
def under_yield_from(base: str) -> Gen[str]:
    """Get a page in a generator."""
    with Client(base_url=base, timeout=Timeout(connect=5), limits=Limits(max_idle=1)) as client:
        response = yield from client.get("/lines", params={"q": "two words"})
        assert_type(response, Response)
        assert response.url.target == "/lines?q=two+words"
        assert_type(response.elapsed, datetime.timedelta)
        with (yield from client.stream("GET", "/lines")) as streamed:
            while chunk := (yield from streamed.read_chunk()):
                assert_type(chunk, bytes)
        return response.raise_for_status().text


async def under_await(base: str) -> Any:
    """Do more in an ``async def``."""
    trusting = ssl.create_default_context(cafile=AUTHORITY_FILE)
    async with Client(base_url=base, headers={"X-Test": "1"}, tls=trusting) as client:
        parts: RequestParts = {"headers": Headers({"Accept": "text/plain"})}
        options: RequestOptions = {**parts, "timeout": 5.0}
        page = await client.get("/lines", **options)
        assert_type(page.headers, Headers)
        assert_type(page.headers["content-length"], str)
        assert_type(page.status_code, int)
        opening = assert_type(client.stream("GET", "/lines"), ResponseStream)
        async with opening as response:
            lines = response.iter_lines()
            assert_type(lines, AsyncIterator[str])
            assert [line async for line in lines] == ["one", "two"]
        request = client.build_request("POST", "/", json={"answer": 42})
        assert_type(request, Request)
        echo = await client.send(request)
        return echo.json()


async def meet_the_errors(base: str) -> None:
    """Have each mistake and each failure named."""
    async with Client(base_url=base, limits=Limits(max_body=5)) as client:
        assert isinstance(await failure_of(client.get("/lines")), ResponseTooLarge)
        assert isinstance(await failure_of(client.get("ftp://example.org/")), UnsupportedProtocol)
        assert isinstance(await failure_of(client.get("http://host:port/")), InvalidURL)
        split = client.get("/", headers={"X": "1\r\nY: 2"})
        assert isinstance(await failure_of(split), LocalProtocolError)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
            failure = await failure_of(client.get(nobody))
        assert isinstance(failure, ConnectError)
        assert_type(failure.safe_to_repeat, bool)
        async with client.stream("GET", "/lines") as response:
            with contextlib.suppress(ResponseNotRead):
                print(response.text)
            await response.read_chunk()
            assert isinstance(await failure_of(response.read()), StreamConsumed)
    assert isinstance(await failure_of(client.get("/lines")), ClientClosed)
    async with Client(base_url=base) as client:
        missing = await client.get("/missing")
        try:
            missing.raise_for_status()
        except HTTPStatusError as error:
            assert_type(error.response, Response | SyncResponse | None)


async def meet_the_slow(base: str) -> None:
    """Give up on a server that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = URL(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert_type(url.origin, Origin)
        async with Client(timeout=Timeout(read=0.01)) as client:
            assert isinstance(await failure_of(client.get(url)), ReadTimeout)
            assert isinstance(await failure_of(client.get(url, timeout=0.01)), TimeoutException)
    async with Client(base_url=base) as client:
        assert isinstance(await failure_of(client.get("/lines")), CertificateError)


async def failure_of(coro: Coroutine[object]) -> HTTPError:
    """Return what a coroutine raises; every error of this layer is of one family."""
    try:
        await coro
    except HTTPError as error:
        return error
    raise AssertionError("it did not fail")


def check_the_family() -> None:
    """Catch as much or as little as is meant."""
    families: list[tuple[type[Exception], tuple[type[Exception], ...]]] = [
        (TimeoutException, (PoolTimeout, ConnectTimeout, WriteTimeout, TotalTimeout)),
        (NetworkError, (ReadError, WriteError, ConnectError)),
        (ProtocolError, (LocalProtocolError, RemoteProtocolError)),
        (TransportError, (TimeoutException, NetworkError, ProtocolError)),
        (StreamError, (StreamClosed, StreamConsumed)),
        (RequestError, (TransportError, DecodingError, ClientClosed)),
        (HTTPError, (RequestError, StreamError, InvalidURL)),
        (Exception, (QueueEmpty, QueueFull)),
    ]
    for family, members in families:
        assert all(issubclass(member, family) for member in members)


@coroutine
def fetch_many(base: str) -> Gen[int]:
    """Fetch side by side, and use what this layer passes on from those below."""
    with Client(base_url=base) as client:
        tasks: list[Task[Response]] = [create_task(client.get("/lines")) for _ in range(3)]
        for waiting in (wait_any(tasks), wait_for(2, tasks), wait_all(tasks)):
            assert_type((yield from waiting), set[Task[Response]])
        page = yield from with_timeout(5, client.get("/lines"))
        assert_type(page, Response)
        assert_type((yield from call_in_thread(len, page.content)), int)
        with move_on_after(0) as scope, fail_after(60):
            assert_type(scope, CancelScope)
            yield from sleep(3600)
        async_pages = yield from coroutine(in_a_group)(client)
        return sum(len(each.content) for each in [*(task.result() for task in tasks), *async_pages])


async def crawl(base: str, count: int) -> list[int]:
    """Fetch what a queue says, two at a time; one page is given up."""
    queue: Queue[str] = Queue()
    slots = Semaphore(2)

    async def fetch(client: Client, path: str) -> int:
        try:
            async with slots:
                return (await client.get(path)).status_code
        except Cancelled:
            with shield():
                await sleep(0)
            raise

    for _ in range(count):
        queue.put_nowait("/lines")
    queue.shutdown()
    tasks: list[Task[int]] = []
    with Client(base_url=base) as client:
        try:
            while True:
                page: AnyCoroutine[int] = fetch(client, await queue.get())
                tasks.append(create_task(page))
        except QueueShutDown:
            tasks[-1].cancel()
        statuses = []
        async for task in as_completed(tasks):
            try:
                statuses.append(task.result())
            except TaskCancelledError:
                statuses.append(0)
    return sorted(statuses)


async def in_a_group(client: Client) -> list[Response]:
    """Fetch in a group: all, or the first failure."""
    tasks: list[Task[Response]] = []
    async with TaskGroup() as group:
        tasks += [group.create_task(client.get("/lines")) for _ in range(2)]
    return [task.result() for task in tasks]


def write_a_script(base: str) -> list[str]:
    """Do without a client and without coroutines."""
    page = tulip_http.get(f"{base}/lines", timeout=5)
    assert_type(page, SyncResponse)
    assert [line.upper() for line in page.iter_lines()] == page.text.upper().splitlines()
    echo = tulip_http.post(f"{base}/", content=b"data")
    others = [
        tulip_http.head(f"{base}/lines"),
        tulip_http.put(f"{base}/", json=1),
        tulip_http.patch(f"{base}/", json=2),
        tulip_http.delete(f"{base}/lines"),
        tulip_http.options(f"{base}/lines"),
        tulip_http.request("GET", f"{base}/lines"),
    ]
    assert [len(other.content) for other in others] == [0, 1, 1, 8, 8, 8]
    options: ScriptOptions = {"tls": False, "limits": Limits(max_body=100), "timeout": Timeout(5)}
    with tulip_http.stream("GET", f"{base}/lines", **options) as streamed:
        assert [len(piece) for piece in streamed.iter_bytes(chunk_size=5)] == [5, 3]
    return [page.text, echo.text]


def use_the_command(base: str) -> str:
    """Run the command that came with the package."""
    command = Path(sys.executable).with_name("tulip-http")
    result = subprocess.run(
        [command, f"{base}/lines"], capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout


@coroutine
def refused(client: Client) -> Gen[None]:
    """Each of these lines is a mistake that the type checker finds."""
    client.get("/")  # type: ignore[unused-awaitable]
    yield from client.get(5)  # type: ignore[arg-type]
    yield from client.get("/", body=b"")  # type: ignore[call-arg]
    yield from client.get("/", timeout="soon")  # type: ignore[arg-type]
    text: bytes = (yield from client.get("/")).text  # type: ignore[assignment]
    Client(base_url="http://h", retries=3)  # type: ignore[call-arg]
    client.close("now")  # type: ignore[call-arg]
    tulip_http.get("http://h/", body=b"")  # type: ignore[call-arg]
    print(text)


if __name__ == "__main__":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SERVER_FILE)
    with serving() as plain, serving(context) as secure:
        assert run(under_yield_from(plain)) == "one\ntwo\n"
        for each in (plain, secure):
            assert run(under_await(each)) == json.loads('{"answer": 42}')
        run(meet_the_errors(plain))
        run(meet_the_slow(secure))
        assert run(crawl(plain, 3)) == [0, 200, 200]
        assert run(fetch_many(plain)) == 5 * len("one\ntwo\n")
        assert write_a_script(plain) == ["one\ntwo\n", "data"]
        assert "200" in use_the_command(plain)
    check_the_family()
