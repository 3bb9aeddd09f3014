"""`open_process`: programs that are started, talked to, waited for and killed, by real ones."""

import asyncio
import os
import signal
from subprocess import DEVNULL, PIPE

import pytest

from tests.guards.leftovers import child_processes
from tests.net.watched import watched
from tulip_net import (
    BrokenError,
    BufferedReader,
    Cancelled,
    ClosedError,
    Gen,
    Process,
    Transport,
    coroutine,
    create_task,
    move_on_after,
    open_process,
    run,
    shield,
    sleep,
    wait_all,
)
from tulip_sched import run_in_asyncio


@coroutine
def dialogue_in_a_generator() -> Gen[tuple[bytes, int]]:
    process = yield from open_process(["cat"], stdin=PIPE, stdout=PIPE)
    with process:
        yield from process.stdin.send(b"hello\n")
        line = yield from BufferedReader(process.stdout).readline()
        yield from process.aclose()
        return line, (yield from process.wait())


async def dialogue_in_a_coroutine() -> tuple[bytes, int]:
    async with await open_process(["cat"], stdin=PIPE, stdout=PIPE) as process:
        await process.stdin.send(b"hello\n")
        line = await BufferedReader(process.stdout).readline()
    return line, await process.wait()


def test_a_child_is_talked_to_under_both_keywords(way: str) -> None:
    assert run(dialogue_in_a_generator()) == (b"hello\n", 0)
    assert run(dialogue_in_a_coroutine()) == (b"hello\n", 0)


def test_it_works_inside_asyncio(way: str) -> None:
    assert asyncio.run(run_in_asyncio(dialogue_in_a_coroutine())) == (b"hello\n", 0)


def test_what_it_tells_of_itself() -> None:
    async def main() -> None:
        async with await open_process(["cat"], stdin=PIPE, stdout=DEVNULL) as process:
            assert process.args == ["cat"]
            assert process.returncode is None
            assert process.pid in child_processes()
            assert repr(process) == f"<Process {process.pid} 'cat' running>"
            with pytest.raises(ValueError, match=r"no pipe there: open_process\(..., stdout="):
                process.stdout  # noqa: B018 - it raises
            with pytest.raises(ValueError, match=r"there: .*stderr="):
                process.stderr  # noqa: B018
        assert repr(process) == f"<Process {process.pid} 'cat' ended with 0>"

    run(main())


def test_input_and_output_are_one_transport() -> None:
    """More than both pipes hold, in both directions at once."""

    async def main() -> None:
        data = b"what the child is to say\n" * 40_000
        async with await open_process(["cat"], stdin=PIPE, stdout=PIPE) as process:
            transport: Transport = process.stdio
            assert transport is process.stdio
            sender = create_task(transport.send(data))
            reader = BufferedReader(transport)
            assert await reader.readexactly(len(data)) == data
            await sender
            await transport.send_eof()
            assert process.stdin.closed
            assert await reader.read(1) == b""
        assert process.stdio.closed
        async with await open_process(["cat"], stdin=PIPE, stdout=DEVNULL) as process:
            with pytest.raises(ValueError, match=r"stdout=subprocess\.PIPE"):
                process.stdio  # noqa: B018 - it raises

    run(main())


def test_many_tasks_wait_for_one_process(way: str) -> None:
    async def main() -> None:
        async with await open_process(["sh", "-c", "read x; exit 3"], stdin=PIPE) as process:
            waiting = [create_task(process.wait()) for _ in range(5)]
            await sleep(0)
            waiting[0].cancel()
            await sleep(0)
            await process.stdin.send(b"go\n")
            await wait_all(waiting)
            assert [task.result() for task in waiting[1:]] == [3] * 4
        assert await process.wait() == 3

    run(main())


def test_one_that_has_ended_before_anybody_waits(way: str) -> None:
    async def main() -> None:
        process = await open_process(["sh", "-c", "exit 7"])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert await process.wait() == 7
        assert process.returncode == 7
        process.kill()  # of no effect: its id may be another's by now
        process.send_signal(signal.SIGHUP)
        process.close()

    run(main())


def test_the_code_is_known_without_a_wait() -> None:
    async def main() -> None:
        with await open_process(["true"]) as process:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert process.returncode == 0

    run(main())


def test_asking_for_the_code_takes_nothing_from_who_waits(way: str) -> None:
    async def main() -> None:
        with await open_process(["sleep", "60"]) as process:
            waiting = create_task(process.wait())
            await sleep(0)
            process.kill()
            while process.returncode is None:
                await sleep(0)
            assert await waiting == -signal.SIGKILL

    run(main())


def test_a_cancelled_wait_leaves_the_process_and_nothing_else(way: str) -> None:
    async def main() -> None:
        with await open_process(["sleep", "60"]) as process:
            before = watched()
            for _ in range(3):
                with move_on_after(0.001) as scope:
                    await process.wait()
                assert scope.cancelled_caught
                assert watched() == before
            assert process.returncode is None

    run(main())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGUSR1"])
