"""Through real proxies: HTTP CONNECT, SOCKS5, SOCKS4a, with credentials, chained, and refused."""

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.opponents.certificates import Certificates
from tests.opponents.proxies import danted, free_port, microsocks, tinyproxy, twisted_socks
from tulip_net import (
    ConnectError,
    Connector,
    HttpProxy,
    Listener,
    ProxyError,
    ResolveError,
    Socks4Proxy,
    Socks5Proxy,
    SslTransport,
    Task,
    TaskGroup,
    Transport,
    coroutine,
    create_task,
    create_transport,
    listen,
    move_on_after,
    proxy_from_url,
    run,
    serve,
    server_context,
    sleep,
    wait_all,
)
from tulip_net.testing import memory_pair


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Connector]]:
    """A connector through each kind of proxy, with and without credentials, and chains of them."""
    with ExitStack() as stack:
        open_socks = stack.enter_context(microsocks())
        socks = stack.enter_context(microsocks("-u", "me", "-P", "se:cret"))
        dante = stack.enter_context(danted(tmp_path_factory.mktemp("danted")))
        twisted = stack.enter_context(twisted_socks(tmp_path_factory.mktemp("twisted")))
        http = stack.enter_context(
            tinyproxy(tmp_path_factory.mktemp("tinyproxy"), "BasicAuth me secret")
        )
        here = "127.0.0.1"
        made: dict[str, Connector] = {
            "socks5": Socks5Proxy(here, open_socks),
            "socks5 with credentials": Socks5Proxy(here, socks, username="me", password="se:cret"),
            "socks5 by dante": Socks5Proxy(here, dante),
            "socks4 by dante": Socks4Proxy("localhost", dante, username="me"),
            "socks4a by twisted": Socks4Proxy(here, twisted, username="me"),
            "socks4a by url": proxy_from_url(f"socks4a://{here}:{twisted}"),
            "http": HttpProxy(here, http, username="me", password="secret"),
            "http by url": proxy_from_url(f"http://me:secret@{here}:{http}"),
        }
        made["http through socks5"] = HttpProxy(
            here, http, username="me", password="secret", through=made["socks5"]
        )
        made["socks4a through socks5"] = Socks4Proxy(here, twisted, through=made["socks5"])
        made["three in a row"] = Socks5Proxy(here, open_socks, through=made["http through socks5"])
        made["a wrong password"] = HttpProxy(here, http, username="me", password="wrong")
        made["no password"] = HttpProxy(here, http)
        made["wrong socks password"] = Socks5Proxy(here, socks, username="me", password="x")
        made["no socks password"] = Socks5Proxy(here, socks)
        yield made


WORKING = [
    "socks5",
    "socks5 with credentials",
    "socks5 by dante",
    "socks4 by dante",
    "socks4a by twisted",
    "socks4a by url",
    "socks4a through socks5",
    "http",
    "http by url",
    "http through socks5",
    "three in a row",
]

# Dante speaks SOCKS4 without the names of 4a.
NAMING = [kind for kind in WORKING if kind != "socks4 by dante"]


async def greet_and_echo(transport: Transport) -> None:
    """Speak first, so that a proxy's answer and the server's words arrive together."""
    await transport.send(b"welcome ")
    while data := await transport.recv(65536):
        await transport.send(data)


async def with_server(
    use: Callable[[Listener], Awaitable[None]], certificates: Certificates | None = None
) -> None:
    listener = await listen("127.0.0.1")
    context = None if certificates is None else server_context(certificates.server_file)
    server = create_task(serve(greet_and_echo, listener, ssl=context, grace=0))
    try:
        await use(listener)
    finally:
        listener.close()
        await server


