"""`run_process`, cancelled: the child ends, and nothing is left."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from tests.guards.leftovers import child_processes, open_descriptors
from tests.net.watched import watched
from tulip_net import (
    create_task,
    current_context,
    fail_after,
    move_on_after,
    run,
    run_process,
    sleep,
)
from tulip_sched import run_in_asyncio
from tulip_sched.testing import virtual_time

STUBBORN = "trap '' TERM; echo ready; exec sleep 60"
"""It ignores being asked to end: what is ignored stays so through exec (POSIX exec)."""


@contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_cancellation_by_asyncio_ends_the_child() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_in_asyncio(run_process(["sleep", "60"]))
        assert child_processes() == before

    before = child_processes()
    asyncio.run(main())


def test_a_grandchild_that_keeps_the_output_open_does_not_keep_a_cancellation() -> None:
    async def main() -> None:
        # The grandchild reads a pipe, for as long as that is open.
        with a_pipe() as (reading, _), pytest.raises(TimeoutError), fail_after(0.05):
            await run_process(
                f"cat /dev/fd/{reading} & exit 0", shell=True, stdout=PIPE, pass_fds=[reading]
            )

    run(main())


def test_a_cancelled_one_is_asked_to_end(way: str, tmp_path: Path) -> None:
    """It has the time to clean up."""
    script = f"trap 'sleep 0.02; echo cleaned >{tmp_path}/up; exit' TERM; echo ready; read x"
    its_input, keeps_it = os.pipe()

    async def main() -> None:
        before = watched()
        with a_pipe() as (reading, writing):
            command = ["sh", "-c", script]
            task = create_task(run_process(command, stdin=its_input, stdout=writing, stderr=PIPE))
            await sleep(0)
            assert os.read(reading, 6) == b"ready\n"
            task.cancel()
            await task.wait()
        assert task.cancelled()
        assert watched() == before

    before = child_processes()
    run(main())
    assert (tmp_path / "up").read_text() == "cleaned\n"
    assert child_processes() == before
    os.close(its_input)
    os.close(keeps_it)


def test_one_that_ends_with_many_words_is_not_stuck_with_them() -> None:
    """More than a pipe holds, and nobody reads any more."""
    script = "trap 'head -c 1000000 /dev/zero; exit' TERM; echo ready >&2; sleep 0.02"

    async def main() -> None:
        with a_pipe() as (reading, writing):
            command = ["sh", "-c", script]
            task = create_task(run_process(command, stdout=PIPE, stderr=writing, grace=None))
            await sleep(0)
            assert os.read(reading, 6) == b"ready\n"
            task.cancel()
            await task.wait()

    run(main())


async def seconds_to_end_a_stubborn_one(grace: float) -> float:
    loop = current_context().eventloop
    with a_pipe() as (reading, writing):
        task = create_task(run_process(["sh", "-c", STUBBORN], stdout=writing, grace=grace))
        await sleep(0)
        assert os.read(reading, 6) == b"ready\n"  # blocks, as virtual time is not to jump yet
        before = loop.time()
        task.cancel()
        await task.wait()
        return loop.time() - before


@pytest.mark.parametrize("grace", [5.0, 0.5, 0])
def test_one_that_does_not_listen_is_killed_after_the_grace_period(
    grace: float, caplog: pytest.LogCaptureFixture
) -> None:
    before = child_processes()
    with caplog.at_level(logging.WARNING, "tulip_net"), virtual_time():
        assert run(seconds_to_end_a_stubborn_one(grace)) == pytest.approx(grace)
    assert child_processes() == before
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == bool(grace)
    assert all(f"SIGTERM did not end it in {grace:g} s" in each for each in told)


def test_that_takes_no_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time stands still while a thread waits; by itself the child ends in a minute."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert 0.01 <= run(seconds_to_end_a_stubborn_one(0.01)) < 15


def test_one_that_is_never_to_be_killed_is_waited_for() -> None:
    async def main() -> None:
        with move_on_after(0.05) as scope:
            await run_process("trap '' TERM; sleep 0.1; exit 0", shell=True, grace=None)
        assert scope.cancelled_caught

    with virtual_time():
        run(main())


def test_a_task_cancelled_again_and_again_still_waits_for_the_end() -> None:
    async def main() -> None:
        task = create_task(run_process(["sleep", "60"]))
        await sleep(0)
        for _ in range(3):
            task.cancel()
            await sleep(0)
        await task.wait()

    before = child_processes()
    run(main())
    assert child_processes() == before


def test_one_that_is_not_ours_to_end_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after sudo: kill(2), ``EPERM``. The kernel cannot be had to say so to root."""

    reading, writing = os.pipe()

    def refuses(_pid: int, _number: int) -> None:
        os.write(writing, b"x")  # only now does it end by itself
        raise PermissionError(1, "Operation not permitted")

    async def main() -> None:
        task = create_task(run_process(["head", "-c", "1"], stdin=reading, stdout=DEVNULL))
        await sleep(0)
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", refuses)
            task.cancel()
            await task.wait()
        assert task.cancelled()

    before = child_processes()
    with caplog.at_level(logging.WARNING, "tulip_net"):
        run(main())
    assert child_processes() == before
    assert "cannot be ended, and is waited for: [Errno 1]" in caplog.text
    os.close(reading)
    os.close(writing)


@pytest.mark.slow
def test_cancelled_at_any_moment_it_leaves_nothing(way: str) -> None:
    async def main() -> None:
        children, descriptors, watches = child_processes(), open_descriptors(), watched()
        for moment in range(60):
            with move_on_after(moment / 20_000):
                await run_process(["cat"], input=b"x" * 100_000, capture_output=True)
            assert child_processes() == children
            assert open_descriptors() == descriptors
            assert watched() == watches

    run(main())
