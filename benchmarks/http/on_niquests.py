"""niquests, its asynchronous session on asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import niquests

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
                await niquests.AsyncSession().close()

    asyncio.run(main())


def session(job: Job) -> niquests.AsyncSession:
    """Return a session with room for all tasks."""
    return niquests.AsyncSession(pool_connections=1, pool_maxsize=job.at_once or 1)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[tasks.Fetch]:
    """Open a session."""
    async with session(job) as http:

        async def fetch() -> None:
            response = await http.get(job.url, verify=job.authority)
            job.check(response.status_code or 0, len(response.content or b""))

        yield fetch


async def read_all(job: Job) -> None:
    """Stream."""
    async with session(job) as http:
        for count in job.meter:
            for _ in range(count):
                response = await http.get(job.url, stream=True, verify=job.authority)
                size = 0
                async for piece in await response.iter_content(65536):
                    size += len(piece)
                job.check(response.status_code or 0, size)
