"""The process under test: makes clients and closes them."""

from benchmarks.harness import processes
from benchmarks.harness.meter import Meter
from benchmarks.harness.part import load


def main() -> None:
    """Measure, and print the sample."""
    program, seconds = processes.arguments()
    processes.pin(processes.tested_core())
    with processes.exits():
        module = load(program)
    meter = Meter(seconds)
    getattr(module, "construct")(meter)  # noqa: B009 - a module has no type for this
    processes.print_sample(meter.sample)


if __name__ == "__main__":
    main()
