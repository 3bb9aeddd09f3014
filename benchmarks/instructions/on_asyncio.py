"""asyncio's tasks and streams, and aiohttp."""

import asyncio
import socket

from benchmarks.echo.on_asyncio import echo as answer
from benchmarks.harness.meter import Meter
from benchmarks.http.on_aiohttp import get
from benchmarks.scheduling import on_asyncio as scheduling

__all__ = ["echo", "get", "switch"]


def switch(meter: Meter) -> None:
    """Switch between tasks."""
    scheduling.run(scheduling.switch, meter)


def echo(listener: socket.socket) -> None:
    """Echo on one connection."""
    asyncio.run(serve(listener))


async def serve(listener: socket.socket) -> None:
    """Serve until the first connection has ended."""
    ended = asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        ended.set()

    server = await asyncio.start_server(once, sock=listener)
    await ended.wait()
    server.close()
