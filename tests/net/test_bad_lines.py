"""What is built on transports, over lines that are slow, cut everything short and break, by a seed.

The seed is in the name of the test, and repeats it: all is in memory and in virtual time.
``TULIP_SEEDS=7,8,9`` in the environment tries others. (Over http there is more of this.)
"""

import random
from collections.abc import Callable

import pytest

from tests.opponents.certificates import Certificates
from tests.seeds import seeds
from tulip_net import (
    BrokenError,
    BufferedReader,
    BufferedWriter,
    BusyError,
    Connector,
    Gen,
    HttpProxy,
    IncompleteReadError,
    NetError,
    ProxyError,
    Socks4Proxy,
    Socks5Proxy,
    Task,
    Transport,
    coroutine,
    create_task,
    run,
    sleep,
    start_tls,
)
from tulip_net.testing import FaultyTransport, memory_pair
from tulip_sched.testing import virtual_time

SEEDS = seeds(8)
RESETS = {"whole": 0.0, "breaking": 0.02}

every_seed = pytest.mark.parametrize("seed", SEEDS)
every_reset = pytest.mark.parametrize("reset", RESETS.values(), ids=RESETS)


def bad_pair(seed: int, reset: float) -> tuple[Transport, Transport]:
    a, b = memory_pair(capacity=5000)
    return FaultyTransport(a, seed, reset=reset), FaultyTransport(b, -seed, reset=reset)


@every_seed
@every_reset
def test_messages(seed: int, reset: float) -> None:
    """A writer's lines come out of a reader as they are, or the first so many of them do."""
    luck = random.Random(seed)
    lines = [luck.randbytes(luck.choice([0, 3, 2000])).replace(b"\n", b"") for _ in range(60)]

    async def write(transport: Transport) -> None:
        with transport:
            writer = BufferedWriter(transport)
            for line in lines:
                writer.write(line + b"\n")
                if luck.random() < 0.3:
                    await writer.flush()
            writer.write(b"12345")
            await writer.flush()

    async def main() -> None:
        ours, theirs = bad_pair(seed, reset)
        writing = create_task(write(theirs))
        got: list[bytes] = []
        end = b""
        with ours:
            reader = BufferedReader(ours)
            try:
                while len(got) < len(lines):
                    got.append(await reader.readuntil(b"\n"))
                end = await reader.readexactly(5)
            except (BrokenError, IncompleteReadError):
                assert reset
        await writing.wait()
        assert writing.exception() is None or isinstance(writing.exception(), BrokenError)
        assert got == [line + b"\n" for line in lines[: len(got)]]
        assert end == b"12345" or reset

    with virtual_time():
        run(main())


@every_seed
@every_reset
@pytest.mark.parametrize("inside", [1, 2], ids=["tls", "tls in tls"])
def test_tls_is_whole_or_broken(
    certificates: Certificates, seed: int, reset: float, inside: int
) -> None:
    """The end of the stream comes after all of it, or not at all: that is what TLS is for."""
    data = random.Random(seed).randbytes(40_000)

    async def wrap(transport: Transport, server_side: bool) -> Transport:
        for _ in range(inside):
            if server_side:
                context, name = certificates.server_context(), None
            else:
                context, name = certificates.client_context(), "localhost"
            transport = await start_tls(
                transport, context, server_side=server_side, server_hostname=name
            )
        return transport

    async def answer(plain: Transport) -> None:
        with plain:
            async with await wrap(plain, True) as transport:
                await transport.send(data)

    async def ask(plain: Transport) -> bytes:
        with plain:
            async with await wrap(plain, False) as transport:
                return await BufferedReader(transport).read()

    async def main() -> None:
        ours, theirs = bad_pair(seed, reset / 4)
        answering, asking = create_task(answer(theirs)), create_task(ask(ours))
        for task in (answering, asking):
            await task.wait()
            error = task.exception()
            assert error is None or (isinstance(error, NetError) and reset), error
        if asking.exception() is None:
            assert asking.result() == data

    with virtual_time():
        run(main())


def http(request: bytes) -> bytes | None:
    return b"HTTP/1.1 200 Fine\r\nVia: test\r\n\r\n" if request.endswith(b"\r\n\r\n") else None


def socks5(request: bytes) -> bytes | None:
    greeting = b"\x05\x01\x00"
    if request == greeting:
        return b"\x05\x00"
    if len(request) == len(greeting) + 7 + len("a.example"):
        return b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    return None


def socks4(request: bytes) -> bytes | None:
    return b"\x00\x5a\x00\x00\x00\x00\x00\x00" if request.endswith(b"a.example\0") else None


PROXIES: list[tuple[Callable[[bytes], bytes | None], type[HttpProxy | Socks5Proxy | Socks4Proxy]]]
PROXIES = [(http, HttpProxy), (socks5, Socks5Proxy), (socks4, Socks4Proxy)]


@every_seed
@every_reset
@pytest.mark.parametrize("answer, kind", PROXIES, ids=["http", "socks5", "socks4"])
def test_a_proxy_takes_its_answer_and_no_byte_of_the_servers(
    seed: int,
    reset: float,
    answer: Callable[[bytes], bytes | None],
    kind: type[HttpProxy | Socks5Proxy | Socks4Proxy],
) -> None:
    @coroutine
    def play(transport: Transport) -> Gen[None]:
        """Be a proxy, and at once the server behind it, which speaks first."""
        with transport:
            request = b""
            try:
                while not request.endswith(b"the end"):
                    data = yield from transport.recv(100)
                    if not data:
                        return
                    request += data
                    said = answer(request)
                    if said is not None:
                        yield from transport.send(said if len(said) < 5 else said + b"welcome")
            except BrokenError:
                pass

    @coroutine
    async def through(_host: str, _port: int, /) -> Transport:
        ours, theirs = bad_pair(seed, reset)
        Task(play(theirs)).start()
        return ours

    async def main() -> None:
        connector: Connector = kind("proxy.example", 1, through=through)
        try:
            transport = await connector("a.example", 80)
        except ProxyError:
            assert reset  # and a transport that was left open would warn
            return
        with transport:
            try:
                assert await BufferedReader(transport).readexactly(7) == b"welcome"
                await transport.send(b"the end")
            except (BrokenError, IncompleteReadError):
                assert reset

    with virtual_time():
        run(main())


@pytest.mark.parametrize("into", [False, True])
def test_of_two_receivers_on_a_slow_line_the_second_is_refused(into: bool) -> None:
    """Although the first has not come to ask the line below."""

    async def main() -> None:
        a, b = memory_pair()
        with FaultyTransport(a, 1, slow=1.0) as slow, b:
            first = create_task(slow.recv(5))
            await sleep(0)
            with pytest.raises(BusyError):
                await (slow.recv_into(bytearray(1)) if into else slow.recv(1))
            await b.send(b"x")
            assert await first == b"x"

    run(main())
