"""Options of sockets, asked of the transports over them."""

import os
import socket
import struct

import pytest

from tests.opponents.certificates import Certificates
from tulip_net import (
    ClosedError,
    DatagramTransport,
    SocketTransport,
    SslTransport,
    Task,
    client_context,
    create_task,
    create_transport,
    listen,
    open_datagram,
    run,
    server_context,
    start_tls,
)

KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_an_option_is_set_and_asked_for() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        accepting = create_task(listener.accept())
        with await create_transport("127.0.0.1", listener.port) as client, await accepting as there:
            assert isinstance(client, SocketTransport)
            for each in (client, there):
                assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert not each.getsockopt(*KEEPALIVE)
                each.setsockopt(*KEEPALIVE, 1)
                assert each.getsockopt(*KEEPALIVE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert struct.unpack(
                "ii", client.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            ) == (1, 0)
        listener.close()

    run(main())


def test_the_other_end_of_a_unix_socket_says_who_it_is() -> None:
    async def main() -> None:
        ours, theirs = map(SocketTransport, socket.socketpair())
        with ours, theirs:
            answer = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            assert struct.unpack("3i", answer) == (os.getpid(), os.getuid(), os.getgid())

    run(main())


def test_datagrams_have_options_too() -> None:
    async def main() -> None:
        async with await open_datagram(local_address=("127.0.0.1", 0)) as transport:
            transport.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 5)
            assert transport.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 5

    run(main())


def test_those_of_tls_are_below_it(certificates: Certificates) -> None:
    async def main() -> None:
        ours, theirs = map(SocketTransport, socket.socketpair())
        context = client_context(authority=certificates.authority_file)
        ours_too = server_context(certificates.server_file)
        accepting = Task(start_tls(theirs, ours_too, server_side=True))
        accepting.start()
        client = await start_tls(ours, context, server_hostname="localhost")
        assert isinstance(client, SslTransport)
        assert client.inner is ours
        with client, await accepting:
            assert not client.inner.getsockopt(*KEEPALIVE)

    run(main())


@pytest.mark.parametrize("kind", [SocketTransport, DatagramTransport])
def test_what_is_refused(kind: type[SocketTransport] | type[DatagramTransport]) -> None:
    async def main() -> None:
        stream = kind is SocketTransport
        ours, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        )
        transport = kind(ours)
        named = f"cannot set option 9999 of level 1 of <{kind.__name__}"
        with pytest.raises(OSError, match=named):
            transport.setsockopt(1, 9999, 1)
        with pytest.raises(OSError, match=r"cannot ask for option 9999 of level 1 of .*: Prot"):
            transport.getsockopt(1, 9999)
        for size in (0, 1025):
            with pytest.raises(ValueError, match=f"1 to 1024 bytes, got size={size}"):
                transport.getsockopt(*KEEPALIVE, size)
        transport.close()
        with pytest.raises(ClosedError, match="has no options any more"):
            transport.setsockopt(*KEEPALIVE, 1)
        with pytest.raises(ClosedError, match="has no options any more"):
            transport.getsockopt(*KEEPALIVE)
        theirs.close()

    run(main())
