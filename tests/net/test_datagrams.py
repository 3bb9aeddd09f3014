"""UDP and Unix datagrams, among ourselves and with socat."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.opponents.need import program
from tests.opponents.proxies import stop
from tulip_net import (
    AddressInfo,
    BrokenError,
    BusyError,
    ClosedError,
    ConnectError,
    DatagramTransport,
    Gen,
    ResolveError,
    coroutine,
    create_task,
    fail_after,
    listen,
    move_on_after,
    open_datagram,
    run,
    sleep,
)


def free_udp_port() -> int:
    """A loopback port at which nobody receives."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def socat(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [program("socat", package="socat"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            stop(process)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_to_and_fro(host: str) -> None:
    @coroutine
    def main() -> Gen[None]:
        server = yield from open_datagram(local_address=(host, 0))
        client = yield from open_datagram(peer_address=(host, server.port), family=server_family())
        yield from client.send(b"question")
        data, address = yield from server.recv_from()
        assert (data, address) == (b"question", client.local_address)
        yield from server.send_to(bytearray(b"answer"), address)
        assert (yield from client.recv()) == b"answer"
        assert client.peer_address == server.local_address
        assert server.peer_address is None
        client.close()
        server.close()

    def server_family() -> int:
        return socket.AF_INET6 if ":" in host else socket.AF_UNSPEC

    run(main())


def test_an_ipv4_address_as_ipv6_writes_it() -> None:
    async def main() -> None:
        mapped = "::ffff:127.0.0.1"
        async with (
            await open_datagram(local_address=("127.0.0.1", 0)) as server,
            await open_datagram(peer_address=(mapped, server.port)) as connected,
            await open_datagram(local_address=(mapped, 0)) as bound,
        ):
            await connected.send(b"to a peer")
            await bound.send_to(b"to an address", (mapped, server.port))
            assert await server.recv(100) == b"to a peer"
            data, address = await server.recv_from(100)
            assert (data, address) == (b"to an address", ("127.0.0.1", bound.port))

    run(main())


def test_datagrams_keep_their_bounds() -> None:
    async def main() -> None:
        server = await open_datagram(local_address=("127.0.0.1", 0))
        client = await open_datagram(family=socket.AF_INET)
        for data in (b"one", b"", bytes(65_507), b"four"):
            await client.send_to(data, server.local_address)
        assert [len(await server.recv()) for _ in range(3)] == [3, 0, 65_507]
        assert await server.recv(limit=2) == b"fo"
        with pytest.raises(ValueError, match="Message too long"):
            await client.send_to(bytes(65_508), server.local_address)
        client.close()
        server.close()

    run(main())


def test_a_connected_socket_hears_its_peer_only_and_is_told_that_nobody_is_there() -> None:
    async def main() -> None:
        port = free_udp_port()
        local, peer = ("127.0.0.1", 0), ("127.0.0.1", port)
        client = await open_datagram(local_address=local, peer_address=peer)
        stranger = await open_datagram(family=socket.AF_INET)
        await stranger.send_to(b"not for you", client.local_address)
        with move_on_after(0.01) as scope:
            await client.recv()
        assert scope.cancelled_caught
        await client.send(b"anybody?")
        with pytest.raises(BrokenError, match=rf"to 127.0.0.1:{port}.*Connection refused") as error:
            await client.recv()
        assert isinstance(error.value.__cause__, ConnectionRefusedError)
        # It was told once, and the transport works on.
        server = await open_datagram(local_address=("127.0.0.1", port))
        await client.send(b"now?")
        assert await server.recv() == b"now?"
        for each in (client, stranger, server):
            each.close()

    run(main())


def test_a_refusal_is_told_to_the_sender_too() -> None:
    async def main() -> None:
        client = await open_datagram(peer_address=("127.0.0.1", free_udp_port()))
        await client.send(b"anybody?")
        await sleep(0.005)
        with pytest.raises(BrokenError, match=r"sending on .*Connection refused"):
            await client.send(b"and now?")
        client.close()

    run(main())


