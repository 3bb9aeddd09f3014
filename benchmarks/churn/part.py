"""Churn: goodput of a client whose requests are cancelled all the time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import AbsentError, Case, Competitor, Effort, Part
from benchmarks.harness.processes import background, take_sample

SECONDS: Final = 5.0

CASES: Final = (
    Case("goodput", "requests completed during churn", "requests", "second", higher_is_better=True),
    Case("probes", "probes that succeed afterwards, of 10", "requests", "run", True),
)

BLOCKS: Final = "it blocks, so a request under way cannot be cancelled"

COMPETITORS: Final = (
    Competitor("tulip", "benchmarks.churn.on_tulip", "tulip-http", ours=True),
    Competitor("aiohttp", "benchmarks.churn.on_asyncio:aiohttp", "aiohttp"),
    Competitor("aiohttp on uvloop", "benchmarks.churn.on_asyncio:aiohttp_on_uvloop", "uvloop"),
    Competitor("httpx", "benchmarks.churn.on_asyncio:httpx", "httpx"),
    Competitor("niquests", "benchmarks.churn.on_asyncio:niquests", "niquests"),
    Competitor("requests", ""),
    Competitor("urllib3", ""),
    Competitor("pycurl multi", ""),
    Competitor("wreq", "benchmarks.churn.on_asyncio:wreq", "wreq"),
    Competitor("pyreqwest", "benchmarks.churn.on_asyncio:pyreqwest", "pyreqwest"),
)

REASONS: Final = {
    "requests": BLOCKS,
    "urllib3": BLOCKS,
    "pycurl multi": "it has no tasks: taking a handle out is the program's own business",
}


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Start the slow server; a run gives the samples of both cases."""
    probes: dict[str, list[Sample]] = {}

    with background("benchmarks.churn.server") as (_, port):

        def sample(case: Case, competitor: Competitor) -> Sample:
            if competitor.name in REASONS:
                raise AbsentError(REASONS[competitor.name])
            if case.name == "probes" and probes.get(competitor.name):
                return probes[competitor.name].pop(0)
            seconds = SECONDS * effort.scale
            taken = take_sample("benchmarks.churn.program", competitor.program, port, seconds)
            probed = Sample(taken.facts["probes"], None, 10)
            if case.name == "probes":
                return probed
            probes.setdefault(competitor.name, []).append(probed)
            return replace(taken, figure=taken.figure / seconds)

        yield sample


PART: Final = Part(
    name="churn",
    title="Cancellation churn",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="30 tasks over at most 10 connections ask a server that takes 2 ms for 1 KiB, and each "
    "request is given up after 0 to 12 ms, at random. What counts is how many complete in 5 s, and "
    "whether 10 requests right after that succeed, each within a second.",
)
