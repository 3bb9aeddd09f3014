"""Everything that can be wrong with a URL or a server: a clear error that names the value.

That nothing is lost by it, no descriptor and no thread, is checked after each test (tests/guards).
"""

import contextlib
import socket
import ssl

import pytest
from embedded_server import Certificates, start_server

from tests.http.running import Script, in_loop, in_virtual_time
from tests.http.test_wire import NOT_HTTP
from tulip_http import (
    CertificateError,
    Client,
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    LocalProtocolError,
    ReadTimeout,
    RemoteProtocolError,
    RequestOptions,
    TotalTimeout,
    UnsupportedProtocol,
    WriteTimeout,
    create_task,
    sleep,
    wait_all,
)
from tulip_http.testing import ScriptedServer


@pytest.mark.parametrize(
    "url, error, message",
    [
        ("gopher://h/", UnsupportedProtocol, "scheme 'gopher' is neither http nor https"),
        ("http://h:70000/", InvalidURL, "port 70000 is out of range"),
        ("http://h:x/", InvalidURL, "port 'x' is not a number"),
        ("http://127.0.0.1:0/", ConnectError, "port 0"),
        ("/path", InvalidURL, "no scheme"),
        ("http://h/\r\nX: y", InvalidURL, "line end"),
        ("http://no-such-host.invalid/", ConnectError, "no-such-host.invalid"),
        (f"http://{'a' * 64}.invalid/", ConnectError, "a" * 64),
    ],
)
@in_loop
async def test_a_url_that_leads_nowhere_is_named(
    url: str, error: type[HTTPError], message: str
) -> None:
    async with Client() as client:
        with pytest.raises(error, match=message) as caught:
            await client.get(url)
        if error is ConnectError:
            assert caught.value.request is not None
            assert caught.value.safe_to_repeat


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0"])
@pytest.mark.parametrize(
    "how",
    ["method", "url", "query", "host", "header", "header name", "target", "trailer", "media type"],
)
@in_loop
async def test_nothing_that_would_be_another_request_is_sent(how: str, end: str) -> None:
    """Refused before a connection is opened, or escaped so that it is one value."""
    smuggled = f"x{end}{end}GET /smuggled HTTP/1.1"
    method, url, options = "GET", "http://h/", RequestOptions()
    match how:
        case "method":
            method = smuggled
        case "url":
            url = f"http://h/{smuggled}"
        case "query":
            options = {"params": {"q": smuggled}}
        case "host":
            url = f"http://{smuggled}/"
        case "header":
            options = {"headers": {"A": smuggled}}
        case "header name":
            options = {"headers": {smuggled: "a"}}
        case "target":
            options = {"target": smuggled}
        case "trailer":
            options = {"content": [b"x"], "trailers": {"A": smuggled}}
        case _:
            options = {"files": {"f": (smuggled, b"x", smuggled)}}
    server = ScriptedServer(b"HTTP/1.1 204 No\r\n\r\n")
    async with Client(connect=server.connect) as client:
        with contextlib.suppress(InvalidURL, LocalProtocolError):
            await client.request(method, url, **options)
    escaped = how in {"query", "media type"}
    assert len(server.received) == (1 if escaped else 0)
    assert not any(
        line.startswith(b"GET /smuggled")
        for each in server.received
        for line in bytes(each).replace(b"\r", b"\n").split(b"\n")
    )


@in_loop
async def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with Client() as client:
        with pytest.raises(ConnectError, match=f"127.0.0.1:{port}: Connection refused"):
            await client.get(f"http://127.0.0.1:{port}/")


@in_loop
async def test_an_address_that_never_answers() -> None:
    """A listener whose queue is full drops what comes: connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        await sleep(0.05)
        async with Client(timeout=0.1) as client:
            with pytest.raises((ConnectTimeout, TotalTimeout), match=str(address[1])) as caught:
                await client.get(f"http://127.0.0.1:{address[1]}/")
            assert caught.value.phase == "connect"
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("data", NOT_HTTP)
@in_loop
async def test_not_http(data: bytes) -> None:
    """The message is the parser's; the connection is closed, and the next request fares well."""
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    async with Script(data, good, hang=True) as server, Client() as client:
        with pytest.raises(RemoteProtocolError, match=NOT_HTTP[data]) as caught:
            await client.get(server.url("/page"))
        assert caught.value.request is not None
        assert caught.value.request.url.path == "/page"
        assert (await client.get(server.url())).text == "hi"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 20", "closed inside the response head, after 11 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "cut short: 5 of 10 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "chunked body was cut"),
    ],
)
@in_loop
async def test_an_answer_that_is_cut_short_is_an_error(data: bytes, message: str) -> None:
    async with Script(data) as server, Client() as client:
        with pytest.raises(RemoteProtocolError, match=message):
            await client.get(server.url())
        if b"\r\n\r\n" in data:
            with pytest.raises(RemoteProtocolError, match=message):
                async with client.stream("GET", server.url()) as response:
                    await response.read()


@in_virtual_time
async def test_a_server_that_never_answers() -> None:
    for data in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"):
        async with Script(data, hang=True) as server, Client(timeout=0.05) as client:
            with pytest.raises((ReadTimeout, TotalTimeout), match=r"0\.05 s"):
                await client.get(server.url())


@in_virtual_time
async def test_a_server_that_does_not_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        from tulip_http import Timeout

        async with Client(timeout=Timeout(write=0.1)) as client:
            with pytest.raises(WriteTimeout, match=r"took nothing for 0\.1 s"):
                await client.post(url, content=bytes(50_000_000))


@in_loop
async def test_certificates_that_do_not_verify() -> None:
    certificates = Certificates()
    server = await start_server(certificates.server_context())
    async with Client() as client:
        with pytest.raises(CertificateError, match=r"certificate of '127\.0\.0\.1'.*") as caught:
            await client.get(server.url("/quick"))
        assert isinstance(caught.value, ConnectError)
        assert caught.value.request is not None
    await server.stop()


@in_loop
async def test_a_certificate_for_another_name() -> None:
    certificates = Certificates("other.example")
    server = await start_server(certificates.server_context())
    async with Client(tls=certificates.client_context()) as client:
        with pytest.raises(CertificateError, match=r"127\.0\.0\.1"):
            await client.get(server.url("/quick"))
    await server.stop()


@in_loop
async def test_tls_with_a_server_that_does_not_speak_it() -> None:
    server = await start_server()
    async with Client() as client:
        with pytest.raises(ConnectError):
            await client.get(server.url("/quick").replace("http:", "https:"))
    await server.stop()


@in_loop
async def test_no_tls_with_a_server_that_does() -> None:
    server = await start_server(Certificates().server_context())
    async with Client() as client:
        with pytest.raises(HTTPError):
            await client.get(server.url("/quick").replace("https:", "http:"))
    await server.stop()


@in_loop
async def test_an_unverified_context_is_asked_for_by_name() -> None:
    server = await start_server(Certificates().server_context())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with Client(tls=context) as client:
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_loop
async def test_a_reset_connection() -> None:
    import struct

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        async with Client() as client:
            task = create_task(client.get(url))
            await sleep(0.02)
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            await wait_all([task])
            error = task.exception()
            assert isinstance(error, HTTPError)
            assert "reset" in str(error)
            assert isinstance(error.__cause__, Exception)
