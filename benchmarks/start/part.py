"""Starting: CPU time of imports, and of making a client."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import AbsentError, Case, Competitor, Effort, Part
from benchmarks.harness.processes import take_sample
from benchmarks.http.part import COMPETITORS as CLIENTS

CASES: Final = (
    Case("import", "import", "ms", "process"),
    Case("construct", "making and closing a client", "us", "client"),
)

LAYERS: Final = (
    Competitor("tulip_poll", "tulip_poll", "tulip-poll", ours=True),
    Competitor("tulip_sched", "tulip_sched", "tulip-sched", ours=True),
    Competitor("tulip_net", "tulip_net", "tulip-net", ours=True),
    Competitor("tulip_http", "tulip_http", "tulip-http", ours=True),
    Competitor("asyncio", "asyncio"),
    Competitor("uvloop", "uvloop", "uvloop"),
    Competitor("trio", "trio", "trio"),
    Competitor("curio", "curio", "curio"),
    Competitor("anyio", "anyio", "anyio"),
)

_RENAMED: Final = {"pycurl multi": "pycurl", "pyreqwest": "pyreqwest.client"}
_NO_CLIENTS: Final = {"bare loop", "aiohttp on uvloop", "tulip"}

COMPETITORS: Final = (
    *LAYERS,
    *(
        Competitor(each.name, _RENAMED.get(each.name, each.name), each.distribution)
        for each in CLIENTS
        if each.name not in _NO_CLIENTS
    ),
)

_CLIENTS: Final = {each.name: each.program for each in CLIENTS} | {
    "tulip_http": "benchmarks.http.on_tulip"
}


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Import in fresh processes; the first, which may have to compile, does not count."""
    warm: set[str] = set()

    def sample(case: Case, competitor: Competitor) -> Sample:
        if case.name == "construct":
            if competitor.name not in _CLIENTS:
                raise AbsentError("not an HTTP client")
            return take_sample(
                "benchmarks.start.construct", _CLIENTS[competitor.name], effort.seconds
            )
        if competitor.name not in warm:
            take_sample("benchmarks.start.imports", competitor.program)
            warm.add(competitor.name)
        return take_sample("benchmarks.start.imports", competitor.program)

    yield sample


PART: Final = Part(
    name="start",
    title="Starting",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of an `import` in a fresh process, with everything compiled and in the page "
    "cache; what Python itself imports at start, and a few standard modules of the harness, do not "
    "count. And CPU time to make a client with all its defaults and to close it unused.",
)
