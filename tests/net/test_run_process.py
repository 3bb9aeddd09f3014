"""`run_process`: programs that are run to their end, by real ones."""

import asyncio
import hashlib
import os
import pickle
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import pytest

from tests.guards.leftovers import child_processes, open_descriptors
from tests.net.watched import watched
from tulip_net import (
    Gen,
    ProcessOptions,
    coroutine,
    current_context,
    map_over,
    run,
    run_process,
)
from tulip_sched import run_in_asyncio


@coroutine
def sort_in_a_generator() -> Gen[bytes]:
    done = yield from run_process(["sort"], input=b"b\nc\na\n", stdout=PIPE)
    return done.stdout


async def sort_in_a_coroutine() -> bytes:
    done = await run_process(["sort"], input=b"b\nc\na\n", stdout=PIPE)
    return done.stdout


def test_input_goes_in_and_output_comes_out_under_both_keywords(way: str) -> None:
    assert run(sort_in_a_generator()) == run(sort_in_a_coroutine()) == b"a\nb\nc\n"


def test_it_works_inside_asyncio(way: str) -> None:
    async def main() -> list[bytes]:
        return await asyncio.gather(*(run_in_asyncio(sort_in_a_coroutine()) for _ in range(5)))

    assert asyncio.run(main()) == [b"a\nb\nc\n"] * 5


CASES: list[tuple[str | Sequence[str], dict[str, object]]] = [
    (["true"], {}),
    (["sh", "-c", "echo out; echo err >&2"], {"capture_output": True}),
    (["sh", "-c", "echo out; echo err >&2; exit 3"], {"stdout": PIPE, "stderr": STDOUT}),
    (["sh", "-c", "echo out; echo err >&2"], {"stdout": DEVNULL, "stderr": PIPE}),
    ("kill -9 $$", {"shell": True, "stdout": PIPE}),
    (["cat"], {"input": b"", "stdout": PIPE}),
    (["cat"], {"input": bytearray(b"in"), "capture_output": True}),
    (["cat"], {"stdin": DEVNULL, "stdout": PIPE}),
    (["head", "-c", "5"], {"input": bytes(5_000_000), "stdout": PIPE}),
    (["pwd"], {"cwd": "/", "stdout": PIPE}),
    (["sh", "-c", "echo $A"], {"env": {"A": "b"}, "stdout": PIPE}),
]


@pytest.mark.parametrize("command,options", CASES)
@pytest.mark.parametrize("check", [False, True])
def test_it_ends_as_with_subprocess_run(
    command: str | Sequence[str], options: dict[str, object], check: bool
) -> None:
    def told(done: "subprocess.CompletedProcess[bytes] | subprocess.CalledProcessError") -> object:
        args = done.cmd if isinstance(done, subprocess.CalledProcessError) else done.args
        return type(done), args, done.returncode, done.stdout, done.stderr

    async def ours() -> object:
        try:
            return told(await run_process(command, check=check, **options))  # type: ignore[arg-type]
        except subprocess.CalledProcessError as error:
            return told(pickle.loads(pickle.dumps(error)))

    try:
        theirs = told(subprocess.run(command, check=check, **options))  # type: ignore[call-overload]
    except subprocess.CalledProcessError as error:
        theirs = told(error)
    assert run(ours()) == theirs


def test_failing_is_an_error_unless_it_is_asked_for() -> None:
    async def main() -> None:
        with pytest.raises(subprocess.CalledProcessError, match="non-zero exit status 3") as caught:
            await run_process("echo why >&2; exit 3", shell=True, stderr=PIPE)
        assert caught.value.stderr == b"why\n"
        with pytest.raises(subprocess.CalledProcessError, match="SIGTERM"):
            await run_process("kill $$", shell=True)
        assert (await run_process(["false"], check=False)).returncode == 1

    run(main())


