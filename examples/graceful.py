"""A server that is stopped as supervisors do it, by SIGTERM, while clients are connected.

From then on nobody new is accepted. Who is idle is told goodbye at once, who is in the middle of
something gets the answer, and who needs longer than the grace is cut off.
"""

import os
import signal

from tulip_net import (
    BufferedReader,
    CancelScope,
    Gen,
    NetError,
    Transport,
    coroutine,
    create_task,
    create_transport,
    current_context,
    listen,
    map_over,
    run,
    serve,
    sleep,
)


class Server:
    """Answers each line, a number of seconds, when they have passed."""

    def __init__(self) -> None:
        self._stopping = False
        self._idle: set[CancelScope] = set()

    @coroutine
    def handle(self, transport: Transport) -> Gen[None]:
        """Serve one client, for as long as the server is there."""
        reader = BufferedReader(transport)
        while not self._stopping:
            line = yield from self._next_line(reader)
            if line is None:
                break
            if not line:
                return
            yield from sleep(float(line))
            yield from transport.send(b"slept\n")
        yield from transport.send(b"goodbye\n")

    @coroutine
    def _next_line(self, reader: BufferedReader) -> Gen[bytes | None]:
        """Wait for a line, but not beyond the call of `stop`."""
        with CancelScope() as idle:
            self._idle.add(idle)
            try:
                return (yield from reader.readline())
            finally:
                self._idle.remove(idle)
        return None

    def stop(self) -> None:
        """Let handlers finish what they are at, and no more."""
        self._stopping = True
        for scope in self._idle:
            scope.cancel()


@coroutine
def client(port: int, seconds: bytes) -> Gen[bytes]:
    """Ask, and return all that comes; ask nothing if it is nothing."""
    transport = yield from create_transport("127.0.0.1", port)
    with transport:
        try:
            yield from transport.send(seconds)
            return (yield from BufferedReader(transport).read()) or b"cut off"
        except NetError as error:
            return str(error).encode()


@coroutine
def main() -> Gen[None]:
    """Serve three clients, and be told to stop while they are there."""
    server = Server()
    listener = yield from listen("127.0.0.1")

    def stop() -> None:
        listener.close()  # now `serve` waits for its handlers, as long as the grace
        server.stop()

    loop = current_context().eventloop
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.call_later(0.2, os.kill, os.getpid(), signal.SIGTERM)  # for want of a supervisor
    serving = create_task(serve(server.handle, listener, grace=0.5))
    ends = yield from map_over(client, [listener.port] * 3, [b"", b"0.4\n", b"60\n"])
    for who, end in zip(("idle", "busy", "slow"), ends, strict=True):
        print(f"{who}:", ", ".join(end.decode().splitlines()))
    yield from serving
    loop.remove_signal_handler(signal.SIGTERM)


run(main())
