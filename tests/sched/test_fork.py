"""Processes that are forked inside a run, as the workers of a pool of processes are."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,  # each starts Python anew
    pytest.mark.skipif(sys.platform == "win32", reason="no fork()"),
]

CHILD = """
import multiprocessing, os, signal
from tulip_sched import call_in_thread, create_task, current_task, run, run_in_asyncio, sleep

async def give(value):
    await sleep(0.001)
    assert current_task().name == "main"
    return value

def run_two(value):
    return run(give(value)) + run(give(value))

def in_a_child(work):
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def output(program: str) -> str:
    """Run a program, in which warnings are errors, and return all that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_the_workers_of_a_pool_run_coroutines() -> None:
    program = """
async def main():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(await call_in_thread(pool.map, run_two, [1, 2]))
run(main())
"""
    assert output(program) == "[2, 4]\n"


def test_a_forked_process_runs_coroutines_and_leaves_the_parent_s_alone() -> None:
    program = """
async def cleans_up(name):
    try:
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

async def main():
    create_task(cleans_up("the parent"))
    await sleep(0)
    print(in_a_child(lambda: run_two(3)), flush=True)
    await sleep(0.001)
    print("the end", flush=True)
run(main())
"""
    assert output(program) == "6\nthe end\ncleaned up\n"


def test_a_process_forked_from_asyncio_with_tulip_inside_runs_coroutines() -> None:
    program = """
import asyncio
async def main():
    print(in_a_child(lambda: run_two(3)), flush=True)
    await sleep(0.001)
asyncio.run(run_in_asyncio(main()))
"""
    assert output(program) == "6\n"


def test_ctrl_c_in_a_forked_process_ends_its_own_run() -> None:
    program = """
async def interrupted():
    try:
        signal.raise_signal(signal.SIGINT)
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

def work():
    try:
        run(interrupted())
    except KeyboardInterrupt:
        return 7

async def main():
    print(in_a_child(work), flush=True)
    await sleep(0.001)
run(main())
"""
    assert output(program) == "cleaned up\n7\n"
