"""What a stranger does with other programs: run one to its end, talk to one, connect two.

Run with two files that it does not need.
"""

import os
from subprocess import DEVNULL, PIPE, STDOUT, CalledProcessError, CompletedProcess
from typing import assert_type

from tulip_net import (
    BufferedReader,
    Command,
    Gen,
    PipeTransport,
    Process,
    ProcessOptions,
    Stdio,
    Transport,
    coroutine,
    fail_after,
    open_process,
    par,
    run,
    run_process,
)


@coroutine
def sort_lines() -> Gen[bytes]:
    """Run a program to its end, under ``yield from``."""
    done = yield from run_process(["sort", "-r"], input=b"a\nb\n", stdout=PIPE, stderr=DEVNULL)
    assert_type(done, CompletedProcess[bytes])
    run_process(["true"])  # type: ignore[unused-awaitable]
    return done.stdout


async def fail() -> bytes:
    """Run one that takes too long, and one that fails."""
    try:
        with fail_after(0.01):
            await run_process(["sleep", "60"], grace=None)
    except TimeoutError:
        pass
    try:
        await run_process("echo why >&2; exit 3", shell=True, capture_output=True)
    except CalledProcessError as error:
        return b"%d: " % error.returncode + bytes(error.stderr)
    return b""


async def talk() -> int:
    """Talk to one, as to a transport."""
    options: ProcessOptions = {"cwd": "/", "env": {"LC_ALL": "C"}}
    command: Command = ["/bin/cat", "-"]
    errors: Stdio = STDOUT
    process = await open_process(command, stdin=PIPE, stdout=PIPE, stderr=errors, **options)
    assert_type(process, Process)
    async with process:
        assert_type(process.stdout, PipeTransport)
        assert_type(process.returncode, int | None)
        await process.stdin.send(b"one\n")
        assert await BufferedReader(process.stdout).readline() == b"one\n"
        both: Transport = process.stdio
        await both.send(b"two\n")
        assert await BufferedReader(both).readline() == b"two\n"
    assert_type(await process.wait(), int)
    with await open_process(["sleep", "60"]) as process:
        process.terminate()
        return await process.wait()


async def connect_two() -> bytes:
    """Have one read what the other writes."""
    reading, writing = os.pipe()
    first = await open_process(["echo", "hello"], stdout=writing)
    second = await open_process(["tr", "a-z", "A-Z"], stdin=reading, stdout=PIPE)
    os.close(reading)
    os.close(writing)
    async with first, second:
        answer, _ = await par(BufferedReader(second.stdout).read(), first.wait())
    return answer


async def refused() -> None:
    """Never called: what a type checker refuses."""
    await run_process(["ls"], input="text")  # type: ignore[arg-type]
    await run_process(["ls"], text=True)  # type: ignore[call-arg]
    await open_process(["ls", 7])  # type: ignore[list-item]
    await open_process(["ls"], stdin=b"bytes")  # type: ignore[arg-type]


if __name__ == "__main__":
    assert run(sort_lines()) == b"b\na\n"
    assert run(fail()) == b"3: why\n"
    assert run(talk()) == -15
    assert run(connect_two()) == b"HELLO\n"
