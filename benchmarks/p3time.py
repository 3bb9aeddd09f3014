"""What ``yield from`` and ``await`` cost beside plain calls: ``hatch run bench:p3time``.

The comparison that came with the post (``p3time.py``): the same recursion, once with plain calls
and once with coroutines that never suspend. A second table shows what the original left out: the
price of each level of coroutines at every suspension, because a resumption passes through them all.

All variants run in turn in each round, so that the machine's moods meet all of them alike. The
figures are medians of CPU time.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tulip_sched import Gen, coroutine

# A tree of calls: each node calls two below it. Nothing suspends.


def plain_tree(depth: int) -> int:
    """Call itself."""
    if depth == 0:
        return 1
    left = plain_tree(depth - 1)
    right = plain_tree(depth - 1)
    return left + 1 + right


def generator_tree(depth: int) -> Gen[int]:
    """Delegate to itself with ``yield from``."""
    if depth == 0:
        return 1
    left = yield from generator_tree(depth - 1)
    right = yield from generator_tree(depth - 1)
    return left + 1 + right


@coroutine
def tulip_tree(depth: int) -> Gen[int]:
    """Do the same under tulip's decorator."""
    if depth == 0:
        return 1
    left = yield from tulip_tree(depth - 1)
    right = yield from tulip_tree(depth - 1)
    return left + 1 + right


@coroutine
def mixed_tree(depth: int) -> Gen[int]:
    """Delegate to `awaiting_tree`, which awaits this: half the nodes are under ``await``."""
    if depth == 0:
        return 1
    left = yield from awaiting_tree(depth - 1)
    right = yield from awaiting_tree(depth - 1)
    return left + 1 + right


@coroutine
async def awaiting_tree(depth: int) -> int:
    """Await `mixed_tree`."""
    if depth == 0:
        return 1
    left = await mixed_tree(depth - 1)
    right = await mixed_tree(depth - 1)
    return left + 1 + right


async def native_tree(depth: int) -> int:
    """Await itself."""
    if depth == 0:
        return 1
    left = await native_tree(depth - 1)
    right = await native_tree(depth - 1)
    return left + 1 + right


# A chain: one call inside the other, and the innermost suspends again and again.


def plain_chain(depth: int) -> None:
    """Call itself all the way down: what a resumption replaces."""
    if depth > 1:
        plain_chain(depth - 1)


def generator_chain(depth: int, suspensions: int) -> Gen[None]:
    """Delegate to itself with ``yield from``."""
    if depth > 1:
        yield from generator_chain(depth - 1, suspensions)
    else:
        for _ in range(suspensions):
            yield


@coroutine
def tulip_chain(depth: int, suspensions: int) -> Gen[None]:
    """Do the same under tulip's decorator."""
    if depth > 1:
        yield from tulip_chain(depth - 1, suspensions)
    else:
        for _ in range(suspensions):
            yield


@coroutine
async def awaiting_chain(depth: int, suspensions: int) -> None:
    """Await itself, and a coroutine of tulip's at the end, as only that can suspend."""
    if depth > 2:
        await awaiting_chain(depth - 1, suspensions)
    else:
        await tulip_chain(depth - 1, suspensions)


def drive(coro: Any) -> object:
    """Run a coroutine of any kind to its end and return its result."""
    send = coro.send
    try:
        while True:
            send(None)
    except StopIteration as end:
        return end.value


# Both take a size and a number of times, and return how many steps that was.

Work = Callable[[int, int], int]


def grow(tree: Callable[[int], object]) -> Work:
    """Return the work of evaluating a tree again and again; a step is a node."""

    def work(depth: int, steps: int) -> int:
        nodes: int = 2 ** (depth + 1) - 1
        times = max(1, steps // nodes)
        for _ in range(times):
            tree(depth)
        return nodes * times

    return work


def pull(chain: Callable[[int, int], object]) -> Work:
    """Return the work of resuming a chain; a step is one resumption, through every level."""

    def work(depth: int, steps: int) -> int:
        chain(depth, steps)
        return steps

    return work


def call_again(depth: int, steps: int) -> None:
    """Go down a chain of plain calls, anew each time."""
    for _ in range(steps):
        plain_chain(depth)


TREES: dict[str, Work] = {
    "plain call": grow(plain_tree),
    "generator, yield from": grow(lambda depth: drive(generator_tree(depth))),
    "@coroutine, yield from": grow(lambda depth: drive(tulip_tree(depth))),
    "@coroutine, await": grow(lambda depth: drive(mixed_tree(depth))),
    "async def, await": grow(lambda depth: drive(native_tree(depth))),
}

CHAINS: dict[str, Work] = {
    "plain call": pull(call_again),
    "generator, yield from": pull(lambda depth, steps: drive(generator_chain(depth, steps))),
    "@coroutine, yield from": pull(lambda depth, steps: drive(tulip_chain(depth, steps))),
    "async def, await": pull(lambda depth, steps: drive(awaiting_chain(depth, steps))),
}


def compare(
    variants: Mapping[str, Work], sizes: Sequence[int], *, steps: int, rounds: int
) -> dict[str, list[float]]:
    """Measure every variant at every size, in turn.

    Args:
        variants: What to measure.
        sizes: The depths.
        steps: How many steps one measurement takes, about.
        rounds: How often each is measured; before that, once to warm up.

    Returns:
        For each variant the median nanoseconds of CPU time per step, size by size.
    """
    samples: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds + 1):
        for size in sizes:
            for name, work in variants.items():
                began = time.process_time_ns()
                done = work(size, steps)
                spent = (time.process_time_ns() - began) / done
                if number > 0:
                    samples.setdefault((name, size), []).append(spent)
    return {name: [statistics.median(samples[name, size]) for size in sizes] for name in variants}


def table(title: str, sizes: Sequence[int], results: Mapping[str, Sequence[float]]) -> str:
    """Lay out results as text: nanoseconds, and in brackets how many times the first variant."""
    lines = [title, f"{'depth':24}" + "".join(f"{size:>16}" for size in sizes)]
    floor = next(iter(results.values()))
    for name, figures in results.items():
        cells = (
            f"{figure:8.1f} ({figure / least:4.1f})".rjust(16) if least else f"{figure:16.1f}"
            for figure, least in zip(figures, floor, strict=True)
        )
        lines.append(f"{name:24}" + "".join(cells))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, and print both tables."""
    parser = argparse.ArgumentParser(description="The cost of coroutines beside plain calls.")
    parser.add_argument("--rounds", type=int, default=7, help="measurements (default 7)")
    parser.add_argument("--steps", type=int, default=100_000, help="steps in each (100000)")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.steps < 1:
        parser.error("rounds and steps must be at least 1")
    print(f"Python {platform.python_version()}, {platform.machine()}: ns of CPU time per step,")
    print(f"median of {options.rounds} rounds (and how many times a plain call)\n")
    for title, variants, sizes in (
        ("A call in a tree of calls that never suspend", TREES, (4, 8, 12)),
        ("A resumption through a chain of calls", CHAINS, (2, 5, 10, 20)),
    ):
        results = compare(variants, sizes, steps=options.steps, rounds=options.rounds)
        print(table(title, sizes, results), end="\n\n")


if __name__ == "__main__":
    main()
