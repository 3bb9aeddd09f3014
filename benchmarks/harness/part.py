"""What is compared: parts, their cases, and the competitors in them."""

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.harness.meter import Sample

Stage = TypeVar("Stage")


@dataclass(frozen=True)
class Effort:
    """How much work a run is.

    Attributes:
        rounds: Samples of each competitor in each case.
        seconds: Wall time of one sample, where time is what limits it.
        scale: Factor on sizes that are fixed otherwise: bytes transferred, connections held.
    """

    rounds: int
    seconds: float
    scale: float


FULL = Effort(rounds=5, seconds=0.25, scale=1.0)
QUICK = Effort(rounds=3, seconds=0.1, scale=0.1)


@dataclass(frozen=True)
class Case:
    """One thing that is measured, and gets a table.

    Attributes:
        name: Short, unique in its part, for the command line and the JSON.
        title: For people.
        unit: What a figure is shown in, one of `tables.UNITS`: "us" for example, of nanoseconds.
        per: What one unit of work is.
        higher_is_better: The direction of the figure.
    """

    name: str
    title: str
    unit: str
    per: str
    higher_is_better: bool = False


@dataclass(frozen=True)
class Competitor:
    """A library, used in one way.

    Attributes:
        name: For people and for ``--only``.
        program: Where its code is: "module" or "module:function".
        distribution: What its version is read from; "" for what comes with Python.
        floor: Whether this is the least that the work can cost, and no library.
        ours: Whether this is tulip.
    """

    name: str
    program: str
    distribution: str = ""
    floor: bool = False
    ours: bool = False


class AbsentError(Exception):
    """A competitor does not take part in a case; the message is the reason, for the table."""


@dataclass(frozen=True)
class Part:
    """A part of the benchmark.

    Attributes:
        name: As on the command line.
        title: For people.
        cases: What is measured.
        competitors: Who takes part.
        staged: Makes what the samples need around them, such as a server; it is entered once for
            all rounds and hands out the function that takes one sample.
        about: How it is measured, a paragraph for the table.
    """

    name: str
    title: str
    cases: Sequence[Case]
    competitors: Sequence[Competitor]
    staged: Callable[[Effort], AbstractContextManager[Callable[[Case, Competitor], Sample]]]
    about: str


def load(program: str) -> object:
    """Return the module or the function that a competitor's ``program`` names.

    Raises:
        AbsentError: What it needs is not installed; the message says what.
    """
    module_name, _, function = program.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise AbsentError(f"not installed: {error}") from error
    return getattr(module, function) if function else module