def test_a_signal_that_ends_it_is_a_negative_code(way: str, name: str) -> None:
    """None that may be ignored in all that a shell has started, as SIGHUP is under nohup."""
    number = signal.Signals[name]

    async def main() -> int:
        async with await open_process(["sleep", "60"]) as process:
            if number == signal.SIGTERM:
                process.terminate()
            elif number == signal.SIGKILL:
                process.kill()
            else:
                process.send_signal(number)
            return await process.wait()

    assert run(main()) == -number


def test_a_plain_block_kills_and_leaves_no_zombie(way: str) -> None:
    async def main() -> Process:
        with await open_process(["sleep", "60"], stdin=PIPE) as process:
            pass
        process.close()
        assert process.stdin.closed
        return process

    process = run(main())
    assert process.returncode == -signal.SIGKILL
    assert process.pid not in child_processes()


@pytest.mark.parametrize("error", [ZeroDivisionError, Cancelled])
def test_an_error_out_of_an_async_block_kills(error: type[BaseException]) -> None:
    async def main() -> Process:
        process = await open_process(["sleep", "60"])
        with pytest.raises(error):
            async with process:
                raise error
        assert await process.wait() == -signal.SIGKILL
        return process

    assert run(main()).pid not in child_processes()


def test_an_async_block_waits_and_a_cancellation_of_it_kills(way: str) -> None:
    async def main() -> None:
        process = await open_process(["sleep", "60"], stdin=PIPE)
        before = watched()
        with move_on_after(0.001) as scope:
            async with process:
                pass
        assert scope.cancelled_caught
        assert process.returncode == -signal.SIGKILL
        assert watched() == before

    run(main())


def test_closing_after_the_run_waits_itself() -> None:
    async def main() -> Process:
        return await open_process(["sleep", "60"])

    process = run(main())
    assert process.returncode is None
    process.close()
    assert process.returncode == -signal.SIGKILL


def test_one_run_starts_it_and_another_waits_for_it() -> None:
    async def start() -> Process:
        return await open_process(["sh", "-c", "exit 4"])

    async def wait(process: Process) -> int:
        return await process.wait()

    assert run(wait(run(start()))) == 4


def test_a_dropped_one_warns_and_runs_on() -> None:
    async def main() -> int:
        process = await open_process(["sleep", "60"])
        pid = process.pid
        held = [process]
        del process
        with pytest.warns(ResourceWarning, match="is still running"):
            held.clear()
        return pid

    pid = run(main())
    assert pid in child_processes()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_run_that_is_given_up_kills() -> None:
    """At the second Ctrl-C nothing is waited for; so the end is for the kernel to report later."""
    started: list[Process] = []

    async def main() -> None:
        async with await open_process(["sleep", "60"]) as process:
            started.append(process)
            signal.raise_signal(signal.SIGINT)
            try:
                await process.wait()
            finally:
                signal.raise_signal(signal.SIGINT)
                with shield():
                    await process.wait()

    with pytest.raises(KeyboardInterrupt):
        run(main())
    os.waitid(os.P_PID, started[0].pid, os.WEXITED | os.WNOWAIT)
    assert started[0].returncode == -signal.SIGKILL


def test_a_child_may_close_its_output_and_live() -> None:
    async def main() -> None:
        script = "echo last; exec >&-; read x; exit 5"
        async with await open_process(["sh", "-c", script], stdin=PIPE, stdout=PIPE) as process:
            assert await BufferedReader(process.stdout).read() == b"last\n"
            assert process.returncode is None
        assert process.returncode == 5

    run(main())


def test_leaving_closes_the_pipes_under_who_still_reads() -> None:
    async def main() -> None:
        async with await open_process(["cat"], stdin=PIPE, stdout=PIPE) as process:
            reading = create_task(process.stdout.recv(1))
            await sleep(0)
        with pytest.raises(ClosedError, match="was closed while"):
            await reading

    run(main())


def test_a_child_that_is_gone_breaks_who_sends() -> None:
    async def main() -> None:
        async with await open_process(["true"], stdin=PIPE) as process:
            await process.wait()
            with pytest.raises(BrokenError, match="Broken pipe"):
                await process.stdin.send(b"anybody there?")

    run(main())


def test_where_ends_are_ignored_the_code_is_zero(way: str) -> None:
    """The kernel then tells nobody how a child has ended (POSIX waitpid(), ``ECHILD``)."""

    async def main() -> None:
        async with await open_process(["sh", "-c", "read x; exit 3"], stdin=PIPE) as process:
            waiting = create_task(process.wait())
            await sleep(0)
            process.stdin.close()
            assert await waiting == 0

    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGCHLD, previous)
