"""Random reads of a stream that comes in pieces, now and then cancelled, against the stream itself.

(`test_buffered` has fixed ones, and whole streams in one way.)
"""

import random
from io import BytesIO

from tests.net.interrupting import interrupted
from tests.seeds import every_seed, telling
from tulip_net import (
    BufferedReader,
    IncompleteReadError,
    LimitError,
    Transport,
    create_task,
    run,
)
from tulip_net.testing import FaultyTransport, memory_pair
from tulip_sched.testing import virtual_time

# Few letters, so that separators are found, half found, and found one inside the other.
ALPHABETS = [b"ab\n", b"a\n", b"ab;,\r\n", bytes(range(256))]


class Reading:
    """A stream, and a reader that has come so far in it.

    Args:
        seed: Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.luck = luck = random.Random(seed)
        self.seed = seed
        self.alphabet = luck.choice(ALPHABETS)
        self.data = self.word(luck.choice([0, 1, 10, 100, 2000]))
        self.limit = luck.choice([1, 2, 5, 50, 65536])
        self.at = 0
        self.history: list[str] = []

    def word(self, length: int) -> bytes:
        return bytes(self.luck.choices(self.alphabet, k=length))

    async def run(self) -> None:
        a, b = memory_pair(self.luck.choice([1, 3, 10, 1000]))
        with a, b:
            feeding = create_task(self.feed(a))
            line: Transport = b
            if self.luck.random() < 0.5:
                line = FaultyTransport(b, self.seed, short=0.9, slow=0.3)
            reader = BufferedReader(line, self.limit)
            while await self.step(reader):
                pass
            await feeding
        assert self.at == len(self.data)

    async def feed(self, transport: Transport) -> None:
        await transport.send(self.data)
        await transport.send_eof()

    async def step(self, reader: BufferedReader) -> bool:
        """Read in some way, and return whether there may be more."""
        way = self.luck.choice([self.read, self.read_exactly, self.read_line, self.read_until])
        if self.luck.random() < 0.2:
            await self.peek(reader)
        self.history.append(f"{way.__name__} from {self.at} on")
        try:
            return await way(reader)
        except IncompleteReadError as error:
            self.took(error.partial)
            assert self.at == len(self.data)
        return True

    def took(self, data: bytes) -> None:
        assert self.data.startswith(data, self.at), f"read {data!r}"
        self.at += len(data)

    async def peek(self, reader: BufferedReader) -> None:
        count = self.luck.choice([0, 1, 3, 50])
        try:
            for data in await interrupted(self.luck, reader.peek(count)):
                assert self.data.startswith(data, self.at)
                assert len(data) >= count or self.at + len(data) == len(self.data)
        except LimitError:
            assert count > self.limit

    async def read(self, reader: BufferedReader) -> bool:
        limit = self.luck.choice([1, 2, 7, 100] if self.luck.random() < 0.9 else [-1])
        for data in await interrupted(self.luck, reader.read(limit)):
            self.took(data)
            assert len(data) <= limit or limit == -1
            return bool(data)
        return True

    async def read_exactly(self, reader: BufferedReader) -> bool:
        count = self.luck.choice([0, 1, 2, 7, 100])
        for data in await interrupted(self.luck, reader.readexactly(count)):
            self.took(data)
            assert len(data) == count
        return True

    async def read_line(self, reader: BufferedReader) -> bool:
        wanted = BytesIO(self.data[self.at :]).readline()
        try:
            for line in await interrupted(self.luck, reader.readline()):
                self.took(line)
                assert line == wanted
                assert len(line) <= self.limit
        except LimitError:
            assert len(wanted) > self.limit
        return True

    async def read_until(self, reader: BufferedReader) -> bool:
        """Of separators that are equally long the first in the stream counts."""
        length = self.luck.choice([1, 2, 3])
        separators = {self.word(length) for _ in range(self.luck.choice([1, 2, 3]))}
        found = [at for each in separators if (at := self.data.find(each, self.at)) >= 0]
        wanted = min(found, default=len(self.data)) + length - self.at
        try:
            for data in await interrupted(self.luck, reader.readuntil(*separators)):
                self.took(data)
                assert len(data) == wanted <= self.limit
        except LimitError as error:
            shown = error.partial
            assert wanted > self.limit
            assert self.data.startswith(shown, self.at)
        except IncompleteReadError:
            assert not found
            raise
        return True


@every_seed(20)
def test_whatever_is_read_is_the_stream(seed: int) -> None:
    for each in range(20):
        reading = Reading(100 * seed + each)
        with telling(reading.seed, reading.history), virtual_time():
            run(reading.run())
