"""Results as Markdown: an overview of each part, then a table for each case."""

from collections.abc import Iterator

from benchmarks.harness.results import CaseResult, Entry, PartResult, Results

UNITS: dict[str, tuple[float, str]] = {
    "ns": (1, "ns"),
    "us": (1e3, "µs"),
    "ms": (1e6, "ms"),
    "s": (1e9, "s"),
    "bytes": (1, "bytes"),
    "KiB": (1024, "KiB"),
    "requests": (1, "requests"),
    "instructions": (1, "instructions"),
}
"""What a figure is divided by to be in the unit that is shown, and that unit's name."""


def report(results: Results) -> str:
    """Return a whole run as a Markdown page."""
    pieces = ["# Measurements", "", *facts(results), ""]
    for part in results.parts.values():
        pieces += [f"## {part.title}", "", part.about, "", samples(part), "", overview(part), ""]
        for case in part.cases.values():
            pieces += [f"### {case.title}", "", table(case), ""]
    return "\n".join(pieces).rstrip() + "\n"


def facts(results: Results) -> Iterator[str]:
    """Give the machine and the versions as a list."""
    for name, value in results.machine.items():
        yield f"- {name}: {value}"
    yield "- versions: " + ", ".join(f"{name} {is_}" for name, is_ in results.versions.items())


def samples(part: PartResult) -> str:
    """Return how a part was measured: how many samples, how long, at which sizes."""
    rounds, seconds, scale = (part.effort[name] for name in ("rounds", "seconds", "scale"))
    sizes = "" if scale == 1 else f" Sizes and durations that are fixed: {scale:g} times the usual."
    return f"{rounds:g} samples of each, of {seconds:g} s where time is what limits them.{sizes}"


def overview(part: PartResult) -> str:
    """Return the medians of a part: a row for each competitor, a column for each case."""
    cases = list(part.cases.values())
    names = dict.fromkeys(name for case in cases for name in (*case.entries, *case.absent))
    rows = [
        ["", *(f"{case.title} ({UNITS[case.unit][1]})" for case in cases)],
        ["---", *("---:" for _ in cases)],
    ]
    rows += [[_styled(name, cases), *(_median(case, name) for case in cases)] for name in names]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def table(case: CaseResult) -> str:
    """Return one case: the median, its spread, wall time, and the ratios."""
    unit = UNITS[case.unit][1]
    what = "CPU time" if case.unit in {"ns", "us", "ms", "s"} else "median"
    heads = ("competitor", f"{what}, {unit} per {case.per}", "spread", f"wall time, {unit}")
    lines = [
        f"| {' | '.join(heads)} | to the floor | to the best competitor |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [_row(case, entry) for entry in case.ranked()]
    lines += [f"\n{name}: {reason}" for name, reason in case.absent.items()]
    return "\n".join(lines)


def in_unit(case: CaseResult, value: float | None) -> str:
    """Return a figure in the unit of its case, with three digits that count."""
    if value is None:
        return ""
    value /= UNITS[case.unit][0]
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def ratio(entry: Entry, to: Entry | None) -> str:
    """Return how many times another's figure an entry's is."""
    return "" if to is None or not to.figure else f"{entry.figure / to.figure:.2f}"


def _row(case: CaseResult, entry: Entry) -> str:
    cells = (
        f"**{entry.name}**" if entry.ours else entry.name,
        in_unit(case, entry.figure),
        f"±{entry.spread:.0%}",
        in_unit(case, entry.wall),
        ratio(entry, case.floor),
        ratio(entry, case.best_rival),
    )
    return f"| {' | '.join(cells)} |"


def _median(case: CaseResult, name: str) -> str:
    entry = case.entries.get(name)
    if entry is None:
        return "-"
    return f"**{in_unit(case, entry.figure)}**" if entry.ours else in_unit(case, entry.figure)


def _styled(name: str, cases: list[CaseResult]) -> str:
    ours = any(name in case.entries and case.entries[name].ours for case in cases)
    return f"**{name}**" if ours else name
