"""A server that keeps to HTTP mostly, and does all it may at the most awkward moment, by a seed.

It answers early or late, in odd pieces, cut short or with more than was asked for, closes when it
likes, and says in each answer which request it is for. All times are multiples of one moment, so
that much happens at once.
"""

import gzip
from collections import Counter
from contextlib import suppress
from random import Random

from tests.opponents.certificates import Certificates
from tulip_http import Origin, Task, Transport, coroutine, create_task, sleep
from tulip_net import (
    BrokenError,
    BufferedReader,
    ClosedError,
    ConnectError,
    IncompleteReadError,
    NetError,
    start_tls,
)
from tulip_net.testing import memory_pair

MOMENT = 0.01
CAPACITIES = [70_000, 140_000, 1_000_000]
SIZES = [0, 8, 80, 800, 8000, 80_000]


def body_of(number: int, size: int) -> bytes:
    """Return the body of the answer to a request, that of no other one."""
    return b"%08d" % number * (size // 8)


class Moody:
    """The server.

    Args:
        luck: Decides everything.
        certificates: To speak TLS on every connection; ``None`` for none.

    Attributes:
        alive: How many connections it has.
        seen: How often each request's head has come.
    """

    def __init__(self, luck: Random, certificates: Certificates | None = None) -> None:
        self.luck = luck
        self.contexts = None
        if certificates is not None:
            server_context = certificates.server_context("h0", "h1")
            self.contexts = server_context, certificates.client_context()
        self.alive = 0
        self.seen: Counter[int] = Counter()

    def perhaps(self, chance: float) -> bool:
        return self.luck.random() < chance

    async def dawdle(self) -> None:
        await sleep(self.luck.choice([0, 0, 0, 1, 1, 2, 3]) * MOMENT)

    @coroutine
    async def connect(self, origin: Origin) -> Transport:
        if self.perhaps(0.5):
            await self.dawdle()
        if self.perhaps(0.03):
            raise ConnectError(str(origin), ())
        ours, theirs = memory_pair(self.luck.choice(CAPACITIES))
        Task(self._welcome(theirs), "moody").start()
        if self.contexts is None:
            return ours
        return await start_tls(ours, self.contexts[1], server_hostname=origin.host)

    @coroutine
    async def _welcome(self, transport: Transport) -> None:
        if self.contexts is None:
            await self._serve(transport)
            return
        await self.dawdle()
        with suppress(NetError), transport:
            if not self.perhaps(0.03):
                await self._serve(await start_tls(transport, self.contexts[0], server_side=True))

    @coroutine
    async def _serve(self, transport: Transport) -> None:
        self.alive += 1
        try:
            reader = BufferedReader(transport)
            while await self._exchange(reader, transport):
                pass
        except (BrokenError, IncompleteReadError):
            pass  # the client has gone
        finally:
            self.alive -= 1
            transport.close()

    async def _exchange(self, reader: BufferedReader, transport: Transport) -> bool:
        """Take a request and answer it; return whether the connection goes on."""
        if not await reader.peek():
            return False
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        method = first.split()[0]
        fields = dict(line.lower().split(": ", 1) for line in lines)
        number = int(fields["number"])
        self.seen[number] += 1
        early = self.perhaps(0.15)
        if "expect" in fields and not early:
            if self.perhaps(0.7):
                await transport.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            else:
                early = self.perhaps(0.5)
        if not early:
            await self._body(reader, fields)
        if self.perhaps(0.1):
            await transport.send(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n")
        if self.perhaps(0.05):
            return False
        message, keep = self._answer(method, number, early)
        if early:
            keep = await self._answer_early(reader, transport, fields, message) and keep
        else:
            await self._say(transport, message)
        if keep and self.perhaps(0.1):
            await self.dawdle()
            return False  # it closes while nothing is under way, or so it thinks
        return keep

    async def _answer_early(
        self, reader: BufferedReader, transport: Transport, fields: dict[str, str], message: bytes
    ) -> bool:
        """Answer before the request's body has come, or while it comes."""
        taking = create_task(self._body_if_it_comes(reader, fields))
        try:
            await self._say(transport, message)
        finally:
            if self.perhaps(0.5):
                taking.cancel()
            await taking.wait()
        return not taking.cancelled() and taking.result()

    async def _body_if_it_comes(self, reader: BufferedReader, fields: dict[str, str]) -> bool:
        try:
            await self._body(reader, fields)
        except (BrokenError, ClosedError, IncompleteReadError):
            return False
        return True

    async def _body(self, reader: BufferedReader, fields: dict[str, str]) -> None:
        if self.perhaps(0.3):
            await self.dawdle()
        if fields.get("transfer-encoding") != "chunked":
            await reader.readexactly(int(fields.get("content-length", "0")))
            return
        size = 1
        while size:
            size = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(size + 2)

    def _answer(self, method: str, number: int, early: bool) -> tuple[bytes, bool]:
        """Return an answer of some shape, and whether the connection can go on after it."""
        luck, keep = self.luck, True
        status = 413 if early else luck.choice([200, 200, 200, 200, 204, 304])
        fields = [b"HTTP/1.1 %d X" % status, b"X-Number: %d" % number]
        payload = body_of(number, luck.choice(SIZES))
        if self.perhaps(0.2):
            payload = gzip.compress(payload, 1)
            fields.append(b"Content-Encoding: gzip")
        if self.perhaps(0.1):
            fields.append(b"Connection: close")
            keep = False
        framing = luck.choice(["length", "length", "length", "chunked", "chunked", "end"])
        if status in (204, 304):
            payload, framing = b"", "none"
        elif framing == "length":
            fields.append(b"Content-Length: %d" % len(payload))
        elif framing == "chunked":
            fields.append(b"Transfer-Encoding: chunked")
            payload = self._chunked(payload)
        else:
            keep = False
        if method == "HEAD":
            payload = b""
        message = b"\r\n".join([*fields, b""]) + b"\r\n" + payload
        if self.perhaps(0.06):
            return message[: luck.randrange(len(message))], False
        if framing != "end" and self.perhaps(0.03):
            return message + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[:20], False
        return message, keep

    def _chunked(self, payload: bytes) -> bytes:
        chunks = []
        while payload:
            size = self.luck.choice([1, 7, 100, 5000]) if len(payload) < 2000 else 5000
            piece, payload = payload[:size], payload[size:]
            extension = self.luck.choice([b"", b";a=b", b' ;q="x"'])
            chunks.append(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece))
        trailer = self.luck.choice([b"", b"T: v\r\n"])
        return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"

    async def _say(self, transport: Transport, message: bytes) -> None:
        """Send a message in a few pieces, with pauses in any place."""
        cuts = sorted(self.luck.randint(0, len(message)) for _ in range(self.luck.randrange(4)))
        for start, end in zip([0, *cuts], [*cuts, len(message)], strict=True):
            if start < end:
                await transport.send(message[start:end])
            await self.dawdle()
