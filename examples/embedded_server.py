"""A small HTTP server to try a client on: quick, large, slow, silent and chunked pages.

It runs in the caller's event loop, on `tulip_net`'s listener, and takes requests apart with the
parser that the client uses for responses. It is an example and a test's opponent, no web server.
"""

import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httptools
import trustme

from tulip_net import Gen, Listener, Task, Transport, coroutine, create_task, listen, serve, sleep

PIECE: Final = 65536


class Request:
    """One request, filled in by the parser's callbacks."""

    def __init__(self) -> None:
        self.method = ""
        self.target = ""
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False
        self.keep_alive = True

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def number(self, name: str, default: float) -> float:
        """Return a number from the query."""
        found = parse_qs(urlsplit(self.target).query).get(name)
        return float(found[0]) if found else default

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Take note that nothing more belongs to this request."""
        self.complete = True


class Certificates:
    """An authority made on the spot, and a certificate for loopback that it has signed."""

    def __init__(self, *names: str) -> None:
        self._authority = trustme.CA()
        self._certificate = self._authority.issue_cert(*(names or ("localhost", "127.0.0.1")))

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs to prove who it is."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._certificate.configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return what a client needs to believe it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)
        return context


class EmbeddedServer:
    """A server that is listening; made by `start_server`.

    Attributes:
        connections: How many were accepted so far.
        requests: How many were answered so far.
    """

    def __init__(self, listener: Listener, scheme: str) -> None:
        self._listener = listener
        self._task: Task[None] | None = None
        self._root = f"{scheme}://127.0.0.1:{listener.addresses[0][1]}"
        self.connections = 0
        self.requests = 0

    def url(self, path: str) -> str:
        """Return the URL of a page."""
        return self._root + path

    def serve(self, context: ssl.SSLContext | None) -> None:
        """Begin to accept connections."""
        serving = serve(self._handle, self._listener, ssl=context, grace=0)
        self._task = create_task(serving, "embedded server")

    @coroutine
    def stop(self) -> Gen[None]:
        """Close the listener and every connection."""
        self._listener.close()
        if self._task is not None:
            yield from self._task

    async def _handle(self, transport: Transport) -> None:
        """Answer one request after the other on a connection."""
        self.connections += 1
        while (request := await read_request(transport)) is not None:
            self.requests += 1
            page = PAGES.get(request.path, not_found)
            await page(request, transport)
            if not request.keep_alive:
                return


@coroutine
def start_server(context: ssl.SSLContext | None = None) -> Gen[EmbeddedServer]:
    """Listen on a free port of loopback, with TLS if a server's context is given."""
    listener = yield from listen("127.0.0.1", 0)
    server = EmbeddedServer(listener, "http" if context is None else "https")
    server.serve(context)
    return server


async def read_request(transport: Transport) -> Request | None:
    """Return the next request, None when the client has gone."""
    request = Request()
    parser = httptools.HttpRequestParser(request)
    while not request.complete:
        data = await transport.recv(PIECE)
        if not data:
            return None
        parser.feed_data(data)
    request.method = parser.get_method().decode()
    request.keep_alive = parser.should_keep_alive()
    return request


async def answer(
    request: Request,
    transport: Transport,
    body: bytes = b"",
    *,
    status: str = "200 OK",
    headers: str = "",
) -> None:
    """Send a whole response; to HEAD, and with 204 and 304, without its body."""
    bodiless = status.startswith(("204", "304"))
    length = "" if bodiless else f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {status}\r\n{length}{headers}\r\n".encode("latin-1")
    await transport.send(head if bodiless or request.method == "HEAD" else head + body)


async def quick(request: Request, transport: Transport) -> None:
    """Answer at once."""
    await answer(request, transport, b"hello\n", headers="Content-Type: text/plain\r\n")


async def large(request: Request, transport: Transport) -> None:
    """Send ``?bytes=N``, 32 MiB unless told otherwise, in pieces; ``&seconds=S`` stretches it."""
    size = int(request.number("bytes", 32 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"
    await transport.send(head.encode())
    if request.method == "HEAD":
        return
    pause = request.number("seconds", 0) / max(1, size // PIECE)
    for piece in pieces(size):
        await transport.send(piece)
        if pause:
            await sleep(pause)


async def chunked(request: Request, transport: Transport) -> None:
    """Send ``?count=N`` chunks and a trailer, without saying how long it will be."""
    await transport.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    if request.method == "HEAD":
        return
    for number in range(int(request.number("count", 10))):
        line = f"line {number}\n".encode()
        await transport.send(b"%x\r\n%b\r\n" % (len(line), line))
    await transport.send(b"0\r\nX-Lines: all\r\n\r\n")


async def slow(request: Request, transport: Transport) -> None:
    """Answer after ``?seconds=S``, 2 unless told otherwise."""
    await sleep(request.number("seconds", 2))
    await answer(request, transport, b"at last\n")


async def never(request: Request, transport: Transport) -> None:
    """Do not answer, until the client goes away."""
    await transport.recv(1)
    request.keep_alive = False


async def status(request: Request, transport: Transport) -> None:
    """Answer with ``?code=N``."""
    code = int(request.number("code", 200))
    await answer(request, transport, b"status\n", status=f"{code} Just Because")


async def echo(request: Request, transport: Transport) -> None:
    """Send back what was asked: request line, header fields, and body."""
    lines = [f"{request.method} {request.target}"]
    lines += [f"{name}: {value}" for name, value in sorted(request.headers.items())]
    body = "\n".join([*lines, "", ""]).encode() + bytes(request.body)
    await answer(request, transport, body, headers="Content-Type: text/plain\r\n")


async def until_close(request: Request, transport: Transport) -> None:
    """Send a body that ends with the connection."""
    request.keep_alive = False
    await transport.send(b"HTTP/1.1 200 OK\r\n\r\n")
    if request.method != "HEAD":
        await transport.send(b"the end of this is the end of the connection\n")


async def last(request: Request, transport: Transport) -> None:
    """Answer, keep quiet about it, and close the connection all the same."""
    request.keep_alive = False
    await answer(request, transport, b"that was all\n")


async def not_found(request: Request, transport: Transport) -> None:
    """Answer to anything else."""
    await answer(request, transport, b"no such page\n", status="404 Not Found")


def pieces(size: int) -> Iterator[bytes]:
    """Yield so many bytes, in pieces of which each says where it begins."""
    for at in range(0, size, PIECE):
        piece = at.to_bytes(8, "big") * (PIECE // 8)
        yield piece[: min(PIECE, size - at)]


Page = Callable[[Request, Transport], Awaitable[None]]
PAGES: Final[dict[str, Page]] = {
    "/quick": quick,
    "/large": large,
    "/chunked": chunked,
    "/slow": slow,
    "/never": never,
    "/status": status,
    "/echo": echo,
    "/until-close": until_close,
    "/last": last,
}
