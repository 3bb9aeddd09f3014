"""The process under test: one client, one case, one sample."""

import os

from benchmarks.harness import processes
from benchmarks.harness.meter import Meter
from benchmarks.harness.part import load
from benchmarks.http.job import Job


def main() -> None:
    """Measure, and print the sample."""
    program, task, url, at_once, authority, size, seconds = processes.arguments()
    processes.pin(processes.tested_core())
    with processes.exits():
        perform = getattr(load(program), task)
    most = 1 if task == "download" else None
    meter = Meter(seconds, multiple=max(1, at_once), most=most)
    perform(Job(url, at_once, authority, size, meter))
    processes.print_sample(meter.sample)
    # Without clean-up: threads of pyreqwest 0.15 now and then crash an interpreter that ends.
    os._exit(0)


if __name__ == "__main__":
    main()
