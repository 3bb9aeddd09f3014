"""The command line: ``python -m benchmarks PART`` measures, ``compare A.json B.json`` compares.

A run leaves a JSON file, a Markdown page and a chart in ``--out`` (``build/bench``).
"""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import goals
from benchmarks.harness import compare, machine, publish, tables
from benchmarks.harness.chart import chart
from benchmarks.harness.part import FULL, QUICK, Effort, Part
from benchmarks.harness.processes import ROOT, load_core, pin
from benchmarks.harness.results import CaseResult, Results
from benchmarks.harness.rounds import measure

PARTS: Final = ("scheduling", "echo", "transfer", "accept", "memory", "http", "churn", "start")

COUNTED: Final = "instructions"
"""A part that is not among all, as it takes a while and changes only with the code."""

HEADLINES: Final = (
    ("scheduling", "switch"),
    ("echo", "plain_100"),
    ("echo", "tls_100"),
    ("http", "kept_50"),
)
"""What the chart of a whole run shows; the chart of one part shows all its cases."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    options = _parser().parse_args(arguments)
    if options.command == "compare":
        sys.exit(_compare(options))
    if options.command == "publish":
        results = Results.together([Results.load(run) for run in options.runs])
        publish.publish(results, goals.table(results), draw(results))
        return
    effort = _effort(options)
    names = PARTS if options.command == "all" else (options.command,)
    pin(load_core())
    results = _measure([find_part(name) for name in names], effort, options.only)
    _save(results, options.out, options.command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in (*PARTS, COUNTED, "all"):
        part = commands.add_parser(name, help="measure all parts" if name == "all" else None)
        part.add_argument("--rounds", type=int, help="samples of each competitor (5)")
        part.add_argument("--seconds", type=float, help="wall time of a sample (0.25)")
        part.add_argument(
            "--scale", type=float, help="factor on sizes in bytes and connections (1)"
        )
        part.add_argument("--quick", action="store_true", help="a rough look: 3 short rounds")
        part.add_argument(
            "--only", action="append", default=[], metavar="NAME", help="a case or a competitor"
        )
        part.add_argument("--out", type=Path, default=ROOT / "build/bench", help="build/bench")
    comparison = commands.add_parser("compare", help="what changed between two runs")
    comparison.add_argument("before", type=Path)
    comparison.add_argument("after", type=Path)
    comparison.add_argument("--everyone", action="store_true", help="competitors too, not only us")
    comparison.add_argument(
        "--at-most", type=float, metavar="FACTOR", help="fail where the cost grew by more than this"
    )
    publication = commands.add_parser("publish", help="put a run, or several parts, into docs/")
    publication.add_argument("runs", type=Path, nargs="+", metavar="RUN.json")
    return parser


def _effort(options: argparse.Namespace) -> Effort:
    effort = QUICK if options.quick else FULL
    if options.command == COUNTED:
        effort = replace(effort, rounds=1)  # it comes to the same each time
    given = {name: getattr(options, name) for name in ("rounds", "seconds", "scale")}
    effort = replace(effort, **{name: value for name, value in given.items() if value is not None})
    if min(effort.rounds, effort.seconds, effort.scale) <= 0:
        sys.exit("rounds, seconds and scale must be positive")
    return effort


def find_part(name: str) -> Part:
    """Return the part of a name."""
    part: Part = importlib.import_module(f"benchmarks.{name}.part").PART
    return part


def _measure(parts: Iterable[Part], effort: Effort, only: Sequence[str]) -> Results:
    parts = list(parts)
    competitors = [competitor for part in parts for competitor in part.competitors]
    results = Results(machine.describe(), machine.versions(competitors))
    for part in parts:
        results.parts[part.name] = measure(part, effort, only)
    return results


def _save(results: Results, folder: Path, name: str) -> None:
    results.save(folder / f"{name}.json")
    page = tables.report(results)
    (folder / f"{name}.md").write_text(page)
    (folder / f"{name}.svg").write_text(draw(results))
    print(page)
    print(goals.table(results))
    print(f"written: {folder / name}.json, .md, .svg")


def draw(results: Results) -> str:
    """Return the chart of a run."""
    cases: list[CaseResult] = [case for _, case in results.all_cases()]
    if len(results.parts) > 1:
        cases = [
            results.parts[part].cases[case]
            for part, case in HEADLINES
            if part in results.parts and case in results.parts[part].cases
        ]
    where = f"{results.machine['cpu']}, {results.machine['python'].partition(',')[0]}"
    return chart(cases, f"{where}, {results.machine['date']}")


def _compare(options: argparse.Namespace) -> int:
    before, after = Results.load(options.before), Results.load(options.after)
    if before.machine["cpu"] != after.machine["cpu"]:
        print("These runs are from different machines: only ratios can be compared.\n")
    found = list(compare.differences(before, after, everyone=options.everyone))
    print(compare.layout(found))
    if options.at_most is None:
        return 0
    return int(any(each.cost > options.at_most and each.verdict == "worse" for each in found))


if __name__ == "__main__":
    main()
