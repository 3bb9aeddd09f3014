"""Ctrl-C: a real SIGINT, sent to a program of its own."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    BoundedSemaphore,
    Cancelled,
    Event,
    Lock,
    RLock,
    Semaphore,
    Task,
    TaskGroup,
    run,
    shield,
    sleep,
)

PRELUDE = """
import os, signal
from tulip_sched import Cancelled, create_task, run, sleep, shield
"""


def interrupt(program: str, *, times: int = 1) -> tuple[str, str, int]:
    """Run a program, send SIGINT whenever it prints a line ``ready``, return what came of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line == "ready\n" and times:
            times -= 1
            process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    return "".join(seen) + out, err, process.returncode


@pytest.mark.slow
def test_the_first_interrupt_cancels_main_and_lets_it_clean_up() -> None:
    out, err, status = interrupt(
        """
        async def main():
            print("ready", flush=True)
            try:
                await sleep(60)
            except Cancelled:
                with shield():
                    await sleep(0.01)
                print("cleaned up")
                raise
        run(main())
        """
    )
    assert "cleaned up" in out
    assert "KeyboardInterrupt" in err
    assert status in {1, -signal.SIGINT}


@pytest.mark.slow
def test_the_second_interrupt_is_immediate() -> None:
    out, err, _ = interrupt(
        """
        async def main():
            print("ready", flush=True)
            try:
                await sleep(60)
            finally:
                print("ready", flush=True)
                with shield():
                    await sleep(60)
                print("cleaned up")
        run(main())
        """,
        times=2,
    )
    assert "cleaned up" not in out
    assert "KeyboardInterrupt" in err


@pytest.mark.slow
def test_an_interrupt_that_main_survives_is_no_error() -> None:
    out, err, status = interrupt(
        """
        async def main():
            print("ready", flush=True)
            try:
                await sleep(60)
            except Cancelled:
                return "survived"
        print(run(main()))
        """
    )
    assert (out, err, status) == ("ready\nsurvived\n", "", 0)


@pytest.mark.slow
def test_other_tasks_are_cancelled_after_main() -> None:
    out, _, _ = interrupt(
        """
        async def other():
            try:
                await sleep(60)
            finally:
                print("other ends")
        async def main():
            create_task(other())
            await sleep(0)
            print("ready", flush=True)
            try:
                await sleep(60)
            finally:
                print("main ends")
        run(main())
        """
    )
    assert out == "ready\nmain ends\nother ends\n"


@pytest.mark.slow
def test_a_handler_of_the_program_s_own_stays() -> None:
    out, _, status = interrupt(
        """
        import sys
        def mine(*_):
            print("mine")
            sys.exit(7)
        signal.signal(signal.SIGINT, mine)
        async def main():
            print("ready", flush=True)
            await sleep(60)
        run(main())
        """
    )
    assert (out, status) == ("ready\nmine\n", 7)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals go to the process here")
def test_an_interrupt_that_another_thread_gets_does_not_wait_for_the_poll() -> None:
    """The main thread's poll is not interrupted then, and Python calls handlers only there."""
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait, args=(10,))
    thread.start()
    assert thread.ident is not None
    polling = threading.Timer(0.02, signal.pthread_kill, [thread.ident, signal.SIGINT])

    async def main() -> None:
        polling.start()
        try:
            await sleep(5)
        except Cancelled:
            with shield():  # the clean-up may poll, too
                await sleep(0.001)
            raise

    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(main())
    finally:
        leave.set()
        thread.join()
        polling.join()
    assert time.monotonic() - began < 3
    assert signal.set_wakeup_fd(-1) == -1


def test_a_handler_that_the_loop_got_in_the_run_goes_with_it() -> None:
    """What it took the place of was the handler of that run, and is nobody's afterwards."""
    out, err, code = interrupt("""
        from tulip_sched import current_context
        async def first():
            current_context().eventloop.add_signal_handler(signal.SIGINT, int)
        async def second():
            try:
                print("ready", flush=True)
                await sleep(1000)
            finally:
                await sleep(0)
                print("not cleaned up")
        run(first())
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        try:
            run(second())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert (out, code) == ("interrupted\nready\ninterrupted\n", 0), err


def test_a_handler_that_the_program_set_in_the_run_stays() -> None:
    seen: list[int] = []

    def later(number: int, _frame: object) -> None:
        seen.append(number)

    async def main() -> None:
        signal.signal(signal.SIGINT, later)
        await sleep(0)

    try:
        run(main())
        assert signal.getsignal(signal.SIGINT) is later
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_run_that_is_given_up_undoes_what_its_tasks_waited_for(virtual: Virtual) -> None:
    event = Event()

    async def main() -> None:
        Task(sleep(1000)).start()
        Task(event.wait()).start()
        await sleep(0)
        signal.raise_signal(signal.SIGINT)
        with shield():
            await sleep(0)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second one is immediate")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert virtual.left() == ""
    assert not event._line


def test_a_task_group_lets_itself_be_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def in_a_group() -> None:
        async with TaskGroup() as group:
            group.start_soon(sleep(1000))
            await sleep(1000)

    async def main() -> None:
        Task(in_a_group()).start()
        await sleep(0)
        signal.raise_signal(signal.SIGINT)
        with shield():
            await sleep(0)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert not caplog.records


@pytest.mark.parametrize("make", [Lock, RLock, Semaphore, BoundedSemaphore])
def test_what_was_handed_to_a_task_that_is_given_up_is_free_again(
    make: Callable[[], Lock | RLock | Semaphore],
) -> None:
    """A lock may outlive a run; and those behind in the line are given up as well."""
    lock = make()

    async def waiting() -> None:
        async with lock:
            raise AssertionError("the run is over")

    async def main() -> None:
        await lock.acquire()
        for _ in range(3):
            Task(waiting()).start()
        await sleep(0)
        signal.raise_signal(signal.SIGINT)
        with shield():
            await sleep(0)
        lock.release()  # to the first of them, which does not run any more
        assert lock.locked()
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert not lock.locked()

    async def later() -> None:
        async with lock:
            assert lock.locked()

    run(later())
    assert not lock.locked()
