"""Debug mode: each program runs in an interpreter of its own, with TULIP_DEBUG set."""

import logging
import os
import re
import subprocess
import sys
import textwrap
import time

import pytest

from tulip_sched import run, sleep


def debug(program: str) -> str:
    """Run a program in debug mode and return what it wrote to standard error."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "TULIP_DEBUG": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=10,
    ).stderr


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["work(1)", "sleep(1)", "self.method()"])
def test_a_coroutine_that_nobody_drives_is_reported_with_the_line(statement: str) -> None:
    err = debug(
        f"""
        from tulip_sched import coroutine, run, sleep
        @coroutine
        def work(number):
            yield from sleep(0)
        class Some:
            @coroutine
            def method(self):
                yield from sleep(0)
        @coroutine
        def main(self=Some()):
            {statement}
            yield from work(2)
        run(main())
        """
    )
    assert err.count("RuntimeWarning") == 1
    assert "<string>:12: RuntimeWarning: coroutine " in err
    assert "is a 'yield from' or an 'await' missing?" in err


@pytest.mark.slow
def test_what_is_driven_works_as_ever_and_is_not_reported() -> None:
    err = debug(
        """
        from tulip_sched import *
        @coroutine
        def work(number):
            yield from sleep(0.001)
            return number
        async def both():
            assert await work(1) == 1
            assert await create_task(work(2)) == 2
            with move_on_after(0.0001):
                await work(3)
            assert [f.name for f in task_tree()[0].stack][0] == "main"
        @coroutine
        def main():
            yield from both()
            assert (yield from par(work(4), work(5))) == (4, 5)
        run(main())
        unstarted = Task(work(6))
        unstarted.cancel()
        """
    )
    assert err == ""


SUSPENDED = """
from contextlib import asynccontextmanager, contextmanager
from tulip_sched import *

def numbers():
    with move_on_after(100):
        yield 1

async def async_numbers():
    async with TaskGroup():
        await sleep(0.001)
        yield 1

@contextmanager
def managed():
    with fail_after(100):
        yield

@asynccontextmanager
async def async_managed():
    with fail_after(100):
        await sleep(0.001)
        yield

@coroutine
def generator():
    with move_on_after(100):
        yield from sleep(0.001)
        yield from with_timeout(100, sleep(0.001))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "loop, line",
    [("for _ in numbers()", 7), ("async for _ in async_numbers()", 12)],
)
def test_a_scope_left_open_in_a_generator_is_reported_where_it_was_left(
    loop: str, line: int
) -> None:
    err = debug(
        f"""{SUSPENDED}
async def main():
    {loop}:
        await sleep(0.001)
        await sleep(0.001)
run(main())
"""
    )
    assert err.count("RuntimeWarning") == 1
    assert re.search(rf"<string>:{line}: RuntimeWarning: <\w+Scope open", err)
    assert "numbers(), which yielded to its caller and left it open" in err


@pytest.mark.slow
def test_a_scope_that_covers_its_caller_by_intent_is_not_reported() -> None:
    err = debug(
        f"""{SUSPENDED}
async def main():
    with managed():
        await sleep(0.001)
    async with async_managed(), TaskGroup() as group:
        group.start_soon(generator())
        await generator()
    await par(generator(), generator())
run(main())
"""
    )
    assert err == ""


def test_what_holds_up_the_loop_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        time.sleep(0.11)
        await sleep(0)

    with caplog.at_level(logging.WARNING):
        run(main(), debug=True)
    assert "0.1" in caplog.text
    caplog.clear()
    run(main())
    assert caplog.text == ""
