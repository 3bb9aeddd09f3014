"""HTTP: CPU time of the client process per GET, and per MiB of a large download."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import Case, Competitor, Effort, Part
from benchmarks.harness.processes import take_sample
from benchmarks.http import nginx

MEBIBYTE: Final = 1 << 20
LARGE_MEBIBYTES: Final = 256


@dataclass(frozen=True)
class HttpCase(Case):
    """A case with its requests.

    Attributes:
        at_once: Requests under way at the same time; 0 for a download.
        tls: Whether they are encrypted.
        kept: Whether the server keeps connections.
    """

    at_once: int = 0
    tls: bool = False
    kept: bool = True


def _gets(at_once: int, *, tls: bool, kept: bool) -> HttpCase:
    name = f"{'kept' if kept else 'new'}{'_tls' if tls else ''}_{at_once}"
    how = f"{'TLS' if tls else 'plain'}, {'kept' if kept else 'new'} connections"
    title = f"GET, {how}, {at_once} at a time"
    return HttpCase(name, title, "us", "request", False, at_once, tls, kept)


CASES: Final = (
    *(
        _gets(at_once, tls=tls, kept=kept)
        for kept in (True, False)
        for tls in (False, True)
        for at_once in (1, 50, 200)
    ),
    HttpCase("download", "download of 256 MiB, plain", "us", "MiB"),
    HttpCase("download_tls", "download of 256 MiB, TLS", "us", "MiB", tls=True),
)

COMPETITORS: Final = (
    Competitor("bare loop", "benchmarks.http.bare", floor=True),
    Competitor("tulip", "benchmarks.http.on_tulip", "tulip-http", ours=True),
    Competitor("aiohttp", "benchmarks.http.on_aiohttp", "aiohttp"),
    Competitor("aiohttp on uvloop", "benchmarks.http.on_aiohttp_uvloop", "uvloop"),
    Competitor("httpx", "benchmarks.http.on_httpx", "httpx"),
    Competitor("niquests", "benchmarks.http.on_niquests", "niquests"),
    Competitor("requests", "benchmarks.http.on_requests", "requests"),
    Competitor("urllib3", "benchmarks.http.on_urllib3", "urllib3"),
    Competitor("pycurl multi", "benchmarks.http.on_pycurl", "pycurl"),
    Competitor("wreq", "benchmarks.http.on_wreq", "wreq"),
    Competitor("pyreqwest", "benchmarks.http.on_pyreqwest", "pyreqwest"),
)


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Start nginx; each sample is a client in a process of its own."""
    large = max(1, round(LARGE_MEBIBYTES * effort.scale)) * MEBIBYTE
    with TemporaryDirectory() as folder, nginx.running(Path(folder), large) as server:

        def sample(case: Case, competitor: Competitor) -> Sample:
            assert isinstance(case, HttpCase)
            page = "page.txt" if case.at_once else "large.bin"
            taken = take_sample(
                "benchmarks.http.program",
                competitor.program,
                "get" if case.at_once else "download",
                server.url(page, tls=case.tls, kept=case.kept),
                case.at_once,
                server.authority if case.tls else None,
                nginx.PAGE_BYTES if case.at_once else large,
                effort.seconds,
            )
            return taken if case.at_once else _per_mebibyte(taken, large / MEBIBYTE)

        yield sample


def _per_mebibyte(sample: Sample, mebibytes: float) -> Sample:
    wall = None if sample.wall is None else sample.wall / mebibytes
    return replace(sample, figure=sample.figure / mebibytes, wall=wall)


PART: Final = Part(
    name="http",
    title="HTTP clients",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of the client process, all its threads together, per GET of 1 KiB from nginx "
    "over loopback. Every client has its defaults, and room for as many connections as there are "
    "requests at a time. requests and urllib3 block, so they run in as many threads. The bare loop "
    "sends ready-made bytes and looks for the end of the head; it is no client.",
)
