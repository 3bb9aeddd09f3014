"""What was asked of tulip, and what a run says about it.

The figures come from the project's issues: on the runtime, on the network layer, on the client.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.harness.results import CaseResult, Results


@dataclass(frozen=True)
class Goal:
    """A ratio that tulip should stay below.

    Attributes:
        part: Of the benchmark.
        case: Of the part.
        rival: Whose figure it is compared with; a case of the same part, for "case:name".
        at_most: The ratio of tulip's figure to the rival's; for figures where more is better, of
            the rival's to tulip's.
        ours: Under which name tulip takes part.
    """

    part: str
    case: str
    rival: str
    at_most: float
    ours: str = "tulip"


GOALS: Final = (
    Goal("scheduling", "switch", "uvloop", 0.6),
    Goal("scheduling", "switch", "trio", 0.25),
    Goal("scheduling", "spawn_one", "asyncio", 0.5),
    Goal("scheduling", "spawn_many", "asyncio", 0.5),
    Goal("scheduling", "timeout", "asyncio", 0.5),
    Goal("scheduling", "threadsafe", "asyncio", 1.0),
    Goal("echo", "plain_100", "bare loop", 1.35),
    Goal("echo", "plain_100", "uvloop streams", 0.8),
    Goal("echo", "plain_100", "curio", 0.6),
    Goal("echo", "plain_100", "asyncio streams", 0.3),
    Goal("echo", "tls_100", "asyncio streams", 0.75),
    Goal("echo", "tls_100", "uvloop streams", 0.4),
    *(
        Goal("transfer", f"{way}_{kind}", rival, 1.0)
        for kind in ("plain", "tls")
        for way in ("send", "receive")
        for rival in ("asyncio streams", "uvloop streams")
    ),
    Goal("accept", "plain", "uvloop streams", 1.0),
    Goal("accept", "tls", "uvloop streams", 1.0),
    Goal("http", "kept_50", "aiohttp", 0.25),
    Goal("http", "kept_50", "wreq", 1.0),
    Goal("http", "kept_50", "pycurl multi", 1.5),
    Goal("http", "kept_200", "case:kept_50", 1.2),
    Goal("http", "new_50", "aiohttp", 1.0),
    Goal("http", "new_tls_50", "aiohttp", 1.0),
    Goal("http", "download", "aiohttp", 1.0),
    Goal("http", "download", "pycurl multi", 1.0),
    Goal("churn", "goodput", "aiohttp", 1.0),
    Goal("start", "import", "httpx", 1.0, ours="tulip_http"),
)


def table(results: Results) -> str:
    """Return the goals that a run measured, as a Markdown table."""
    lines = ["| what | beside | asked: at most | measured | |", "| --- | --- | ---: | ---: | --- |"]
    for goal in GOALS:
        for case, rival, measured in _measured(goal, results):
            verdict = "met" if measured <= goal.at_most else "**missed**"
            cells = (case.title, rival, f"{goal.at_most:g}", f"{measured:.2f}", verdict)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured(goal: Goal, results: Results) -> Iterator[tuple[CaseResult, str, float]]:
    part = results.parts.get(goal.part)
    case = part and part.cases.get(goal.case)
    if not part or not case or goal.ours not in case.entries:
        return
    _, is_case, other = goal.rival.rpartition("case:")
    against = part.cases.get(other) if is_case else case
    entry = against and against.entries.get(goal.ours if is_case else goal.rival)
    if not against or not entry or not entry.figure:
        return
    ratio = case.entries[goal.ours].figure / entry.figure
    yield (
        case,
        against.title if is_case else goal.rival,
        1 / ratio if case.higher_is_better else ratio,
    )
