"""pyreqwest: a client in Rust (reqwest, rustls) under asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyreqwest.client import Client, ClientBuilder

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
                await ClientBuilder().build().close()

    asyncio.run(main())


def client(job: Job) -> Client:
    """Return a client; its pool has no limit."""
    builder = ClientBuilder()
    if job.authority is not None:
        builder = builder.add_root_certificate_pem(job.authority_pem())
    return builder.build()


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[tasks.Fetch]:
    """Open a client."""
    async with client(job) as http:

        async def fetch() -> None:
            response = await http.get(job.url).build().send()
            job.check(response.status, len(await response.bytes()))

        yield fetch


async def read_all(job: Job) -> None:
    """Stream."""
    async with client(job) as http:
        for count in job.meter:
            for _ in range(count):
                async with http.get(job.url).build_streamed() as response:
                    size = 0
                    while piece := await response.body_reader.read_chunk():
                        size += len(piece)
                    job.check(response.status, size)
