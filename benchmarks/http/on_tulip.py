"""Tulip."""

from collections.abc import Iterator

from benchmarks.harness.meter import Meter
from benchmarks.http.job import Job
from tulip_http import Client, Gen, Limits, coroutine, create_task, run, wait_all


def get(job: Job) -> None:
    """Make requests from tasks."""
    run(get_all(job))


def download(job: Job) -> None:
    """Read a large body in pieces."""
    run(read_all(job))


def construct(meter: Meter) -> None:
    """Make clients and close them."""
    for count in meter:
        for _ in range(count):
            Client().close()


def client(job: Job) -> Client:
    """Return a client with room for all tasks."""
    limits = Limits(max_connections=job.at_once or 1, max_idle=job.at_once or 1)
    return Client(limits=limits, tls=job.context or True)


@coroutine
def get_all(job: Job) -> Gen[None]:
    """Make as many requests as the job's meter says, from as many tasks as the job says."""
    with client(job) as http:

        @coroutine
        def worker(requests: Iterator[int]) -> Gen[None]:
            for _ in requests:
                response = yield from http.get(job.url)
                job.check(response.status_code, len(response.content))

        for count in job.meter:
            requests = iter(range(count))
            tasks = [create_task(worker(requests)) for _ in range(job.at_once)]
            yield from wait_all(tasks)
            for task in tasks:
                task.result()


@coroutine
def read_all(job: Job) -> Gen[None]:
    """Stream."""
    with client(job) as http:
        for count in job.meter:
            for _ in range(count):
                with (yield from http.stream("GET", job.url)) as response:
                    size = 0
                    while piece := (yield from response.read_chunk()):
                        size += len(piece)
                    job.check(response.status_code, size)
