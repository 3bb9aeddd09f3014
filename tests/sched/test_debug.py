"""Debug mode: most programs run in an interpreter of their own, with TULIP_DEBUG set."""

import logging
import os
import re
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from tests.sched.sockets import readable, writable
from tulip_poll import SlowCallback
from tulip_sched import (
    Context,
    EventLoop,
    Watch,
    create_task,
    current_context,
    run,
    set_context_provider,
    sleep,
)

TOOK_LONG = "and nothing else could run"


def debug(program: str, *options: str, tulip_debug: str = "1", slow: bool = False) -> str:
    """Run a program in debug mode and return what it wrote to standard error.

    Reports of what took long are left out unless asked for: a busy machine has others to tell.
    """
    err = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        env={**os.environ, "TULIP_DEBUG": tulip_debug},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    ).stderr
    lines = err.splitlines(keepends=True)
    return "".join(line for line in lines if slow or not line.endswith(f"{TOOK_LONG}\n"))


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "again",
    [
        "await work",
        "await in_a_generator()",
        "await create_task(work)",
        "await with_timeout(1, work)",
    ],
)
def test_a_coroutine_that_was_driven_to_its_end_is_not_driven_again(again: str) -> None:
    err = debug(
        f"""
        from tulip_sched import *
        @coroutine
        def one():
            yield from sleep(0)
            return 1
        async def main():
            work = one()
            assert await work == 1
            @coroutine
            def in_a_generator():
                return (yield from work)
            try:
                {again}
            except RuntimeError as error:
                assert "cannot reuse already awaited coroutine" in str(error), error
            else:
                raise AssertionError("it gave something")
        run(main())
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


@pytest.mark.slow
def test_a_scope_that_a_generator_leaves_open_at_its_end_is_not_reported() -> None:
    err = debug(
        """
from tulip_sched import CancelScope, coroutine, run, sleep
class Manager:
    @coroutine
    def __aenter__(self):
        self.scope = CancelScope()
        self.scope.__enter__()
        yield from sleep(0)
    @coroutine
    def __aexit__(self, *error):
        yield from sleep(0)
        return self.scope.__exit__(*error)
    def enter(self):
        yield from self.__aenter__()
        with CancelScope():
            yield from sleep(0)
async def main():
    async with Manager():
        await sleep(0.001)
@coroutine
def generator():
    manager = Manager()
    yield from manager.enter()
    yield from sleep(0.001)
    yield from manager.__aexit__(None, None, None)
run(main())
run(generator())
"""
    )
    assert err == ""


@pytest.mark.slow
def test_a_cancelled_coroutine_is_named_and_leaves_no_cycle() -> None:
    err = debug(
        """
import gc
from tulip_sched import *
@coroutine
def work(number):
    yield from sleep(number)
async def main():
    task, joins = create_task(work(9)), create_task(fails())
    await sleep(0)
    task.cancel()
    await wait_all([task, joins])
    coro = work(1)
    try:
        await wait_all([coro])
    except TypeError as error:
        assert "work" in str(error), error
    coro.close()
@coroutine
def fails():
    yield from sleep(0)
    raise LookupError
gc.disable()
run(main())
gc.set_debug(gc.DEBUG_SAVEALL)
gc.collect()
left = [thing for thing in gc.garbage if isinstance(thing, (Task, BaseException))]
gc.set_debug(0)
assert left == [], left
"""
    )
    assert err == ""


FORGETFUL = """
from tulip_sched import coroutine, run, sleep
@coroutine
def main():
    sleep(1)
    yield from sleep(0)
run(main())
"""


@pytest.mark.slow
def test_development_mode_is_debug_mode_unless_the_environment_says_no() -> None:
    assert "coroutine sleep() was called" in debug(FORGETFUL, "-X", "dev", tulip_debug="")
    assert debug(FORGETFUL, "-X", "dev", tulip_debug="0") == ""
    assert debug(FORGETFUL, tulip_debug="") == ""


@pytest.mark.slow
def test_functions_are_recognized_as_ever() -> None:
    err = debug(
        """
        import functools
        from tulip_sched import *
        @coroutine
        def work():
            yield from sleep(0)
            return 42
        assert coroutine(work) is work
        @functools.wraps(work)
        def plain():
            return 43
        class Some:
            method = work
        async def main():
            for function in (work, Some().method):
                try:
                    await call_in_thread(function)
                except TypeError as error:
                    assert "coroutine function" in str(error)
                else:
                    raise AssertionError(function)
            return await call_in_thread(plain)
        assert run(main()) == 43
        """
    )
    assert err == ""


@pytest.mark.slow
def test_a_forgotten_from_is_told_of_once() -> None:
    err = debug(
        """
        from tulip_sched import *
        @coroutine
        def main():
            try:
                yield sleep(1)
            except SuspendError as error:
                assert "did you forget 'from'" in str(error)
        run(main())
        """
    )
    assert err == ""


@pytest.mark.slow
def test_the_stack_of_a_task_has_the_program_s_lines_only() -> None:
    err = debug(
        """
        from tulip_sched import *
        @coroutine
        def inner():
            yield from Event().wait()
        async def main():
            await inner()
        try:
            run(main())
        except DeadlockError as error:
            assert "in inner" in str(error) and "TrackedCoroutine" not in str(error)
        """
    )
    assert err == ""


@pytest.mark.slow
def test_a_report_that_is_made_an_error_leaves_no_timer() -> None:
    err = debug(
        f"""{SUSPENDED}
from tulip_sched.testing import no_leaks
async def main():
    try:
        for _ in numbers():
            await sleep(1000)
    except RuntimeWarning as error:
        assert "numbers(), which yielded" in str(error)
with no_leaks():
    run(main())
""",
        "-W",
        "error::RuntimeWarning",
    )
    assert err == ""


@pytest.mark.slow
def test_under_asyncio_too_what_holds_up_the_loop_is_reported() -> None:
    err = debug(
        """
        import asyncio, time
        from tulip_sched import *
        async def main():
            time.sleep(0.11)
        asyncio.run(run_in_asyncio(main()))
        """,
        slow=True,
    )
    assert TOOK_LONG in err


def test_a_bare_async_def_that_nobody_awaits_is_reported_with_the_line() -> None:
    async def forgotten() -> None:
        await sleep(0)

    async def main(debug: bool) -> int:
        assert sys.get_coroutine_origin_tracking_depth() == debug
        call = forgotten()
        line = sys._getframe().f_lineno - 1
        await sleep(0)
        with pytest.warns(RuntimeWarning, match="'.*forgotten' was never awaited") as reports:
            del call
        told = str(reports[0].message)
        assert debug == (f'{__file__}", line {line}, in main' in told)
        return 1

    assert run(main(debug=True), debug=True)
    assert run(main(debug=False))


def test_what_holds_up_the_loop_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        time.sleep(0.11)
        await sleep(0)

    with caplog.at_level(logging.WARNING):
        run(main(), debug=True)
    assert TOOK_LONG in caplog.text
    caplog.clear()
    run(main())
    assert caplog.text == ""


@pytest.mark.parametrize("then", ["reads", "writes", "ends", "sleeps"])
def test_a_task_that_came_back_from_a_descriptor_is_named(then: str) -> None:
    told: list[SlowCallback] = []
    ours, theirs = socket.socketpair()

    async def wait_and_work(watch: Watch) -> None:
        await readable(watch)
        time.sleep(0.011)
        if then == "reads":
            await readable(watch)
        elif then == "writes":
            await writable(watch)
        elif then == "sleeps":
            await sleep(0)

    async def main() -> None:
        watch = Watch(ours.fileno())
        current_context().eventloop.report_slow_callbacks(0.01, told.append)
        worker = create_task(wait_and_work(watch), "worker")
        await sleep(0)
        theirs.send(b"x")
        await worker
        watch.forget()

    with ours, theirs:
        run(main())
    # Others may have taken as long, on a busy machine.
    slow = next(each for each in told if each.source.startswith("task 'worker'"))
    if then == "reads":
        assert slow.source.endswith("wait_and_work > readable)")


def test_reports_of_the_loop_s_owner_come_back_after_the_run() -> None:
    loop, told = EventLoop(), list[SlowCallback]()
    loop.report_slow_callbacks(0.05, told.append)
    context = Context(loop)
    previous = set_context_provider(lambda: context)
    try:
        run(sleep(0), debug=True)
    finally:
        set_context_provider(previous)
    assert loop.report_slow_callbacks(None) == (0.05, told.append)
    loop.close()
