"""Leave one machine: run functions on a cluster, from one event loop.

`ThreadRunner` takes any `concurrent.futures.Executor`. This program starts a small cluster of two
worker processes on this machine, with dask.distributed, and submits to it. Given the address of a
real cluster's scheduler, the same lines reach its machines.

    pip install distributed
    python examples/cluster.py [tcp://scheduler:8786]
"""

# distributed has no type annotations, and need not be installed to check the rest.
# mypy: disable-error-code="import-not-found, no-untyped-call"

import os
import sys
from concurrent.futures import Future

from distributed import Client, LocalCluster

from tulip_poll import EventLoop, ThreadRunner

CHUNKS = [(start, start + 5_000) for start in range(0, 50_000, 5_000)]


def count_primes(start: int, end: int) -> tuple[int, int]:
    """Count the primes in a range; return their number, and the process that found them."""
    found = sum(
        all(number % divisor for divisor in range(2, int(number**0.5) + 1))
        for number in range(max(start, 2), end)
    )
    return found, os.getpid()


def main(arguments: list[str]) -> None:
    """Count the primes below 50,000, in as many processes as there are."""
    if arguments:
        with Client(arguments[0]) as client:
            submit_to(client)
    else:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            submit_to(client)


def submit_to(client: Client) -> None:
    """Submit all chunks, and let the event loop collect what comes back."""
    loop = EventLoop()
    counts: list[int] = []
    workers: set[int] = set()

    def collect(future: Future[tuple[int, int]]) -> None:
        found, process = future.result()
        counts.append(found)
        workers.add(process)

    with ThreadRunner(loop, client.get_executor()) as runner:
        for start, end in CHUNKS:
            runner.submit(count_primes, start, end, on_done=collect)
        # Until nothing is pending; timers and descriptors would have their turn meanwhile.
        loop.run()
    loop.close()
    print(f"{sum(counts)} primes, counted by {len(workers)} processes")


if __name__ == "__main__":
    main(sys.argv[1:])
