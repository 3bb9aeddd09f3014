"""Somebody on the line between two ends of TLS: changes, cuts, repeats, leaves out.

What a receiver is given is the beginning of what was sent; the end of the stream comes after all of
it, or not at all; and after an error it stays that.
"""

import random

import pytest

from tests.opponents.certificates import Certificates
from tests.seeds import every_seed, telling
from tulip_net import (
    BrokenError,
    ClosedError,
    TlsError,
    Transport,
    create_task,
    fail_after,
    move_on_after,
    run,
    start_tls,
    wait_all,
)
from tulip_net.testing import memory_pair
from tulip_sched.testing import virtual_time

DAMAGES = ["none", "flip", "insert", "double", "leave out", "cut", "close"]
SIZES = [0, 10, 20_000, 60_000]


class Line:
    """Carries bytes between two ends, and does harm once in one direction.

    Attributes:
        data: What the client sends, and what the server does.
        done: What the ends have come to.
    """

    def __init__(self, seed: int, damage: str, certificates: Certificates) -> None:
        self.luck = luck = random.Random(f"{seed} {damage}")
        self.damage = damage
        self.certificates = certificates
        self.where = luck.choice([luck.randint(0, 2500), luck.randint(0, 60_000)])
        self.data = [luck.randbytes(luck.choice(SIZES)) for _ in range(2)]
        self.done: list[str] = [f"{damage} at {self.where}"]

    async def run(self) -> None:
        ours, here = memory_pair(self.luck.choice([6000, 65536]))
        there, theirs = memory_pair(self.luck.choice([6000, 65536]))
        harmful = self.luck.randrange(2)
        carrying = [
            create_task(self.carry(here, there, harmful == 0)),
            create_task(self.carry(there, here, harmful == 1)),
        ]
        ends = [create_task(self.end(ours, 0)), create_task(self.end(theirs, 1))]
        with move_on_after(200) as scope:  # a length that was changed is waited for
            await wait_all(ends)
        for end in ends:
            end.cancel()
        await wait_all(ends)
        for transport in (ours, here, there, theirs):
            transport.close()
        await wait_all(carrying)
        for task in [*carrying, *ends]:
            if not task.cancelled():
                task.result()
        assert not (scope.cancelled_caught and self.damage == "none")

    async def carry(self, source: Transport, sink: Transport, harmful: bool) -> None:
        carried = 0
        try:
            while data := await source.recv(self.luck.choice([1, 5, 100, 2000, 70_000])):
                at = self.where - carried
                carried += len(data)
                if harmful and 0 <= at < len(data):
                    data = self.harm(data, at)
                    await sink.send(data)
                    if self.damage == "close":
                        source.close()
                        sink.close()
                    elif self.damage == "cut":
                        await sink.send_eof()
                        while await source.recv(1000):
                            pass
                        return
                else:
                    await sink.send(data)
            await sink.send_eof()
        except (ClosedError, BrokenError):
            source.close()

    def harm(self, data: bytes, at: int) -> bytes:
        match self.damage:
            case "flip":
                changed = data[at] ^ 1 << self.luck.randrange(8)
                return data[:at] + bytes([changed]) + data[at + 1 :]
            case "insert":
                return data[:at] + self.luck.randbytes(self.luck.choice([1, 5, 400])) + data[at:]
            case "double":
                return data + data
            case "leave out":
                return data[:at] + data[at + 1 :]
            case "cut" | "close":
                return data[:at]
        return data

    async def end(self, plain: Transport, number: int) -> None:
        """Be an end: send all of its data, and receive what there is of the other's."""
        server_side = bool(number)
        context = self.certificates.server_context() if server_side else None
        try:
            transport = await start_tls(
                plain,
                context or self.certificates.client_context(),
                server_side=server_side,
                server_hostname=None if server_side else "localhost",
                closing_timeout=1,
            )
        except BrokenError as error:
            self.note(number, f"no handshake: {error!r}")
            assert self.damage != "none"
            return
        sending = create_task(self.send(transport, number))
        receiving = create_task(self.receive(transport, number))
        try:
            with move_on_after(30):
                await wait_all([sending, receiving])
        finally:
            for task in (sending, receiving):
                task.cancel()
            await wait_all([sending, receiving])
            with fail_after(10):
                await transport.aclose()
        for task in (sending, receiving):
            assert task.cancelled() <= (self.damage != "none")
            if not task.cancelled():
                task.result()

    async def send(self, transport: Transport, number: int) -> None:
        data = self.data[number]
        try:
            while data:
                count = self.luck.choice([1000, 5000, 30_000])
                await transport.send(data[:count])
                data = data[count:]
            await transport.send_eof()
        except BrokenError as error:
            self.note(number, f"sending: {error!r}")
            assert self.damage != "none"

    async def receive(self, transport: Transport, number: int) -> None:
        wanted, got = self.data[not number], 0
        try:
            while data := await transport.recv(self.luck.choice([10, 1000, 100_000])):
                assert wanted.startswith(data, got), "this was never sent"
                got += len(data)
            assert got == len(wanted), f"an end in good order after {got} of {len(wanted)}"
        except BrokenError as error:
            self.note(number, f"after {got} of {len(wanted)}: {error!r}")
            assert self.damage != "none"
            for _ in range(2):
                with pytest.raises(type(error) if isinstance(error, TlsError) else BrokenError):
                    await transport.recv(10)

    def note(self, number: int, what: str) -> None:
        self.done.append(f"{'server' if number else 'client'}: {what}")


@every_seed(8)
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_comes_was_sent_and_the_end_is_the_end(
    seed: int, damage: str, certificates: Certificates
) -> None:
    for each in range(4):
        line = Line(100 * seed + each, damage, certificates)
        with telling(100 * seed + each, line.done), virtual_time():
            run(line.run())