def test_nothing_said_is_inherited(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(run_process("echo out; echo err >&2", shell=True))
    assert vars(done).keys() >= {"stdout", "stderr"}
    assert not any((done.stdout, done.stderr))
    assert capfd.readouterr() == ("out\n", "err\n")


def test_output_goes_into_a_file(tmp_path: Path) -> None:
    async def main() -> None:
        with (tmp_path / "out").open("wb") as file:
            await run_process(["echo", "out"], stdout=file)
        with (tmp_path / "out").open("rb") as file:
            done = await run_process(["cat"], stdin=file, stdout=PIPE)
        assert done.stdout == b"out\n"

    run(main())


@pytest.mark.slow
def test_much_goes_in_while_much_comes_out() -> None:
    data = os.urandom(20_000_000)

    async def main() -> None:
        done = await run_process(["sh", "-c", "tee /dev/stderr"], input=data, capture_output=True)
        digests = {hashlib.sha256(each).digest() for each in (data, done.stdout, done.stderr)}
        assert len(digests) == 1

    run(main())


def test_a_child_that_writes_before_it_reads_is_no_deadlock() -> None:
    async def main() -> None:
        script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; cat >/dev/null"
        done = await run_process(["sh", "-c", script], input=bytes(3_000_000), capture_output=True)
        assert len(done.stdout) == len(done.stderr) == 3_000_000

    run(main())


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; sleep 0.02", "head -c 1 >/dev/null"])
def test_a_child_that_does_not_want_its_input_is_no_error(script: str) -> None:
    assert run(run_process(["sh", "-c", script], input=bytes(3_000_000))).returncode == 0


def test_a_child_may_close_its_output_and_live() -> None:
    done = run(run_process("echo last; exec >&- 2>&-; sleep 0.02", shell=True, capture_output=True))
    assert done.stdout == b"last\n"


def test_who_keeps_the_output_open_is_waited_for_as_by_subprocess_run() -> None:
    script = "{ sleep 0.05; echo grandchild; } & echo child"
    assert run(run_process(script, shell=True, stdout=PIPE)).stdout == b"child\ngrandchild\n"


@pytest.mark.parametrize(
    "options,error,told",
    [
        ({"input": "text"}, TypeError, "the input of a process is bytes, got str"),
        ({"input": 7}, TypeError, "the input of a process is bytes, got int"),
        ({"input": b"", "stdin": DEVNULL}, ValueError, "give it input or stdin, not both"),
        ({"stdin": PIPE}, ValueError, "nobody can write to that pipe"),
        ({"stdin": b"x"}, TypeError, "takes bytes as input="),
        ({"capture_output": True, "stdout": PIPE}, ValueError, "stands for stdout and stderr"),
        ({"capture_output": True, "stderr": STDOUT}, ValueError, "stands for stdout and stderr"),
        ({"grace": -1}, ValueError, "at least 0 seconds, got -1"),
        ({"grace": "5"}, TypeError, "number of seconds"),
        ({"timeout": 5}, TypeError, "no option 'timeout'"),
        ({"encoding": "utf-8"}, TypeError, "no option 'encoding': all is bytes"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, object], error: type[Exception], told: str
) -> None:
    async def main() -> None:
        with pytest.raises(error, match=told):
            await run_process(["true"], **options)  # type: ignore[arg-type]

    run(main())


def test_what_cannot_be_started_leaves_nothing() -> None:
    async def main() -> None:
        for command, options in [
            (["no-such-program"], ProcessOptions()),
            (["true"], ProcessOptions(cwd="/no-such-folder")),
        ]:
            with pytest.raises(FileNotFoundError, match="no-such"):
                await run_process(command, capture_output=True, **options)
            assert watched() == 0

    run(main())


def test_without_a_descriptor_left_it_fails_or_works(way: str) -> None:
    """Wherever they run out: nothing is left, and no child lives on."""

    async def main() -> None:
        lowest = len(open_descriptors())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        worked = failed = 0
        for room in range(14):
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, hard))
            try:
                await run_process(["cat"], input=b"x", capture_output=True)
                worked += 1
            except OSError:
                failed += 1
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert worked
        assert failed

    before = child_processes()
    run(main())
    assert child_processes() == before


@pytest.mark.slow
def test_thousands_of_short_ones_leave_nothing() -> None:
    async def one(number: int) -> bytes:
        return (await run_process(["echo", str(number)], stdout=PIPE)).stdout

    async def main() -> None:
        await one(0)
        before, watches = open_descriptors(), watched()
        for first in range(0, 2000, 20):
            numbers = range(first, first + 20)
            assert await map_over(one, numbers) == [b"%d\n" % number for number in numbers]
        assert open_descriptors() == before
        assert watched() == watches
        assert len(current_context().tasks) == 1

    run(main())
