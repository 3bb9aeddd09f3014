"""A process that cannot open one more file cannot import a module either. Nothing hangs on it."""

import subprocess
import sys
import textwrap

import pytest

# Each program runs in a process of its own: here `logging` has long been imported.
PRELUDE = """
import os, resource, sys
from tulip_sched import Task, create_task, run, sleep, wait_all

def use_up_descriptors():
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    assert "logging" not in sys.modules

async def fails():
    raise ValueError("for a test")
"""


def outcome(program: str) -> tuple[str, str, int]:
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return result.stdout, result.stderr, result.returncode


@pytest.mark.slow
def test_a_task_that_fails_ends() -> None:
    out, err, status = outcome("""
        async def main():
            use_up_descriptors()
            task = create_task(fails())
            await wait_all([task])
            print(repr(task.exception()))
        run(main())
    """)
    assert (out, err, status) == ("ValueError('for a test')\n", "", 0)


@pytest.mark.slow
def test_a_main_that_fails_ends_the_run() -> None:
    _, err, status = outcome("""
        async def main():
            use_up_descriptors()
            await fails()
        run(main())
    """)
    assert err.splitlines()[-1] == "ValueError: for a test"
    assert status == 1


@pytest.mark.slow
def test_a_failure_that_nobody_asked_for_is_told_and_raised() -> None:
    _, err, status = outcome("""
        async def main():
            use_up_descriptors()
            Task(fails(), "the lost one").start()
            await sleep(0)
            await sleep(0)
            print("main goes on", file=sys.stderr)
        run(main())
    """)
    told, raised = err.split("main goes on\n")
    assert "'the lost one'" in told.splitlines()[0]
    assert told.splitlines()[-1] == "ValueError: for a test"
    assert "ValueError: for a test" in raised
    assert status == 1


@pytest.mark.slow
def test_a_deadlock_is_told_of() -> None:
    _, err, _ = outcome("""
        from tulip_sched import Event
        async def main():
            use_up_descriptors()
            await Event().wait()
        run(main())
    """)
    assert err.splitlines()[-1].startswith("task 'main': waits for Event.wait, number 1 of 1")


@pytest.mark.slow
def test_the_tasks_are_shown_at_a_signal_and_the_program_goes_on() -> None:
    out, err, _ = outcome("""
        import signal
        from tulip_sched import dump_tasks_on_signal
        async def main():
            dump_tasks_on_signal()
            use_up_descriptors()
            os.kill(os.getpid(), signal.SIGUSR1)
            await sleep(0.01)
            print("goes on")
        run(main())
    """)
    assert "task 'main': waits for " in err
    assert ", in main" in err
    assert out == "goes on\n"
