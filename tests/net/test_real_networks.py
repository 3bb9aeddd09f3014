"""Networks that swallow, refuse and dawdle, in namespaces of the test's own.

A second of real time, here and there: what is tried out is the kernel's part.
"""

import errno
import socket
import time
from collections.abc import Iterator

import pytest

from tests.net.netns import FAR_4, FAR_6, NEAR_4, Namespace, two_namespaces
from tests.opponents.certificates import Certificates
from tests.opponents.need import missing
from tulip_net import (
    BrokenError,
    BufferedReader,
    ConnectError,
    Gen,
    Listener,
    SocketTransport,
    StaticNames,
    Transport,
    coroutine,
    create_task,
    create_transport,
    fail_after,
    move_on_after,
    run,
    serve,
    sleep,
)

pytestmark = pytest.mark.slow

NAMES = StaticNames({"both.test": [FAR_6, FAR_4], "old.test": [FAR_4, FAR_6]})

SWALLOW_6 = "ip6 nexthdr tcp tcp flags & (syn | ack) == syn drop"
SWALLOW_4 = "ip protocol tcp tcp flags & (syn | ack) == syn drop"


@pytest.fixture
def network() -> Iterator[tuple[Namespace, Namespace]]:
    with two_namespaces() as both:
        yield both


def listening(far: Namespace, port: int = 8080) -> Listener:
    """Return a listener on both far addresses, for a loop that runs elsewhere."""

    def bind() -> list[socket.socket]:
        return [
            socket.create_server((FAR_4, port)),
            socket.create_server((FAR_6, port), family=socket.AF_INET6),
        ]

    return Listener(far.run(bind))


@coroutine
def hello(transport: Transport) -> Gen[None]:
    yield from transport.send(b"hello")


def visit(
    network: tuple[Namespace, Namespace], name: str, attempt_delay: float = 0.25
) -> tuple[str, float]:
    """Connect from near to far by a name; return the host that answered, and the seconds."""
    near, far = network

    async def main() -> tuple[str, float]:
        listener = listening(far)
        server = create_task(serve(hello, listener))
        begun = time.monotonic()
        with fail_after(10):
            transport = await create_transport(
                name, 8080, resolver=NAMES, attempt_delay=attempt_delay
            )
        seconds = time.monotonic() - begun
        assert await transport.recv(100) == b"hello"
        assert isinstance(transport, SocketTransport)
        assert isinstance(transport.peer_address, tuple)
        host = transport.peer_address[0]
        transport.close()
        listener.close()
        await server
        return host, seconds

    return near.run(lambda: run(main()))


# -- happy eyeballs ----------------------------------------------------------------------------


def test_without_trouble_the_first_address_wins_at_once(
    network: tuple[Namespace, Namespace],
) -> None:
    host, seconds = visit(network, "both.test", attempt_delay=60)
    assert host == FAR_6
    assert seconds < 5
    assert visit(network, "old.test", attempt_delay=60)[0] == FAR_4


@pytest.mark.parametrize(
    "swallow,name,winner",
    [(SWALLOW_6, "both.test", FAR_4), (SWALLOW_4, "old.test", FAR_6)],
    ids=["IPv6 is dead", "IPv4 is dead"],
)
def test_a_host_that_swallows_syns_loses_to_the_other_family(
    network: tuple[Namespace, Namespace], swallow: str, name: str, winner: str
) -> None:
    """Without Happy Eyeballs this takes the kernel's two minutes (RFC 8305 section 1)."""
    network[1].filter(swallow)
    host, seconds = visit(network, name)
    assert host == winner
    assert 0.25 <= seconds < 5  # one attempt delay, RFC 8305 section 5


def test_one_that_swallows_everything_is_given_up_in_time(
    network: tuple[Namespace, Namespace],
) -> None:
    near, far = network
    far.filter("tcp flags & (syn | ack) == syn drop")

    async def main() -> None:
        begun = time.monotonic()
        with pytest.raises(TimeoutError), fail_after(0.6):
            await create_transport("both.test", 8080, resolver=NAMES)
        assert 0.6 <= time.monotonic() - begun < 5

    near.run(lambda: run(main()))


@pytest.mark.parametrize(
    "spoil,expected",
    [
        (("ip", "-6", "route", "add", "unreachable", f"{FAR_6}/128"), errno.EHOSTUNREACH),
        (("ip", "-6", "route", "add", "prohibit", f"{FAR_6}/128"), errno.EACCES),
        (("ip", "-6", "address", "flush", "dev", "cable"), errno.ENETUNREACH),
    ],
    ids=["unreachable", "prohibited", "no route"],
)
def test_an_unreachable_route_costs_no_time(
    network: tuple[Namespace, Namespace], spoil: tuple[str, ...], expected: int
) -> None:
    network[0].command(*spoil)
    host, seconds = visit(network, "both.test", attempt_delay=60)
    assert host == FAR_4
    assert seconds < 5  # a failure starts the next attempt at once, RFC 8305 section 5

    async def main() -> None:
        with pytest.raises(ConnectError) as caught:
            await create_transport(FAR_6, 8080)
        assert caught.value.failures[0][1].errno == expected

    network[0].run(lambda: run(main()))


