"""pycurl: libcurl's multi interface, with a handle for each request under way, used again."""

import pycurl

from benchmarks.harness.meter import Meter
from benchmarks.http.job import Job


def get(job: Job) -> None:
    """Make requests on as many handles as the job says."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, job.at_once)
    bodies: dict[pycurl.Curl, list[bytes]] = {}
    for _ in range(job.at_once):
        body: list[bytes] = []
        bodies[handle(job, body.append)] = body
    for count in job.meter:
        left = count
        for each in list(bodies)[:count]:
            multi.add_handle(each)
            left -= 1
        running = True
        while running:
            _, running = multi.perform()
            _, done, failed = multi.info_read()
            if failed:
                raise ValueError(failed[0][2])
            for each in done:
                body = bodies[each]
                job.check(each.getinfo(pycurl.RESPONSE_CODE), len(b"".join(body)))
                body.clear()
                multi.remove_handle(each)
                if left:
                    left -= 1
                    running = True
                    multi.add_handle(each)
            if running and not done:
                multi.select(1.0)


def download(job: Job) -> None:
    """Read a large body in pieces."""
    size = 0

    def take(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    curl = handle(job, take)
    for count in job.meter:
        for _ in range(count):
            size = 0
            curl.perform()
            job.check(curl.getinfo(pycurl.RESPONSE_CODE), size)


def construct(meter: Meter) -> None:
    """Make multi handles and close them."""
    for count in meter:
        for _ in range(count):
            pycurl.CurlMulti().close()


def handle(job: Job, take: object) -> pycurl.Curl:
    """Return a handle for the job's URL."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, job.url)
    curl.setopt(pycurl.WRITEFUNCTION, take)
    # The largest that libcurl takes; it helps the download.
    curl.setopt(pycurl.BUFFERSIZE, 512 * 1024)
    if job.authority is not None:
        curl.setopt(pycurl.CAINFO, job.authority)
    return curl
