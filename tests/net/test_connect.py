"""From a name to a connection, or to an error that says what was tried."""

import errno
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.net.echoing import echo
from tests.opponents.certificates import Certificates
from tulip_net import (
    AddressInfo,
    ConnectError,
    Gen,
    HttpProxy,
    ResolveError,
    Resolver,
    Socks4Proxy,
    Socks5Proxy,
    Transport,
    connect,
    coroutine,
    create_connection,
    create_task,
    create_transport,
    getaddrinfo,
    getnameinfo,
    listen,
    move_on_after,
    open_datagram,
    run,
    serve,
    sleep,
)


def refusing_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def swallowing_port() -> Iterator[int]:
    """A loopback port whose backlog is full: connecting to it hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.01)
        yield port
        for filler in fillers:
            filler.close()


def addresses(*ports: int) -> Resolver:
    """A resolver whose every name is loopback, at these ports one after another."""

    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", number)) for number in ports
        ]

    return resolve


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "fe80::1%lo", None])
def test_literal_addresses_need_no_thread(host: str | None) -> None:
    with pytest.raises(StopIteration) as stop:  # it returns in its first step
        next(iter(getaddrinfo(host, 80)))
    answers = stop.value.value
    assert answers[0][4][1] == 80
    if host is not None:
        assert answers[0][4][0].partition("%")[0] == host.partition("%")[0]


def test_localhost_resolves_in_a_thread() -> None:
    answers = run(getaddrinfo("localhost", 443))
    assert {answer[4][0] for answer in answers} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example", "\udc80.example"]
)
def test_a_name_that_does_not_resolve_is_named(host: str) -> None:
    with pytest.raises(ResolveError, match="cannot resolve") as caught:
        run(create_transport(host, 80))
    assert caught.value.host == host
    assert isinstance(caught.value.__cause__, OSError | UnicodeError)


def test_a_look_up_that_the_system_fails_is_a_resolve_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python tells of EAI_SYSTEM by an OSError that is no gaierror."""
    real: Any = socket.getaddrinfo

    def out_of_memory(*arguments: Any, flags: int = 0) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return real(*arguments, flags=flags)
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(socket, "getaddrinfo", out_of_memory)
    with pytest.raises(ResolveError, match=r"'some\.example': Cannot allocate memory"):
        run(create_transport("some.example", 80))


def test_a_star_is_not_this_very_host() -> None:
    """To glibc it is like None."""
    for entry in (create_transport("*", 80), open_datagram(peer_address=("*", 80))):
        with pytest.raises(ResolveError, match=r"cannot resolve '\*': not a valid name"):
            run(entry)


@pytest.mark.parametrize("host", ["", "a\0b"])
def test_what_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        run(create_transport(host, 80))


@pytest.mark.parametrize("host", [None, b"localhost", 5, ("127.0.0.1",)])
def test_a_host_of_the_wrong_type_is_named(host: Any) -> None:
    """`socket.getaddrinfo` takes None for this very host, and a number or bytes for a name."""
    proxies = (HttpProxy("h", 1), Socks4Proxy("h", 1), Socks5Proxy("h", 1))

    async def connect_in_a_way_of_my_own(host: str, port: int) -> Transport:
        raise AssertionError(f"it was asked for {host!r}")

    for entry in (
        create_transport(host, 80),
        create_transport(host, 80, proxy=coroutine(connect_in_a_way_of_my_own)),
        create_connection(host, 80),
        create_connection(host, 80, resolver=addresses(1)),
        create_connection("127.0.0.1", 80, local_address=(host, 0)),
        open_datagram(peer_address=(host, 80)),
        open_datagram(peer_address=(host, 80), resolver=addresses(1)),
        open_datagram(local_address=(host, 0)),
        listen([host]),
        *(proxy(host, 80) for proxy in proxies),
    ):
        with pytest.raises(TypeError, match=re.escape(f"host must be a str, got {host!r}")):
            run(entry)
    for kind in (HttpProxy, Socks4Proxy, Socks5Proxy):
        with pytest.raises(TypeError, match=re.escape(f"host must be a str, got {host!r}")):
            kind(host, 80)


@pytest.mark.parametrize("host", [b"localhost", 5, ("127.0.0.1",)])
def test_a_look_up_of_the_wrong_type_is_named(host: Any) -> None:
    for ask in (getaddrinfo(host, 80), getnameinfo((host, 80))):
        with pytest.raises(TypeError, match=re.escape(f"host must be a str, got {host!r}")):
            run(ask)