def test_who_closes_after_a_datagram_and_receives_again_is_told() -> None:
    async def main() -> None:
        transport = await open_datagram(local_address=("127.0.0.1", 0))
        async with await open_datagram(peer_address=("127.0.0.1", transport.port)) as client:

            async def receive_and_close() -> None:
                assert await transport.recv() == b"x"
                transport.close()
                with pytest.raises(ClosedError):
                    await transport.recv()

            receiver = create_task(receive_and_close())
            await sleep(0.01)  # it waits
            await client.send(b"x")
            with fail_after(5):
                await receiver

    run(main())


def test_one_receiver_and_a_close_that_wakes_it() -> None:
    async def main() -> None:
        transport = await open_datagram(local_address=("127.0.0.1", 0))
        first = create_task(transport.recv())
        await sleep(0)
        with pytest.raises(BusyError):
            await transport.recv_from()
        transport.close()
        transport.close()
        with pytest.raises(ClosedError):
            await first
        for use in (transport.recv(), transport.send(b""), transport.send_to(b"", ("::1", 1))):
            with pytest.raises(ClosedError):
                await use
        assert repr(transport) == "<DatagramTransport closed>"

    run(main())


def test_a_cancelled_receive_takes_no_datagram() -> None:
    async def main() -> None:
        server = await open_datagram(local_address=("127.0.0.1", 0))
        client = await open_datagram(peer_address=("127.0.0.1", server.port))
        for number in range(50):
            task = create_task(server.recv())
            await sleep(0)
            await client.send(bytes([number]))
            for _ in range(number % 3):
                await sleep(0)
            task.cancel()
            await task.wait()
            received = await server.recv() if task.cancelled() else task.result()
            assert received == bytes([number])
        client.close()
        server.close()

    run(main())


def test_a_flood_leaves_others_their_turns() -> None:
    async def main() -> None:
        server = await open_datagram(local_address=("127.0.0.1", 0))
        client = await open_datagram(peer_address=("127.0.0.1", server.port))
        turns = 0

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await sleep(0)

        other = create_task(take_turns())
        for _ in range(50):
            await client.send(b"x")
        before = turns
        for _ in range(50):
            await server.recv()
        assert turns - before >= 50
        other.cancel()
        await other.wait()
        client.close()
        server.close()

    run(main())


def test_unix_datagrams_wait_for_room() -> None:
    async def main() -> None:
        a, b = (DatagramTransport(sock) for sock in socket.socketpair(type=socket.SOCK_DGRAM))

        async def send_many() -> None:
            for number in range(1000):
                await a.send(number.to_bytes(2, "big") * 500)

        with pytest.raises(TypeError, match="has no port"):
            _ = a.port
        sender = create_task(send_many())
        await sleep(0.001)
        assert not sender.done()
        for number in range(1000):
            assert (await b.recv())[:2] == number.to_bytes(2, "big")
        await sender
        a.close()
        b.close()

    run(main())


def test_what_cannot_be_opened() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="needs a local or a peer address, or a family"):
            await open_datagram()
        with pytest.raises(ResolveError, match=r"no-such\.invalid"):
            await open_datagram(peer_address=("no-such.invalid", 53))
        with pytest.raises(OSError, match=r"cannot receive at 192\.0\.2\.1:0: Cannot assign"):
            await open_datagram(local_address=("192.0.2.1", 0))
        first = await open_datagram(local_address=("127.0.0.1", 0), reuse_port=True)
        second = await open_datagram(local_address=("127.0.0.1", first.port), reuse_port=True)
        with pytest.raises(OSError, match="Address already in use"):
            await open_datagram(local_address=("127.0.0.1", first.port))
        with pytest.raises(ValueError, match=r"'localhost' is not a numeric address"):
            await first.send_to(b"x", ("localhost", 1))
        with pytest.raises(ValueError, match=r"address required: send_to\(\) takes one"):
            await first.send(b"x")
        with pytest.raises(ValueError, match=r"sending to \[::1\]:1 on .*: Address family"):
            await first.send_to(b"x", ("::1", 1))
        first.close()
        second.close()

    run(main())
    with socket.socket() as stream, pytest.raises(ValueError, match="open datagram socket"):
        DatagramTransport(stream)


