"""The process under test: parks tasks."""

from benchmarks.harness import processes
from benchmarks.memory.census import Census
from benchmarks.scheduling.program import run


def main() -> None:
    """Park tasks, and print what one takes."""
    program, tasks = processes.arguments()
    processes.pin(processes.tested_core())
    with processes.exits():
        census = Census(tasks)
        run(program, "park", census)
    processes.print_sample(census.sample)


if __name__ == "__main__":
    main()