async def read(transport: Transport, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await transport.recv(count - len(data))
    return data


@pytest.mark.parametrize("kind", [*WORKING, *(f"{kind} by name" for kind in NAMING)])
def test_bytes_go_both_ways_through_each_proxy(proxies: dict[str, Connector], kind: str) -> None:
    kind, by_name, _ = kind.partition(" by name")
    host = "localhost" if by_name else "127.0.0.1"

    async def use(listener: Listener) -> None:
        transport = await create_transport(host, listener.port, proxy=proxies[kind])
        assert await read(transport, 8) == b"welcome "
        await transport.send(b"there and back")
        assert await read(transport, 14) == b"there and back"
        transport.close()

    run(with_server(use))


@pytest.mark.parametrize("kind", WORKING)
def test_tls_inside(proxies: dict[str, Connector], kind: str, certificates: Certificates) -> None:
    """The certificate is that of the server behind the proxy."""

    async def use(listener: Listener) -> None:
        host = "localhost" if kind in NAMING else "127.0.0.1"
        transport = await create_transport(
            host, listener.port, ssl=certificates.client_context(), proxy=proxies[kind]
        )
        assert isinstance(transport, SslTransport)
        assert transport.server_hostname == host
        await transport.send(b"secret")
        assert await read(transport, 14) == b"welcome secret"
        await transport.aclose()

    run(with_server(use, certificates))


def test_a_proxy_spoken_to_over_tls(certificates: Certificates, tmp_path: Path) -> None:
    """TLS to the proxy, and inside it TLS to the server."""

    async def tunnel(front: Transport, port: int) -> None:
        back = await create_transport("127.0.0.1", port)
        try:
            async with TaskGroup() as group:
                group.start_soon(pump(front, back))
                group.start_soon(pump(back, front))
        finally:
            back.close()

    async def use(listener: Listener) -> None:
        with tinyproxy(tmp_path) as port:
            door = await listen("127.0.0.1")
            context = server_context(certificates.server_file)
            server = create_task(
                serve(lambda front: tunnel(front, port), door, ssl=context, grace=0)
            )
            over_tls = partial(create_transport, ssl=certificates.client_context())
            proxy = HttpProxy("localhost", door.port, through=over_tls)
            transport = await create_transport(
                "localhost", listener.port, ssl=certificates.client_context(), proxy=proxy
            )
            await transport.send(b"secret")
            assert await read(transport, 14) == b"welcome secret"
            transport.close()
            door.close()
            await server

    run(with_server(use, certificates))


async def pump(source: Transport, sink: Transport) -> None:
    while data := await source.recv(65536):
        await sink.send(data)


@pytest.mark.parametrize(
    "kind, answer",
    [
        ("a wrong password", r"HTTP proxy 127.* does not connect to a.example:80: .* 40[17]"),
        ("no password", r"HTTP proxy 127.* does not connect to a.example:80: .* 40[17]"),
        ("wrong socks password", "SOCKS5 proxy .*: it does not accept the username and password"),
        ("no socks password", "SOCKS5 proxy .*: it wants a username and a password"),
    ],
)
def test_credentials_refused(proxies: dict[str, Connector], kind: str, answer: str) -> None:
    with pytest.raises(ProxyError, match=answer) as caught:
        run(create_transport("a.example", 80, proxy=proxies[kind]))
    assert caught.value.code is not None
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", WORKING)
def test_a_port_on_which_nobody_listens(proxies: dict[str, Connector], kind: str) -> None:
    with pytest.raises(ProxyError, match=r"proxy .* does not connect to 127.*: it answered"):
        run(create_transport("127.0.0.1", free_port(), proxy=proxies[kind]))


@pytest.mark.parametrize("kind", NAMING)
def test_a_name_that_the_proxy_does_not_find(proxies: dict[str, Connector], kind: str) -> None:
    """It is the proxy that looks the name up, and that says so."""
    with pytest.raises(ProxyError, match=r"proxy .* does not connect to no\.invalid:80: it answe"):
        run(create_transport("no.invalid", 80, proxy=proxies[kind]))


def test_a_proxy_that_cannot_be_reached_is_named() -> None:
    port = free_port()
    answer = rf"HTTP proxy 127.0.0.1:{port} .* a.example:80: it cannot be reached \(.*refused"
    with pytest.raises(ProxyError, match=answer):
        run(create_transport("a.example", 80, proxy=HttpProxy("127.0.0.1", port)))
    with pytest.raises(ProxyError, match=r"cannot resolve 'proxy.invalid'") as caught:
        run(create_transport("a.example", 80, proxy=Socks5Proxy("proxy.invalid", port)))
    assert isinstance(caught.value.__cause__, ResolveError)


def test_in_a_chain_the_one_that_fails_is_named(proxies: dict[str, Connector]) -> None:
    port = free_port()
    last = Socks5Proxy("127.0.0.1", port, through=proxies["socks5"])
    with pytest.raises(
        ProxyError, match=rf"does not connect to 127.0.0.1:{port}: it answered"
    ) as error:
        run(create_transport("a.example", 80, proxy=last))
    assert error.value.proxy == repr(proxies["socks5"])


def test_something_else_than_a_proxy() -> None:
    async def use(listener: Listener) -> None:
        for proxy in (
            HttpProxy("127.0.0.1", listener.port),
            Socks5Proxy("127.0.0.1", listener.port),
            Socks4Proxy("127.0.0.1", listener.port),
        ):
            with pytest.raises(ProxyError, match=r"not HTTP|not SOCKS5|not SOCKS4"):
                await create_transport("a.example", 80, proxy=proxy)

    run(with_server(use))


@pytest.mark.parametrize(
    "kind, answers",
    [
        (HttpProxy, [b"HTTP/1.1 200 OK\r\n\r\n"]),
        (Socks5Proxy, [b"\5\0", b"\5\0\0\1" + bytes(6)]),
        (Socks4Proxy, [b"\0\x5a" + bytes(6)]),
    ],
)
def test_an_answer_in_pieces_with_the_servers_words_behind_it(
    kind: type[HttpProxy | Socks4Proxy | Socks5Proxy], answers: list[bytes]
) -> None:
    async def answer(transport: Transport) -> None:
        *before, last = answers
        with transport:
            for each in before:
                await transport.recv(1000)
                await transport.send(each)
            await transport.recv(1000)
            for byte in last[:-1]:
                await transport.send(bytes([byte]))
                await sleep(0)
            await transport.send(last[-1:] + b"220 ready")

    @coroutine
    async def through(_host: str, _port: int, /) -> Transport:
        ours, theirs = memory_pair()
        answering.append(create_task(answer(theirs)))
        return ours

    async def main() -> None:
        transport = await kind("proxy.example", 1, through=through)("a.example", 80)
        assert await read(transport, 9) == b"220 ready"
        transport.close()
        await wait_all(answering)

    answering: list[Task[None]] = []
    run(main())


@pytest.mark.parametrize("scheme", ["http", "https", "socks4a", "socks5"])
def test_a_proxy_from_its_url_is_reached_through_another_connector(scheme: str) -> None:
    @coroutine
    async def through(host: str, port: int, /) -> Transport:
        asked.append((host, port))
        raise ConnectError("there", ())

    asked: list[tuple[str, int]] = []
    proxy = proxy_from_url(f"{scheme}://proxy.invalid:99", through=through)
    with pytest.raises(ProxyError, match="it cannot be reached"):
        run(proxy("a.example", 80))
    assert asked == [("proxy.invalid", 99)]


@pytest.mark.parametrize("kind", [HttpProxy, Socks4Proxy, Socks5Proxy])
def test_what_cannot_be_asked_for_is_not_asked(
    kind: type[HttpProxy | Socks4Proxy | Socks5Proxy],
) -> None:
    """Nobody listens at the proxy's port, and nobody gets to know."""
    proxy = kind("127.0.0.1", free_port())
    for port in (0, 65536):
        with pytest.raises(ValueError, match="port"):
            run(proxy("a.example", port))
    with pytest.raises(TypeError, match="host"):
        run(proxy(None, 80))  # type: ignore[arg-type]  # as people do


def test_a_proxy_that_hangs_up_or_says_nothing() -> None:
    async def hang_up(transport: Transport) -> None:
        await transport.recv(3)

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(hang_up, listener))
        with pytest.raises(ProxyError, match=r"it left \("):
            await create_transport("a", 1, proxy=Socks5Proxy("127.0.0.1", listener.port))
        listener.close()
        await server
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with move_on_after(0.02) as scope:
                await create_transport("a", 1, proxy=Socks5Proxy("127.0.0.1", port))
            assert scope.cancelled_caught
        await sleep(0)

    run(main())
