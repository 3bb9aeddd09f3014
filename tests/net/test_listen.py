"""Accepting and serving: many sockets, no descriptors left, and an end in good order."""

import errno
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.net.echoing import echo
from tests.opponents.certificates import Certificates
from tulip_net import (
    BusyError,
    Cancelled,
    ClosedError,
    Gen,
    Listener,
    ResolveError,
    SocketTransport,
    Transport,
    coroutine,
    create_connection,
    create_task,
    create_transport,
    fail_after,
    listen,
    run,
    serve,
    sleep,
)
from tulip_sched.testing import virtual_time


def client(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port))


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process open only so many more files."""
    probe = os.dup(0)
    os.close(probe)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_accept_gives_transports_in_order() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        clients = [client(listener) for _ in range(3)]
        for sock in clients:
            transport = await listener.accept()
            assert transport.peer_address == sock.getsockname()
            transport.close()
            sock.close()
        listener.close()

    run(main())


def test_a_listener_on_several_sockets_accepts_on_each() -> None:
    async def main() -> None:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        listener = Listener(sockets)
        for sock in (*sockets, *sockets[::-1]):
            accepting = create_task(listener.accept())
            await sleep(0.001)
            with socket.create_connection(sock.getsockname()) as peer:
                with fail_after(5):
                    transport = await accepting
                assert transport.local_address == peer.getpeername()
                transport.close()
        accepting = create_task(listener.accept())
        await sleep(0.001)
        listener.close()
        with pytest.raises(ClosedError):
            await accepting

    run(main())


def test_all_addresses_of_a_name_share_one_port() -> None:
    async def main() -> None:
        listener = await listen(None)
        assert {address[1] for address in listener.addresses} == {listener.port}
        client(listener).close()
        (await listener.accept()).close()
        listener.close()

    run(main())


class WithoutIpv6(socket.socket):
    """A socket as a kernel makes them that was started with ``ipv6.disable=1``."""

    def __init__(
        self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None
    ) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        super().__init__(family, kind, proto, fileno)


@pytest.mark.parametrize("host", [8080, b"localhost", 5.0, ["127.0.0.1", 8080]], ids=repr)
def test_a_host_of_the_wrong_type_is_named(host: Any) -> None:
    """The port alone, most likely."""
    value = host[1] if isinstance(host, list) else host
    with pytest.raises(TypeError, match=f"host must be a str.* got {value!r}"):
        run(listen(host))


def test_where_there_is_no_ipv6_the_other_addresses_are_listened_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        monkeypatch.setattr(socket, "socket", WithoutIpv6)
        with await listen() as listener:
            assert [len(address) for address in listener.addresses] == [2]
        with pytest.raises(OSError, match=r"cannot listen on \[::1\]:0: Address family not"):
            await listen("::1")

    run(main())


def test_closing_wakes_whoever_accepts() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        accepting = create_task(listener.accept())
        await sleep(0)
        with pytest.raises(BusyError):
            await listener.accept()
        listener.close()
        listener.close()
        assert listener.closed
        with pytest.raises(ClosedError):
            await accepting
        with pytest.raises(ClosedError):
            await listener.accept()

    run(main())


def test_a_cancelled_accept_loses_no_connection() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        for _ in range(10):
            accepting = create_task(listener.accept())
            await sleep(0)
            with client(listener) as sock:
                accepting.cancel()
                await accepting.wait()
                transport = accepting.result() if not accepting.cancelled() else None
                if transport is None:
                    transport = await listener.accept()
                assert transport.peer_address == sock.getsockname()
                transport.close()
        listener.close()

    run(main())


def test_a_taken_port_is_named() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{listener.port}") as caught:
            await listen("127.0.0.1", listener.port)
        assert caught.value.errno == errno.EADDRINUSE
        listener.close()
        with pytest.raises(ResolveError):
            await listen("no-such-host.invalid", 0)
        with pytest.raises(ValueError, match="port must be between 0 and 65535, got 70000"):
            await listen("127.0.0.1", 70000)

    run(main())


def test_a_dropped_listener_warns_and_closes() -> None:
    async def main() -> None:
        holder = [await listen("127.0.0.1")]
        with pytest.warns(ResourceWarning, match="<Listener on 127.0.0.1.*dropped without"):
            holder.clear()

    run(main())


def test_running_out_of_descriptors_pauses_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        clients = [client(listener) for _ in range(3)]
        accepted: list[SocketTransport] = []

        async def accept_all() -> None:
            while len(accepted) < len(clients):
                accepted.append(await listener.accept())

        with descriptors_left(1):
            accepting = create_task(accept_all())
            await sleep(0.25)
            assert len(accepted) == 1
            assert not accepting.done()
        with fail_after(5):
            await accepting
        listener.close()
        for transport in accepted:
            transport.close()
        for sock in clients:
            sock.close()

    run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "pauses: [Errno 24] Too many open files" in caplog.text


# -- serving -----------------------------------------------------------------------------------


def test_handlers_run_side_by_side_and_end_in_good_order() -> None:
    """A closed listener lets the handlers finish what they are doing."""

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(echo, listener))
        port = listener.port
        transports = [await create_transport("127.0.0.1", port) for _ in range(5)]
        for transport in reversed(transports):
            await transport.send(b"x")
            assert await transport.recv(1) == b"x"
        listener.close()
        await sleep(0.001)
        for transport in transports:
            await transport.send(b"y")
            assert await transport.recv(1) == b"y"
            assert not server.done()
            transport.close()
        with fail_after(5):
            await server

    run(main())


def test_after_the_grace_handlers_are_cancelled() -> None:
    ended: list[str] = []

    @coroutine
    def handler(transport: Transport) -> Gen[None]:
        try:
            yield from transport.recv(1)
        except Cancelled:
            ended.append("cancelled")
            raise

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(handler, listener, grace=0.02))
        sock = await create_connection("127.0.0.1", listener.port)
        await sleep(0.01)
        listener.close()
        with fail_after(5):
            await server
        sock.close()

    run(main())
    assert ended == ["cancelled"]


def test_a_cancelled_server_ends_its_handlers() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(echo, listener))
        transport = await create_transport("127.0.0.1", listener.port)
        await transport.send(b"x")
        await transport.recv(1)
        server.cancel()
        await server.wait()
        assert listener.closed
        assert await transport.recv(1) == b""
        transport.close()

    run(main())


def test_a_handler_that_fails_harms_only_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(transport: Transport) -> None:
        if await transport.recv(1) == b"!":
            raise LookupError("the handler's own")
        await transport.send(b"fine")

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(handler, listener))
        bad = await create_transport("127.0.0.1", listener.port)
        good = await create_transport("127.0.0.1", listener.port)
        await bad.send(b"!")
        assert await bad.recv(1) == b""
        await good.send(b"?")
        assert await good.recv(99) == b"fine"
        listener.close()
        await server
        good.close()
        bad.close()

    run(main())
    assert "LookupError: the handler's own" in caplog.text


def test_connections_over_the_cap_wait() -> None:
    active, most = 0, 0

    async def handler(transport: Transport) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await transport.recv(1)
        active -= 1

    async def main() -> None:
        listener = await listen("127.0.0.1")
        server = create_task(serve(handler, listener, max_connections=2))
        clients = [client(listener) for _ in range(6)]
        await sleep(0.02)
        assert active == 2
        for sock in clients:
            sock.send(b"x")
            await sleep(0.002)
        listener.close()
        with fail_after(5):
            await server
        for sock in clients:
            sock.close()

    run(main())
    assert (active, most) == (0, 2)


def test_a_client_that_never_shakes_hands_costs_only_itself(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tulip_net")

    async def main() -> None:
        listener = await listen("127.0.0.1")
        context = certificates.server_context()
        server = create_task(serve(echo, listener, ssl=context, handshake_timeout=0.1))
        silent, garbled = client(listener), client(listener)
        garbled.send(b"GET / HTTP/1.1\r\n\r\n")
        transport = await create_transport(
            "127.0.0.1", listener.port, ssl=certificates.client_context()
        )
        await transport.send(b"x")
        assert await transport.recv(1) == b"x"
        await transport.aclose()
        await sleep(0.15)
        listener.close()
        await server
        assert silent.recv(1) == b""
        silent.close()
        garbled.close()

    with virtual_time():  # or a busy machine's good client is late as well
        run(main())
    assert "timed out after 0.1 seconds" in caplog.text
    assert "http request" in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
