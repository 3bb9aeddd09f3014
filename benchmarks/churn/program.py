"""The process under test: one client, one run."""

import os
import time

from benchmarks.churn.trial import Trial
from benchmarks.harness import processes
from benchmarks.harness.meter import Sample
from benchmarks.harness.part import load


def main() -> None:
    """Run, and print how many requests were completed."""
    program, port, seconds = processes.arguments()
    processes.pin(processes.tested_core())
    with processes.exits():
        module, _, name = program.partition(":")
        churn = getattr(load(module), name or "churn")
        trial = Trial(f"http://127.0.0.1:{port}/", seconds)
        cpu = time.process_time()
        churn(trial)
    facts = {"probes": float(trial.probes), "cpu_seconds": time.process_time() - cpu}
    processes.print_sample(Sample(trial.completed, None, 1, facts))
    os._exit(0)  # a client that has lost itself need not find its end; see also http/program.py


if __name__ == "__main__":
    main()
