"""TLS that does not come to begin: no descriptor is left, and the error is ours."""

import socket
import ssl
import struct
import sys
from typing import Any

import pytest

from tests.net.pairs import memory, tcp
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    BusyError,
    ClosedError,
    TlsError,
    create_task,
    create_transport,
    fail_after,
    listen,
    run,
    sleep,
    start_tls,
)
from tulip_net._typing import override
from tulip_net.testing import MakePair


class Late(ssl.SSLContext):
    """A context whose peer resets the connection in the moment in which it is wrapped."""

    peer: socket.socket

    @override
    def wrap_bio(self, *args: object, **options: object) -> ssl.SSLObject:
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()
        return super().wrap_bio(*args, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("said", [b"", b"something"])
@pytest.mark.parametrize("server_side", [False, True])
def test_a_reset_just_before_the_handshake(said: bytes, server_side: bool) -> None:
    """CPython's `wrap_socket` then loses its descriptor: the garbage collector would warn."""

    async def main() -> None:
        context = Late(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        ours, theirs = await tcp()
        await theirs.send(said)
        await sleep(0.001)
        context.peer = theirs.detach()  # type: ignore[attr-defined]
        name = None if server_side else "localhost"
        with pytest.raises(BrokenError):
            await start_tls(ours, context, server_side=server_side, server_hostname=name)
        with pytest.raises(ClosedError):
            await ours.recv(1)

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
@pytest.mark.parametrize(
    "name",
    ["x" * 64 + ".example", "null\0byte", ".example", "two..dots", b"localhost", 5],
    ids=repr,
)
def test_a_name_that_cannot_be(certificates: Certificates, make_pair: MakePair, name: Any) -> None:
    """A caller's mistake is found before the connection is given away: it is still the caller's."""

    async def main() -> None:
        ours, theirs = await make_pair()
        wrong = r"^server_hostname(=.* is no name| must be a str, got )"
        with pytest.raises((ValueError, TypeError), match=wrong):
            await start_tls(ours, certificates.client_context(), server_hostname=name)
        await theirs.send(b"unharmed")
        with ours, theirs:
            assert await ours.recv(100) == b"unharmed"

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_a_session_that_is_none(certificates: Certificates, make_pair: MakePair) -> None:
    """What is found later closes the connection that was given away, and leaves nothing open."""

    async def main() -> None:
        ours, theirs = await make_pair()
        session: ssl.SSLSession = "none"  # type: ignore[assignment]
        with pytest.raises((TypeError, ValueError)):
            await start_tls(
                ours, certificates.client_context(), server_hostname="localhost", session=session
            )
        with pytest.raises(ClosedError):
            await ours.recv(1)
        theirs.close()

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a reset destroys what has come")
def test_a_server_that_makes_no_sense_and_is_gone(certificates: Certificates) -> None:
    """What it said is the error, not that nobody is there to be told of it."""

    async def main() -> None:
        ours, theirs = await tcp()
        context = certificates.client_context()
        starting = create_task(start_tls(ours, context, server_hostname="localhost"))
        await sleep(0.001)
        await theirs.send(b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00")  # ServerHelloDone
        theirs.close()  # with something unread: a reset
        with pytest.raises(TlsError, match="unexpected message"):
            await starting

    run(main())


def test_a_transport_somebody_waits_on_is_left_alone(certificates: Certificates) -> None:
    async def main() -> None:
        ours, theirs = await tcp()
        waiting = create_task(ours.recv(100))
        await sleep(0)
        with pytest.raises(BusyError):
            await start_tls(ours, certificates.client_context(), server_hostname="localhost")
        await theirs.send(b"unharmed")
        assert await waiting == b"unharmed"
        ours.close()
        theirs.close()

    run(main())


def test_create_transport_closes_what_it_connected(certificates: Certificates) -> None:
    """Nobody else could; the listener's side then sees the end."""

    async def main() -> None:
        with await listen("127.0.0.1") as listener:
            with pytest.raises(ValueError, match="is no name"):
                await create_transport(
                    "127.0.0.1",
                    listener.port,
                    ssl=certificates.client_context(),
                    server_hostname="two..dots",
                )
            with await listener.accept() as accepted, fail_after(5):
                assert await accepted.recv(1) == b""

    run(main())


@pytest.mark.parametrize("closing_timeout", [-1, float("nan")])
def test_a_closing_timeout_that_cannot_be(
    certificates: Certificates, closing_timeout: float
) -> None:
    """The handshake would be done by the time that `aclose` finds out."""

    async def main() -> None:
        ours, theirs = await memory()
        context = certificates.client_context()
        told = f"closing_timeout must be at least 0 seconds, got {closing_timeout}"
        with fail_after(5), pytest.raises(ValueError, match=told):
            await start_tls(
                ours, context, server_hostname="localhost", closing_timeout=closing_timeout
            )
        await ours.send(b"still the caller's")
        assert await theirs.recv(100) == b"still the caller's"
        ours.close()
        theirs.close()

    run(main())
