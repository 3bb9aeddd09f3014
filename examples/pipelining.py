"""Many tasks ask over one connection, as clients of Redis, SMTP or HTTP/1.1 may.

All that is asked in one turn of the loop goes out in one system call; the answers come in the order
of the questions. A task that is cancelled while it waits does not upset that order, and when the
connection is lost, each task that waits is told.
"""

from collections import deque
from typing import Self

from tulip_net import (
    BufferedReader,
    BufferedWriter,
    Event,
    NetError,
    Queue,
    QueueShutDown,
    Task,
    TaskGroup,
    Transport,
    create_task,
    create_transport,
    listen,
    map_over,
    move_on_after,
    run,
    serve,
    shield,
    sleep,
    wait_all,
)


class Pipeline:
    """One connection that any number of tasks share."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._reader = BufferedReader(transport)
        self._writer = BufferedWriter(transport)
        self._asked: deque[Queue[bytes]] = deque()
        self._news = Event()
        self._lost: NetError | None = None
        self._tasks: list[Task[None]] = []
        self.sends = 0

    async def __aenter__(self) -> Self:
        self._tasks.append(create_task(self._send(), "sends questions"))
        self._tasks.append(create_task(self._receive(), "hands out answers"))
        return self

    async def __aexit__(self, *why: object) -> None:
        for task in self._tasks:
            task.cancel()
        with shield():
            await wait_all(self._tasks)
        self._transport.close()

    async def ask(self, line: bytes) -> bytes:
        """Ask, and wait for the answer.

        Raises:
            ConnectionError: The connection was lost before the answer came.
        """
        answer = Queue[bytes](1)  # for one answer; shut down, it says that none will come
        if self._lost is None:
            self._writer.write(line)
            self._asked.append(answer)
            self._news.set()
        else:
            answer.shutdown()
        try:
            return await answer.get()
        except QueueShutDown:
            raise ConnectionError(f"no answer to {line!r}") from self._lost

    async def _send(self) -> None:
        while self._lost is None:
            await self._news.wait()
            self._news.clear()
            try:
                await self._writer.flush()
                self.sends += 1
            except NetError as error:
                self._lost = error

    async def _receive(self) -> None:
        try:
            while True:
                answer = await self._reader.readuntil(b"\n")
                self._asked.popleft().put_nowait(answer)
        except NetError as error:  # the end of the stream is an IncompleteReadError
            self._lost = error
        finally:
            for waiting in self._asked:
                waiting.shutdown()


async def double(transport: Transport) -> None:
    """Answer each number with its double; hang up on what is none."""
    async for line in BufferedReader(transport):
        if not line.strip().isdigit():
            return
        await transport.send(b"%d\n" % (2 * int(line)))


async def main() -> None:
    """Ask a thousand questions, then one in vain, then one too many."""
    async with TaskGroup() as servers:
        with await listen("127.0.0.1") as listener:
            servers.start_soon(serve(double, listener))
            transport = await create_transport("127.0.0.1", listener.port)
            async with Pipeline(transport) as pipeline:
                answers = await map_over(pipeline.ask, [b"%d\n" % n for n in range(1000)])
                print(f"{len(answers)} answers, the last is {int(answers[-1])}")
                print(f"sent in {pipeline.sends} pieces")

                with move_on_after(0):
                    await pipeline.ask(b"1\n")
                    print("never reached: a cancelled question")
                print("the next answer is", int(await pipeline.ask(b"21\n")))

                waiting = create_task(pipeline.ask(b"please?\n"))
                await sleep(0)
                try:
                    await waiting
                except ConnectionError as error:
                    print(error)


run(main())
