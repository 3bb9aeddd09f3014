"""httpx, its asynchronous client on asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

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
    """Make clients and close them."""

    async def main() -> None:
        for count in meter:
            for _ in range(count):
                await httpx.AsyncClient().aclose()

    asyncio.run(main())


def client(job: Job) -> httpx.AsyncClient:
    """Return a client with room for all tasks."""
    room = job.at_once or 1
    limits = httpx.Limits(max_connections=room, max_keepalive_connections=room)
    return httpx.AsyncClient(limits=limits, verify=job.context or True)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[tasks.Fetch]:
    """Open a client."""
    async with client(job) as http:

        async def fetch() -> None:
            response = await http.get(job.url)
            job.check(response.status_code, len(response.content))

        yield fetch


async def read_all(job: Job) -> None:
    """Stream."""
    async with client(job) as http:
        for count in job.meter:
            for _ in range(count):
                async with http.stream("GET", job.url) as response:
                    size = 0
                    async for piece in response.aiter_bytes():
                        size += len(piece)
                    job.check(response.status_code, size)
