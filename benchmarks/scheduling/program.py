"""The process under test: one competitor, one case, one sample.

A competitor's module has a coroutine function for each case, which takes a meter, and
``run(case, meter)``, which runs one. What a library does not have is told in its ``ABSENT``.
"""

from types import ModuleType

from benchmarks.harness import processes
from benchmarks.harness.meter import Meter
from benchmarks.harness.part import AbsentError, load

IN_TURN = {"switch": 100, "spawn_many": 100, "threadsafe": 100}
"""How many tasks or calls go together in a case; every count is a multiple of it."""


def main() -> None:
    """Measure, and print the sample."""
    program, case, seconds = processes.arguments()
    processes.pin(processes.tested_core())
    with processes.exits():
        meter = Meter(seconds, multiple=IN_TURN.get(case, 1))
        run(program, case, meter)
    processes.print_sample(meter.sample)


def run(program: str, case: str, meter: Meter) -> None:
    """Run one case of one competitor.

    Raises:
        AbsentError: It is not installed, or has nothing of the kind.
    """
    module = load(program)
    assert isinstance(module, ModuleType)
    absent: dict[str, str] = getattr(module, "ABSENT", {})
    if case in absent:
        raise AbsentError(absent[case])
    try:
        module.run(getattr(module, case), meter)
    except ImportError as error:
        raise AbsentError(f"not there yet: {error}") from error


if __name__ == "__main__":
    main()
