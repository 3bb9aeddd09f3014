"""urllib3, with one pool manager for all threads."""

import urllib3

from benchmarks.harness.meter import Meter
from benchmarks.http import threads
from benchmarks.http.job import Job


def get(job: Job) -> None:
    """Make requests from threads."""
    with manager(job) as http:

        def fetch() -> None:
            response = http.request("GET", job.url)
            job.check(response.status, len(response.data))

        threads.get(job, fetch)


def download(job: Job) -> None:
    """Read a large body in pieces."""
    with manager(job) as http:
        for count in job.meter:
            for _ in range(count):
                response = http.request("GET", job.url, preload_content=False)
                size = sum(len(piece) for piece in response.stream(65536))
                job.check(response.status, size)
                response.release_conn()


def construct(meter: Meter) -> None:
    """Make pool managers and clear them."""
    for count in meter:
        for _ in range(count):
            urllib3.PoolManager().clear()


def manager(job: Job) -> urllib3.PoolManager:
    """Return a pool manager with room for all threads."""
    return urllib3.PoolManager(maxsize=job.at_once or 1, ca_certs=job.authority)
