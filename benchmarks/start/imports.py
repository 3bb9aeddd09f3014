"""The process under test: imports one module. It imports next to nothing before the clock runs."""

import json
import os
import sys
import time

ABSENT = 77


def main() -> None:
    """Import, and print what that took."""
    module = json.loads(sys.argv[1])
    os.sched_setaffinity(0, {int(os.environ["TULIP_BENCHMARK_CORES"].split()[1])})
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    try:
        __import__(module)
    except ImportError as error:
        print(f"not installed: {error}", file=sys.stderr)
        sys.exit(ABSENT)
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    print(json.dumps({"figure": cpu, "wall": wall, "count": 1}))


if __name__ == "__main__":
    main()
