"""aiohttp, with one session, as its documentation asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from benchmarks.harness.meter import Meter
from benchmarks.http import tasks
from benchmarks.http.job import Job


def get(job: Job) -> None:
    """Make requests from tasks."""
    asyncio.run(tasks.get(job, opened))


def download(job: Job) -> None:
    """Read a large body in pieces."""
    asyncio.run(read_all(job))


def construct(meter: Meter) -> None:
    """Make sessions and close them."""

    async def main() -> None:
        for count in meter:
            for _ in range(count):
                await aiohttp.ClientSession().close()

    asyncio.run(main())


def session(job: Job) -> aiohttp.ClientSession:
    """Return a session with room for all tasks."""
    connector = aiohttp.TCPConnector(limit=job.at_once, ssl=job.context or True)
    return aiohttp.ClientSession(connector=connector)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[tasks.Fetch]:
    """Open a session."""
    async with session(job) as http:

        async def fetch() -> None:
            async with http.get(job.url) as response:
                job.check(response.status, len(await response.read()))

        yield fetch


async def read_all(job: Job) -> None:
    """Stream."""
    async with session(job) as http:
        for count in job.meter:
            for _ in range(count):
                async with http.get(job.url) as response:
                    size = 0
                    async for piece in response.content.iter_any():
                        size += len(piece)
                    job.check(response.status, size)