def test_a_router_that_says_no_is_heard(network: tuple[Namespace, Namespace]) -> None:
    """The error comes from the network this time, after the attempt has begun (ICMP)."""
    near, far = network
    far.filter("tcp dport 8080 reject with icmpx type host-unreachable")

    async def main() -> None:
        begun = time.monotonic()
        with pytest.raises(ConnectError, match=r"connect to both\.test:8080: ") as caught:
            await create_transport("both.test", 8080, resolver=NAMES)
        # An answer that comes within our own connect(), as on so short a cable, the kernel only
        # remembers until the SYN is due again, after 1 s (tcp_v4_err(), `sock_owned_by_user`).
        assert time.monotonic() - begun < 8
        tried = {address for address, _ in caught.value.failures}
        assert tried == {f"[{FAR_6}]:8080", f"{FAR_4}:8080"}
        assert {error.errno for _, error in caught.value.failures} == {errno.EHOSTUNREACH}

    near.run(lambda: run(main()))


# -- a slow link -------------------------------------------------------------------------------

RATE = 16_000_000
"""Bits per second."""

AMOUNT = 1_000_000
"""Bytes: half a second's worth at this rate."""


def slow_down(side: Namespace) -> None:
    tool = ("tc", "qdisc", "add", "dev", "cable", "root", "tbf")
    try:
        side.command(*tool, "rate", f"{RATE}bit", "burst", "32kb", "latency", "20ms")
    except AssertionError as error:
        if "qdisc kind is unknown" in str(error):
            missing("this kernel cannot limit a link's rate (sch_tbf)")
        raise


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_rate_limited_link_holds_the_sender_up(
    network: tuple[Namespace, Namespace], certificates: Certificates, tls: bool
) -> None:
    """The bytes arrive whole, the sender waits, and the loop is free meanwhile."""
    near, far = network
    slow_down(far)
    data = bytes(range(250)) * (AMOUNT // 250)
    sent = 0.0
    ticks = 0

    @coroutine
    def download(transport: Transport) -> Gen[None]:
        nonlocal sent
        begun = time.monotonic()
        yield from transport.send(data)
        sent = time.monotonic() - begun

    async def tick() -> None:
        nonlocal ticks
        while True:
            await sleep(0.01)
            ticks += 1

    async def main() -> float:
        listener = listening(far)
        context = certificates.server_context(FAR_4) if tls else None
        server = create_task(serve(download, listener, ssl=context))
        transport = await create_transport(
            FAR_4, 8080, ssl=certificates.client_context() if tls else None
        )
        ticking = create_task(tick())
        begun, used = time.monotonic(), time.thread_time()
        got = await BufferedReader(transport).readexactly(AMOUNT)
        seconds, used = time.monotonic() - begun, time.thread_time() - used
        assert got == data
        ticking.cancel()
        await transport.aclose()
        listener.close()
        await server
        assert used < seconds / 2  # it sleeps while the link is busy
        return seconds

    seconds = near.run(lambda: run(main()))
    assert seconds > 0.8 * AMOUNT * 8 / RATE
    assert sent > seconds / 20  # what the kernel's buffers hold is sent at once
    assert ticks > seconds * 5  # of a hundred, on a machine with nothing else to do


# -- a cable that is pulled --------------------------------------------------------------------


def test_a_pulled_cable_is_silence_and_a_returning_one_goes_on(
    network: tuple[Namespace, Namespace],
) -> None:
    near, far = network

    @coroutine
    def echo(transport: Transport) -> Gen[None]:
        while data := (yield from transport.recv(65536)):
            yield from transport.send(data)

    async def main() -> None:
        listener = listening(far)
        server = create_task(serve(echo, listener))
        transport = await create_transport(FAR_4, 8080)
        far.command("ip", "link", "set", "cable", "down")
        await transport.send(b"into the void")
        with move_on_after(0.1) as scope:
            await transport.recv(100)
        assert scope.cancelled_caught
        far.command("ip", "link", "set", "cable", "up")
        with fail_after(10):  # the kernel sends it again
            assert await transport.recv(100) == b"into the void"
        transport.close()
        listener.close()
        await server

    near.run(lambda: run(main()))


def test_a_connection_that_the_network_forgot_is_broken(
    network: tuple[Namespace, Namespace],
) -> None:
    """A firewall that answers with a reset, as one does that has restarted."""
    near, far = network

    async def main() -> None:
        listener = listening(far)
        transport = await create_transport(FAR_4, 8080, local_address=(NEAR_4, 0))
        theirs = await listener.accept()
        far.filter("tcp dport 8080 reject with tcp reset")
        waiting = create_task(transport.recv(100))
        await transport.send(b"hello?")
        with pytest.raises(BrokenError) as caught, fail_after(5):
            await waiting
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        for each in (transport, theirs):
            each.close()
        listener.close()

    near.run(lambda: run(main()))
