"""requests, with one session for all threads."""

import requests
from requests.adapters import HTTPAdapter

from benchmarks.harness.meter import Meter
from benchmarks.http import threads
from benchmarks.http.job import Job


def get(job: Job) -> None:
    """Make requests from threads."""
    with session(job) as http:

        def fetch() -> None:
            response = http.get(job.url, verify=job.authority)
            job.check(response.status_code, len(response.content))

        threads.get(job, fetch)


def download(job: Job) -> None:
    """Read a large body in pieces."""
    with session(job) as http:
        for count in job.meter:
            for _ in range(count):
                with http.get(job.url, stream=True, verify=job.authority) as response:
                    size = sum(len(piece) for piece in response.iter_content(65536))
                    job.check(response.status_code, size)


def construct(meter: Meter) -> None:
    """Make sessions and close them."""
    for count in meter:
        for _ in range(count):
            requests.Session().close()


def session(job: Job) -> requests.Session:
    """Return a session with room for all threads."""
    http = requests.Session()
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=job.at_once or 1)
    http.mount("http://", adapter)
    http.mount("https://", adapter)
    return http