def test_only_a_literal_address_can_be_asked_for_its_name() -> None:
    for host in ("localhost", "x.invalid", "1.2.3.4.5", "é", "fe80::1%no-such-device"):
        refused = re.escape(f"the name of a literal address can be asked for, got {host!r}")
        with pytest.raises(ValueError, match=refused):
            run(getnameinfo((host, 80)))
    with pytest.raises(TypeError, match="is a host and a port, got '/run/socket'"):
        run(getnameinfo("/run/socket"))
    with pytest.raises(ValueError, match="port must be between 0 and 65535, got 65536"):
        run(getnameinfo(("127.0.0.1", 65536)))
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    assert run(getnameinfo(("::1", 80, 0, 0), flags=numeric)) == ("::1", "80")


@pytest.mark.parametrize("port", [-1, 0, 65536, 80_000_000_000])
def test_a_bad_port_is_named(port: int) -> None:
    with pytest.raises(ValueError, match=f"port must be between 1 and 65535, got {port}"):
        run(create_transport("127.0.0.1", port))


@pytest.mark.parametrize("port", ["80", None, True, 80.0])
def test_a_port_of_the_wrong_type_is_named(port: object) -> None:
    with pytest.raises(TypeError, match=f"port must be an int, got {port!r}"):
        run(create_transport("127.0.0.1", port))  # type: ignore[arg-type]  # the point of the test


# -- connecting --------------------------------------------------------------------------------


def test_a_refused_connection_names_host_address_and_reason() -> None:
    port = refusing_port()
    with pytest.raises(ConnectError, match=f"cannot connect to localhost:{port}: ") as caught:
        run(create_transport("localhost", port))
    assert f"127.0.0.1:{port}: Connection refused" in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_every_address_that_failed_is_listed() -> None:
    ports = (refusing_port(), refusing_port())
    with pytest.raises(ConnectError) as caught:
        run(create_connection("x.example", 80, resolver=addresses(*ports)))
    assert caught.value.target == "x.example:80"
    assert [address for address, _ in caught.value.failures] == [
        f"127.0.0.1:{port}" for port in ports
    ]
    assert all(error.errno == errno.ECONNREFUSED for _, error in caught.value.failures)
    assert caught.value.__cause__ is caught.value.failures[0][1]


def test_connect_closes_the_socket_when_it_fails() -> None:
    sock = socket.socket()
    with pytest.raises(ConnectError, match="Connection refused"):
        run(connect(sock, ("127.0.0.1", refusing_port())))
    assert sock.fileno() == -1


def test_a_cancelled_connect_leaves_no_socket() -> None:
    """The original leaked it. That no descriptor stays behind is checked after every test."""

    async def main(port: int) -> None:
        sock = socket.socket()
        with move_on_after(0.01) as scope:
            await connect(sock, ("127.0.0.1", port))
        assert scope.cancelled_caught
        assert sock.fileno() == -1
        for resolver in (addresses(port), addresses(port, port, port)):
            with move_on_after(0.02) as scope:
                await create_connection("x", 80, resolver=resolver, attempt_delay=0.005)
            assert scope.cancelled_caught

    with swallowing_port() as port:
        run(main(port))


@pytest.mark.parametrize("port_count", [1, 2])
def test_a_delay_that_cannot_be_is_refused_before_anything_is_tried(port_count: int) -> None:
    asked: list[str] = []

    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        asked.append(host)
        return await addresses(*[1] * port_count)(host, port, family=family)

    with pytest.raises(ValueError, match="attempt_delay must be at least 0 seconds, got -1"):
        run(create_connection("x", 80, resolver=resolve, attempt_delay=-1))
    assert not asked


def test_a_failure_starts_the_next_attempt_at_once() -> None:
    @coroutine
    def main() -> Gen[int]:
        listener = yield from listen("127.0.0.1")
        resolver = addresses(refusing_port(), refusing_port(), listener.port)
        started = time.monotonic()
        sock = yield from create_connection("x", 80, resolver=resolver, attempt_delay=100)
        assert time.monotonic() - started < 50
        port: int = sock.getpeername()[1]
        assert port == listener.port
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()
        listener.close()
        return port

    run(main())


def test_an_address_that_hangs_is_overtaken_and_closed() -> None:
    @coroutine
    def main(hanging: int) -> Gen[None]:
        listener = yield from listen("127.0.0.1")
        resolver = addresses(hanging, hanging, listener.port)
        started = time.monotonic()
        sock = yield from create_connection("x", 80, resolver=resolver, attempt_delay=0.02)
        assert 0.04 <= time.monotonic() - started < 50  # the kernel's own limit is minutes
        assert sock.getpeername()[1] == listener.port
        sock.close()
        listener.close()

    with swallowing_port() as port:
        run(main(port))


