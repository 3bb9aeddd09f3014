"""Servers before clients that come, go, and are cancelled in any order: the books agree at the end.

No more connections at once than are allowed, no handler outlives the server, every listener is
closed, and no descriptor, task or registration is left. Sockets are real, time is not.
"""

import os
import socket
import struct
from collections import Counter
from contextlib import suppress
from random import Random

from tests.guards.leftovers import open_descriptors
from tests.opponents.certificates import Certificates
from tests.seeds import every_seed, telling
from tulip_net import (
    ClosedError,
    Listener,
    NetError,
    SocketTransport,
    Task,
    Transport,
    create_task,
    create_transport,
    create_unix_transport,
    current_context,
    fail_after,
    listen,
    listen_unix,
    move_on_after,
    run,
    serve,
    shield,
    sleep,
    wait_all,
)
from tulip_sched.testing import virtual_time

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
DROP_IT = struct.pack("ii", 1, 0)  # SO_LINGER: a close resets the connection


class Evening:
    """One server, from its opening to its end, and its guests.

    Args:
        seed: Decides everything.
        certificates: For those that speak TLS.
    """

    def __init__(self, seed: int, certificates: Certificates) -> None:
        self.luck = luck = Random(seed)
        self.certificates = certificates
        self.tls = luck.random() < 0.4
        self.hosts = HOSTS[: luck.choice([1, 1, 2, 3])]
        self.path = f"\0tulip-evening-{os.getpid()}-{seed}" if luck.random() < 0.3 else None
        self.most = luck.choice([None, None, 1, 2, 3])
        self.grace = luck.choice([0, 0.001, 0.01, None])
        self.stubborn = luck.random() < 0.5
        self.now = self.peak = 0
        self.ended: Counter[str] = Counter()
        settings = (self.tls, self.hosts, self.path, self.most, self.grace)
        self.history: list[str] = [f"tls, hosts, path, most, grace: {settings}"]

    async def run(self) -> None:
        listeners = [await listen(self.hosts)]
        if self.path is not None:
            listeners.append(await listen_unix(self.path))
        server = create_task(
            serve(
                self.handle,
                *listeners,
                ssl=self.certificates.server_context() if self.tls else None,
                max_connections=self.most,
                grace=self.grace,
                handshake_timeout=self.luck.choice([None, 0.02, 5]),
            )
        )
        port = listeners[0].port
        guests = [create_task(self.visit(port)) for _ in range(self.luck.choice([1, 3, 10, 20]))]
        await sleep(self.luck.choice([0, 0, 0.001, 0.01, 0.03]))
        await self.end(server, listeners, guests)
        with fail_after(30):
            await wait_all(guests)
            await server.wait()
        for task in [*guests, server]:
            if not task.cancelled():
                task.result()
        assert self.peak <= (self.most or self.peak)
        assert self.now == 0, "a handler is still at it"
        assert all(listener.closed for listener in listeners)
        assert not current_context().watches

    async def end(
        self, server: Task[None], listeners: list[Listener], guests: list[Task[None]]
    ) -> None:
        """Stop the server in one of the ways there are."""
        way = self.luck.randrange(5)
        self.history.append(f"stopped in way {way}")
        match way:
            case 0:
                server.cancel()
            case 1:
                server.cancel()
                await sleep(0)
                server.cancel()
            case 2:
                close_all(listeners)
                await sleep(self.luck.choice([0, 0.002]))
                server.cancel()
            case 3:
                close_all(listeners[:1])
                await sleep(0.001)
                close_all(listeners)
            case 4:
                await wait_all(guests)
                with fail_after(30), suppress(NetError):
                    await self.come_late(listeners[0].port)
                close_all(listeners)

    async def handle(self, transport: Transport) -> None:
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            await self.entertain(transport)
        finally:
            self.now -= 1

    async def entertain(self, transport: Transport) -> None:
        mode = self.luck.randrange(6)
        self.history.append(f"a guest, treated in way {mode}")
        match mode:
            case 0:
                raise LookupError("part of the program")
            case 1:
                return
            case 2:
                await sleep(self.luck.random() * 0.01)
            case 3:
                transport.close()
                return
            case 4 if self.stubborn:
                with shield():
                    await sleep(0.01)
        while data := await transport.recv(1000):
            await transport.send(data)
            if mode == 5:
                await transport.send_eof()
                return

    async def visit(self, port: int) -> None:
        how = self.luck.randrange(8)
        try:
            with (
                move_on_after(self.luck.choice([0, 0.001, 0.005, 0.05, 0.2])),
                await self.connect(port, plainly=how == 0) as transport,
            ):
                await self.talk(transport, how)
        except (NetError, ClosedError, OSError) as error:
            self.ended[type(error).__name__] += 1

    async def come_late(self, port: int) -> None:
        """Come when all others have left, and stay until the server has had enough."""
        with await self.connect(port, plainly=False) as transport:
            await transport.send_eof()
            while await transport.recv(1000):
                pass

    async def connect(self, port: int, *, plainly: bool) -> Transport:
        if self.path is not None and self.luck.random() < 0.4:
            return await create_unix_transport(self.path)
        host = self.luck.choice(self.hosts)
        if not self.tls or plainly:
            return await create_transport(host, port)
        context = self.certificates.client_context()
        return await create_transport(host, port, ssl=context, server_hostname="localhost")

    async def talk(self, transport: Transport, how: int) -> None:
        if how == 1 and isinstance(transport, SocketTransport):
            with transport.detach() as sock, suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DROP_IT)
            return
        if how == 2:
            return
        await transport.send(bytes(self.luck.choice([1, 100, 100_000])))
        if how == 3:
            return
        await transport.recv(100)
        if how == 4:
            await transport.send_eof()
        elif how == 5:
            await transport.aclose()


def close_all(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.close()


@every_seed(20)
def test_an_evening_of_a_server(seed: int, certificates: Certificates) -> None:
    before = len(open_descriptors())
    for each in range(100 * seed, 100 * seed + 3):
        evening = Evening(each, certificates)
        with telling(each, evening.history), virtual_time():
            run(evening.run())
    assert len(open_descriptors()) == before
