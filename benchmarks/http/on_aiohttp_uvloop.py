"""aiohttp on uvloop."""

import uvloop

from benchmarks.http import tasks
from benchmarks.http.job import Job
from benchmarks.http.on_aiohttp import opened, read_all


def get(job: Job) -> None:
    """Make requests from tasks."""
    uvloop.run(tasks.get(job, opened))


def download(job: Job) -> None:
    """Read a large body in pieces."""
    uvloop.run(read_all(job))