def test_nothing_listens_at_port_0() -> None:
    with pytest.raises(ValueError, match="port must be between 1 and 65535, got 0"):
        run(create_connection("127.0.0.1", 0))


def test_families_alternate_beginning_with_the_first() -> None:
    from tulip_net._connect import interleave

    def info(family: socket.AddressFamily, host: str) -> AddressInfo:
        return (family, socket.SOCK_STREAM, 0, "", (host, 80))

    six = [info(socket.AF_INET6, f"::{number}") for number in range(3)]
    four = [info(socket.AF_INET, "127.0.0.1")]
    assert list(interleave([*six, *four])) == [six[0], four[0], six[1], six[2]]
    assert list(interleave([*four, *six])) == [four[0], six[0], six[1], six[2]]


def test_the_attempts_alternate_between_the_families() -> None:
    """As RFC 8305 section 4 has it, so that a family that is broken costs one attempt at a time."""
    ports = [refusing_port() for _ in range(4)]
    families = [socket.AF_INET6, socket.AF_INET6, socket.AF_INET6, socket.AF_INET]
    hosts = ["::1", "::1", "::1", "127.0.0.1"]

    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        return [
            (family, socket.SOCK_STREAM, 0, "", (host, port))
            for family, host, port in zip(families, hosts, ports, strict=True)
        ]

    with pytest.raises(ConnectError) as caught:
        run(create_connection("x.example", 80, resolver=resolve))
    tried = [int(address.rpartition(":")[2]) for address, _ in caught.value.failures]
    assert tried == [ports[0], ports[3], ports[1], ports[2]]


def test_the_local_address_can_be_chosen() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        sock = await create_connection("127.0.0.1", listener.port, local_address=("127.0.0.2", 0))
        assert sock.getsockname()[0] == "127.0.0.2"
        sock.close()
        with pytest.raises(ConnectError, match="Cannot assign requested address"):
            await create_connection("127.0.0.1", listener.port, local_address=("192.0.2.1", 0))
        listener.close()

    run(main())


def both_families() -> Resolver:
    """A resolver whose every name has an IPv6 address and, after that, an IPv4 address."""

    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        return [*await getaddrinfo("::1", port), *await getaddrinfo("127.0.0.1", port)]

    return resolve


def test_a_local_address_chooses_the_family() -> None:
    """An address that cannot be reached from there is none; it does not end the attempt."""

    async def main() -> None:
        listener = await listen("127.0.0.1")
        resolver = both_families()
        sock = await create_connection(
            "x", listener.port, local_address=("127.0.0.1", 0), resolver=resolver
        )
        assert sock.getpeername() == listener.addresses[0]
        sock.close()
        with pytest.raises(ResolveError, match=r"'::1': no address in the family of 127.0.0.1:0"):
            await create_connection("::1", listener.port, local_address=("127.0.0.1", 0))
        listener.close()

    run(main())


def test_a_resolver_that_knows_nothing_is_a_resolve_error() -> None:
    with pytest.raises(ResolveError, match="cannot resolve 'x': no address"):
        run(create_connection("x", 80, resolver=addresses()))
    with pytest.raises(ResolveError, match=r"cannot resolve 'x': no address$"):
        run(create_connection("x", 80, resolver=addresses(), local_address=("127.0.0.1", 0)))
    with pytest.raises(ResolveError, match="cannot resolve 'x': no address"):
        run(open_datagram(peer_address=("x", 80), resolver=addresses()))


def test_ten_thousand_addresses_are_not_tried_by_one_who_was_cancelled() -> None:
    async def main(port: int) -> None:
        task = create_task(
            create_connection("x", 80, resolver=addresses(*[port] * 50), attempt_delay=0.001)
        )
        await sleep(0.02)
        task.cancel()
        await task.wait()
        assert task.cancelled()

    with swallowing_port() as port:
        run(main(port))


@pytest.mark.parametrize("tls", [False, True])
def test_create_transport_connects_plain_or_over_tls(certificates: Certificates, tls: bool) -> None:
    async def main() -> None:
        listener = await listen("localhost")
        server = create_task(
            serve(echo, listener, ssl=certificates.server_context() if tls else None)
        )
        context = certificates.client_context() if tls else False
        transport = await create_transport("localhost", listener.port, ssl=context)
        await transport.send(b"there and back")
        assert await transport.recv(99) == b"there and back"
        await transport.aclose()
        listener.close()
        await server

    run(main())


def test_a_server_hostname_without_tls_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="server_hostname='x' is of no use without ssl"):
        run(create_transport("127.0.0.1", 80, server_hostname="x"))
