"""Results: samples, medians, ratios, and the JSON file they are kept in."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.harness.meter import Sample
from benchmarks.harness.part import Case, Competitor


@dataclass
class Entry:
    """One competitor's samples in one case."""

    name: str
    floor: bool = False
    ours: bool = False
    samples: list[Sample] = field(default_factory=list)

    @property
    def figure(self) -> float:
        """The median."""
        return statistics.median(sample.figure for sample in self.samples)

    @property
    def wall(self) -> float | None:
        """The median of the wall times, if there are any."""
        walls = [sample.wall for sample in self.samples if sample.wall is not None]
        return statistics.median(walls) if walls else None

    @property
    def spread(self) -> float:
        """Half the distance from the least to the largest sample, as a share of the median."""
        figures = [sample.figure for sample in self.samples]
        return (max(figures) - min(figures)) / 2 / self.figure if self.figure else 0.0

    def fact(self, name: str) -> float | None:
        """Return the median of what else was seen, if it was."""
        values = [sample.facts[name] for sample in self.samples if name in sample.facts]
        return statistics.median(values) if values else None


@dataclass
class CaseResult:
    """All competitors in one case.

    Attributes:
        entries: By competitor, in the order of the registry.
        absent: Why a competitor is not among them.
    """

    name: str
    title: str
    unit: str
    per: str
    higher_is_better: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case) -> Self:
        """Return an empty result."""
        return cls(case.name, case.title, case.unit, case.per, case.higher_is_better)

    def add(self, competitor: Competitor, sample: Sample) -> None:
        """Take a sample in."""
        entry = self.entries.setdefault(
            competitor.name, Entry(competitor.name, competitor.floor, competitor.ours)
        )
        entry.samples.append(sample)

    @property
    def floor(self) -> Entry | None:
        """The least that the work can cost, if that was measured."""
        return next((entry for entry in self.entries.values() if entry.floor), None)

    @property
    def best_rival(self) -> Entry | None:
        """The best of those that are neither tulip nor the floor."""
        rivals = [entry for entry in self.entries.values() if not entry.floor and not entry.ours]
        return min(rivals, key=self._order, default=None)

    def ranked(self) -> list[Entry]:
        """Return all competitors, the best first."""
        return sorted(self.entries.values(), key=self._order)

    def _order(self, entry: Entry) -> float:
        return -entry.figure if self.higher_is_better else entry.figure


@dataclass
class PartResult:
    """All cases of a part, and the rounds, seconds and scale they were measured with."""

    name: str
    title: str
    about: str
    effort: dict[str, float] = field(default_factory=dict)
    cases: dict[str, CaseResult] = field(default_factory=dict)


@dataclass
class Results:
    """A whole run.

    Attributes:
        machine: Where, when and with what; see `benchmarks.harness.machine`.
        versions: Of everything that was compared.
        parts: By name.
    """

    machine: dict[str, str]
    versions: dict[str, str]
    parts: dict[str, PartResult] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Write the JSON file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), separators=(",", ":")) + "\n")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file that `save` wrote."""
        data: dict[str, Any] = json.loads(file.read_text())
        parts = {name: _part(part) for name, part in data.pop("parts").items()}
        return cls(**data, parts=parts)

    @classmethod
    def together(cls, runs: "Sequence[Results]") -> "Results":
        """Return runs of several parts as one; what they say of themselves is the last one's.

        Raises:
            ValueError: They are from different machines.
        """
        if len({(run.machine["cpu"], run.machine["python"]) for run in runs}) != 1:
            raise ValueError("these runs are from different machines")
        last = runs[-1]
        versions = {name: each for run in runs for name, each in run.versions.items()}
        parts = {name: part for run in runs for name, part in run.parts.items()}
        return cls(last.machine, dict(sorted(versions.items())), parts)

    def all_cases(self) -> Iterable[tuple[PartResult, CaseResult]]:
        """Give every case with its part."""
        for part in self.parts.values():
            for case in part.cases.values():
                yield part, case


def _part(data: dict[str, Any]) -> PartResult:
    cases = {name: _case(case) for name, case in data.pop("cases").items()}
    return PartResult(**data, cases=cases)


def _case(data: dict[str, Any]) -> CaseResult:
    entries = {name: _entry(entry) for name, entry in data.pop("entries").items()}
    return CaseResult(**data, entries=entries)


def _entry(data: dict[str, Any]) -> Entry:
    samples = [Sample(**sample) for sample in data.pop("samples")]
    return Entry(**data, samples=samples)
