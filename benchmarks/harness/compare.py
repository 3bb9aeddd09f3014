"""What a change cost: two runs, case by case.

Only medians that differ by more than both runs' spreads count as a difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.harness.results import CaseResult, Entry, Results
from benchmarks.harness.tables import UNITS, in_unit


@dataclass(frozen=True)
class Difference:
    """One competitor in one case, in two runs.

    Attributes:
        cost: How many times the cost of before it is now; above 1 is worse.
        noise: What the spreads of both runs explain, as a share.
    """

    part: str
    case: CaseResult
    before: Entry
    after: Entry
    cost: float
    noise: float

    @property
    def verdict(self) -> str:
        """One word: same, better, or worse."""
        if abs(self.cost - 1) <= max(self.noise, 0.02):
            return "same"
        return "worse" if self.cost > 1 else "better"


def differences(before: Results, after: Results, *, everyone: bool = False) -> Iterator[Difference]:
    """Give what is in both runs: tulip's figures, or everyone's."""
    for part, case in after.all_cases():
        earlier = before.parts.get(part.name)
        base = earlier and earlier.cases.get(case.name)
        if not base:
            continue
        for name, entry in case.entries.items():
            old = base.entries.get(name)
            if old is not None and (everyone or entry.ours):
                yield _difference(part.name, case, old, entry)


def _difference(part: str, case: CaseResult, old: Entry, new: Entry) -> Difference:
    cost = new.figure / old.figure if old.figure else 1.0
    if case.higher_is_better and cost:
        cost = 1 / cost
    return Difference(part, case, old, new, cost, old.spread + new.spread)


def layout(found: list[Difference]) -> str:
    """Return the differences as a Markdown table."""
    lines = [
        "| part | case | competitor | before | after | cost | |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    for each in found:
        unit = UNITS[each.case.unit][1]
        cells = (
            each.part,
            each.case.title,
            each.after.name,
            f"{in_unit(each.case, each.before.figure)} {unit}",
            f"{in_unit(each.case, each.after.figure)} {unit}",
            f"x{each.cost:.2f}",
            each.verdict,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
