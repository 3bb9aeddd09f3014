"""Competitors in turn: A B C, A B C, so that the machine's moods meet them all alike."""

import sys
from collections.abc import Callable, Collection
from dataclasses import asdict

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import AbsentError, Case, Competitor, Effort, Part
from benchmarks.harness.results import CaseResult, PartResult

TakeSample = Callable[[Case, Competitor], Sample]


def measure(part: Part, effort: Effort, only: Collection[str] = ()) -> PartResult:
    """Measure a part.

    Args:
        part: What.
        effort: How often, and how long.
        only: Names of cases and of competitors; where some of either kind are named, the others
            of that kind are left out.
    """
    cases = _chosen(part.cases, only)
    competitors = _chosen(part.competitors, only)
    result = PartResult(part.name, part.title, part.about, asdict(effort))
    with part.staged(effort) as take_sample:
        for case in cases:
            print(f"{part.name}: {case.title}", end=" ", file=sys.stderr, flush=True)
            result.cases[case.name] = _measure_case(take_sample, case, competitors, effort)
            print(file=sys.stderr)
    return result


def _measure_case(
    take_sample: TakeSample, case: Case, competitors: Collection[Competitor], effort: Effort
) -> CaseResult:
    result = CaseResult.of(case)
    for _ in range(effort.rounds):
        for competitor in competitors:
            if competitor.name in result.absent:
                continue
            try:
                sample = take_sample(case, competitor)
            except AbsentError as absent:
                result.absent[competitor.name] = str(absent)
            else:
                result.add(competitor, sample)
        print(".", end="", file=sys.stderr, flush=True)
    # Who failed half-way does not take part: a median of the lucky rounds would mislead.
    for name in result.absent:
        result.entries.pop(name, None)
    return result


def _chosen(things: Collection[Case] | Collection[Competitor], only: Collection[str]) -> list:  # type: ignore[type-arg]  # of whichever it was given
    chosen = [thing for thing in things if thing.name in only]
    return chosen or list(things)
