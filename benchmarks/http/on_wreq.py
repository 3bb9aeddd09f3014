"""wreq: a client in Rust (hyper, BoringSSL) under asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import wreq

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
    for count in meter:
        for _ in range(count):
            wreq.Client().close()


def client(job: Job) -> wreq.Client:
    """Return a client; its pool has no limit."""
    if job.authority is None:
        return wreq.Client()
    return wreq.Client(tls_verify=wreq.CertStore.from_pem_stack(job.authority_pem()))


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[tasks.Fetch]:
    """Open a client."""
    http = client(job)

    async def fetch() -> None:
        async with http.get(job.url) as response:
            body = await response.bytes()
            job.check(response.status.as_int(), len(body))

    yield fetch
    http.close()


async def read_all(job: Job) -> None:
    """Stream."""
    http = client(job)
    for count in job.meter:
        for _ in range(count):
            async with http.get(job.url) as response, response.stream() as pieces:
                size = 0
                async for piece in pieces:
                    size += len(piece)
                job.check(response.status.as_int(), size)
    http.close()