def test_broadcasting_has_to_be_allowed() -> None:
    async def main() -> None:
        address = ("127.255.255.255", free_udp_port())
        for allowed in (False, True):
            transport = await open_datagram(family=socket.AF_INET, broadcast=allowed)
            if allowed:
                await transport.send_to(b"x", address)
            else:
                with pytest.raises(BrokenError, match="Permission denied"):
                    await transport.send_to(b"x", address)
            transport.close()

    run(main())


def test_every_address_of_the_peer_is_tried() -> None:
    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        kind = socket.SOCK_DGRAM
        return [
            (socket.AF_INET, kind, 0, "", ("255.255.255.255", port)),  # needs a permission
            *([] if host == "one" else [(socket.AF_INET, kind, 0, "", ("127.0.0.1", port))]),
        ]

    async def main() -> None:
        with pytest.raises(ConnectError, match=r"cannot connect to one:9: 255.*Permission denied"):
            await open_datagram(peer_address=("one", 9), resolver=resolve)
        transport = await open_datagram(peer_address=("two", 9), resolver=resolve)
        assert transport.peer_address == ("127.0.0.1", 9)
        transport.close()

    run(main())


def test_addresses_that_do_not_go_with_ours_are_passed_over() -> None:
    @coroutine
    async def resolve(host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        kind, here = socket.SOCK_DGRAM, ("127.0.0.1", port)
        unknown = socket.AF_X25 if host == "unknown" else socket.AF_INET6
        return [(unknown, kind, 0, "", ("::1", port, 0, 0)), (socket.AF_INET, kind, 0, "", here)]

    async def main() -> None:
        local = ("127.0.0.1", 0)
        for remote, ours in ((("two", 9), local), (("unknown", 9), None)):
            opened = open_datagram(local_address=ours, peer_address=remote, resolver=resolve)
            with await opened as transport:
                assert transport.peer_address == ("127.0.0.1", 9)
        with pytest.raises(ResolveError, match=r"no address in the family of 127\.0\.0\.1:0"):
            await open_datagram(local_address=local, peer_address=("::1", 9))

    run(main())


def test_a_port_that_is_none_and_an_address_that_is_gone() -> None:
    async def main() -> None:
        transport = await open_datagram(local_address=("127.0.0.1", 0))
        for port in (-1, 65_536):
            with pytest.raises(ValueError, match="port must be between 0 and 65535"):
                await transport.send_to(b"x", ("127.0.0.1", port))
        transport.close()
        with pytest.raises(ClosedError, match="no address any more"):
            transport.local_address  # noqa: B018 - asked for its error
        with pytest.raises(ClosedError, match="no address any more"):
            transport.port  # noqa: B018
        listener = await listen("127.0.0.1")
        listener.close()
        with pytest.raises(ClosedError, match="no address any more"):
            listener.port  # noqa: B018

    run(main())


def test_a_dropped_transport_warns_and_closes() -> None:
    async def main() -> None:
        a, b = socket.socketpair(type=socket.SOCK_DGRAM)
        holder = [DatagramTransport(a)]
        with pytest.warns(ResourceWarning, match="dropped without a close"):
            holder.clear()
        assert a.fileno() < 0
        b.close()

    run(main())


def test_socat_answers() -> None:
    """It takes a while to start: until then the network says that nobody is there."""

    async def main(port: int) -> None:
        client = await open_datagram(peer_address=("127.0.0.1", port))
        answer = b""
        with fail_after(10):
            while not answer:
                try:
                    await client.send(b"there and back")
                    answer = await client.recv()
                except BrokenError:
                    await sleep(0.005)
        assert answer == b"there and back"
        client.close()

    port = free_udp_port()
    with socat(f"UDP4-LISTEN:{port},bind=127.0.0.1", "EXEC:cat"):
        run(main(port))


def test_socat_asks(tmp_path: Path) -> None:
    async def main() -> None:
        async with await open_datagram(local_address=("::1", 0)) as server:
            with socat("-", f"UDP6:[::1]:{server.port}") as process, fail_after(10):
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(b"a question")
                process.stdin.flush()
                data, address = await server.recv_from()
                assert data == b"a question"
                await server.send_to(b"the answer", address)
                assert process.stdout.read(10) == b"the answer"

    run(main())
