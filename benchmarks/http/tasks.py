"""Clients on asyncio: tasks that make requests until all are made."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

from benchmarks.http.job import Job

Fetch = Callable[[], Awaitable[None]]
"""Makes one request, reads the body, and checks it."""

Opened = Callable[[Job], AbstractAsyncContextManager[Fetch]]
"""Opens a client; it is closed in the end."""


async def get(job: Job, opened: Opened) -> None:
    """Make as many requests as the job's meter says, from as many tasks as the job says."""
    async with opened(job) as fetch:

        async def worker(requests: Iterator[int]) -> None:
            for _ in requests:
                await fetch()

        for count in job.meter:
            requests = iter(range(count))
            await asyncio.gather(*(worker(requests) for _ in range(job.at_once)))
