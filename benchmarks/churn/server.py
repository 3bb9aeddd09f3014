"""A server that takes 2 ms for each answer."""

import asyncio
import json
from typing import cast

from typing_extensions import override

from benchmarks.harness import processes

DELAY = 0.002
SIZE = 1024
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * SIZE


class Slow(asyncio.Protocol):
    """Answers each request, whatever it asks for, after the delay."""

    transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        """Take one packet for one request: small ones come whole."""
        asyncio.get_running_loop().call_later(DELAY, self.answer)

    def answer(self) -> None:
        """Send the answer, if the client is still there."""
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


async def serve() -> None:
    """Listen, print the port, and serve."""
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0, backlog=1024)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    processes.pin(processes.load_core())
    asyncio.run(serve())
