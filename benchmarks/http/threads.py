"""Clients that block: threads that make requests until all are made."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.http.job import Job


def get(job: Job, fetch: Callable[[], None]) -> None:
    """Make as many requests as the job's meter says, from as many threads as the job says."""

    def worker(requests: Iterator[int]) -> None:
        # The iterator of a range is safe to share: a step of it is one call in C.
        for _ in requests:
            fetch()

    if job.at_once == 1:
        for count in job.meter:
            worker(iter(range(count)))
        return
    with ThreadPoolExecutor(job.at_once) as threads:
        for count in job.meter:
            requests = iter(range(count))
            for done in [threads.submit(worker, requests) for _ in range(job.at_once)]:
                done.result()
