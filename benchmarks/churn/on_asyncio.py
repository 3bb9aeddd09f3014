"""The clients on asyncio: the tasks are theirs in common, each says how to make a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks.churn import trial as rules
from benchmarks.churn.server import SIZE
from benchmarks.churn.trial import Trial
from benchmarks.harness.meter import Exactly
from benchmarks.http.job import Job
from benchmarks.http.tasks import Fetch


def aiohttp(trial: Trial) -> None:
    """Churn aiohttp."""
    from benchmarks.http.on_aiohttp import opened

    asyncio.run(churn(trial, opened(job(trial))))


def aiohttp_on_uvloop(trial: Trial) -> None:
    """Churn aiohttp on uvloop."""
    import uvloop

    from benchmarks.http.on_aiohttp import opened

    uvloop.run(churn(trial, opened(job(trial))))


def httpx(trial: Trial) -> None:
    """Churn httpx."""
    from benchmarks.http.on_httpx import opened

    asyncio.run(churn(trial, opened(job(trial))))


def niquests(trial: Trial) -> None:
    """Churn niquests."""
    from benchmarks.http.on_niquests import opened

    asyncio.run(churn(trial, opened(job(trial))))


def wreq(trial: Trial) -> None:
    """Churn wreq."""
    from benchmarks.http.on_wreq import opened

    asyncio.run(churn(trial, opened(job(trial))))


def pyreqwest(trial: Trial) -> None:
    """Churn pyreqwest."""
    asyncio.run(churn(trial, limited_pyreqwest(trial)))


@asynccontextmanager
async def limited_pyreqwest(trial: Trial) -> AsyncIterator[Fetch]:
    """Open a client with a limit: this one can be told."""
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().max_connections(rules.CONNECTIONS).build() as http:

        async def fetch() -> None:
            response = await http.get(trial.url).build().send()
            trial.check(response.status, len(await response.bytes()))

        yield fetch


def job(trial: Trial) -> Job:
    """Return what the clients of the HTTP part are told: where to, over how many connections."""
    return Job(trial.url, rules.CONNECTIONS, None, SIZE, Exactly(0))


async def churn(trial: Trial, opened: AbstractAsyncContextManager[Fetch]) -> None:
    """Ask from all tasks, then probe."""
    async with opened as fetch:

        async def worker() -> None:
            while trial.goes_on():
                try:
                    async with asyncio.timeout(trial.patience()):
                        await fetch()
                    trial.completed += 1
                except Exception:  # noqa: BLE001 - whatever they raise when given up
                    pass

        await asyncio.gather(*(worker() for _ in range(rules.TASKS)))
        await asyncio.sleep(rules.REST)
        for _ in range(rules.PROBES):
            try:
                async with asyncio.timeout(rules.PROBE_SECONDS):
                    await fetch()
                trial.probes += 1
            except Exception:  # noqa: BLE001 - a probe that fails is what counts
                pass
