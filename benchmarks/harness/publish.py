"""Put a whole run into the documentation: the page's tables, every table, the chart, the JSON."""

from pathlib import Path
from typing import Final

from benchmarks.harness import tables
from benchmarks.harness.processes import ROOT
from benchmarks.harness.results import Results

BEGIN: Final = "<!-- what follows is written by `hatch run bench:publish` -->"
END: Final = "<!-- what follows is written by hand -->"


def publish(results: Results, goals: str, chart: str, folder: Path = ROOT / "docs") -> None:
    """Write the files, and replace what stands between the two marks in ``performance.md``.

    Raises:
        ValueError: The page has no such marks.
    """
    page = folder / "performance.md"
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the tables, between {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{_tables(results, goals)}\n\n{END}{after}")
    (folder / "performance.svg").write_text(chart)
    (folder / "measurements.md").write_text(tables.report(results))
    results.save(folder / "measurements.json")


def _tables(results: Results, goals: str) -> str:
    pieces = [*tables.facts(results), "", "## What was asked, and what was measured", "", goals]
    for part in results.parts.values():
        pieces += [
            "",
            f"## {part.title}",
            "",
            part.about,
            "",
            tables.samples(part),
            "",
            tables.overview(part),
        ]
    return "\n".join(pieces)
