"""`open_process`: what a program is started with, and what is refused."""

import io
import os
import socket
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

import pytest

from tests.guards.leftovers import child_processes
from tulip_net import (
    BufferedReader,
    BusyError,
    Gen,
    coroutine,
    create_task,
    open_process,
    run,
    sleep,
)
from tulip_net._open_process import DEVNULL as OUR_DEVNULL
from tulip_net._open_process import PIPE as OUR_PIPE
from tulip_net._open_process import STDOUT as OUR_STDOUT
from tulip_sched import Watch

CLOSED_FILE = io.FileIO("/dev/null")
CLOSED_FILE.close()
CLOSED_SOCKET = socket.socket()
CLOSED_SOCKET.close()


def test_the_constants_are_those_of_subprocess() -> None:
    assert (OUR_PIPE, OUR_STDOUT, OUR_DEVNULL) == (PIPE, STDOUT, DEVNULL)


def test_output_goes_where_it_is_sent(tmp_path: Path) -> None:
    script = "echo out; echo err >&2; cat"
    given, taken = tmp_path / "in", tmp_path / "out"
    given.write_bytes(b"from a file\n")

    async def main() -> None:
        with given.open("rb") as source, taken.open("wb") as target:
            async with await open_process(
                ["sh", "-c", script], stdin=source, stdout=target.fileno(), stderr=STDOUT
            ) as process:
                pass
            assert process.returncode == 0
        async with await open_process(
            script, shell=True, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        ) as process:
            assert await BufferedReader(process.stdout).read() == b"out\n"
            assert await BufferedReader(process.stderr).read() == b"err\n"

    run(main())
    assert taken.read_bytes() == b"out\nerr\nfrom a file\n"


def test_nothing_said_is_inherited(capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with await open_process(["sh", "-c", "echo out; echo err >&2; cat"]) as process:
            assert await process.wait() == 0

    reading, writing = os.pipe()
    os.write(writing, b"typed\n")
    os.close(writing)
    ours = os.dup(0)
    os.dup2(reading, 0)
    try:
        run(main())
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reading)
    assert capfd.readouterr() == ("out\ntyped\n", "err\n")


def test_options_of_popen_are_passed_on(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        async with await open_process(
            f"pwd; echo $GREETING; ps -o pgid= $$; umask; echo over >/dev/fd/{writing}",
            shell=True,
            stdout=PIPE,
            cwd=tmp_path,
            env={**os.environ, "GREETING": "hello"},
            start_new_session=True,
            pass_fds=[writing],
            umask=0o027,
        ) as process:
            told = (await BufferedReader(process.stdout).read()).split()
        assert told == [bytes(tmp_path), b"hello", b"%d" % process.pid, b"0027"]

    run(main())
    os.close(writing)
    assert os.read(reading, 100) == b"over\n"
    os.close(reading)


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError, match="no-such-program"):
            await open_process(["no-such-program"], stdin=PIPE, stdout=PIPE)
        with pytest.raises(FileNotFoundError, match="no-such-folder"):
            await open_process(["true"], cwd=tmp_path / "no-such-folder")
        with pytest.raises(PermissionError):
            await open_process([tmp_path])
        with pytest.raises(ValueError, match="null byte"):
            await open_process(["echo", "\0"])

    run(main())


@pytest.mark.parametrize(
    "command,options,error,told",
    [
        ("ls -l", {}, TypeError, "a command is a sequence, such as"),
        (b"ls", {}, TypeError, "a command is a sequence"),
        (7, {}, TypeError, "got 7"),
        (["ls"], {"shell": True}, TypeError, "with shell=True a command is one string"),
        ([], {}, ValueError, "begins with the name of a program"),
        ("", {"shell": True}, ValueError, "begins with the name of a program"),
        (["ls", 7], {}, TypeError, "int"),
        (["ls"], {"text": True}, TypeError, "no option 'text': all is bytes"),
        (["ls"], {"colour": 1}, TypeError, "no option 'colour'$"),
        (["ls"], {"stdin": b"x"}, TypeError, "run_process takes bytes as input="),
        (["ls"], {"stdin": io.BytesIO()}, TypeError, "stdin is a descriptor.*BytesIO.*input="),
        (["ls"], {"stdin": PIPE, "stdout": CLOSED_FILE}, ValueError, "closed file"),
        (["ls"], {"stdin": PIPE, "stdout": CLOSED_SOCKET}, ValueError, "it was closed"),
        (["ls"], {"stdin": PIPE, "stdout": 99_999}, OSError, "Bad file descriptor"),
        (["ls"], {"stdout": "file"}, TypeError, "stdout is a descriptor, a file that has one"),
        (["ls"], {"stdout": True}, TypeError, "got True"),
        (["ls"], {"stdout": STDOUT}, ValueError, "stdout cannot be -2"),
        (["ls"], {"stderr": -4}, ValueError, "stderr cannot be -4"),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: object, options: dict[str, object], error: type[Exception], told: str
) -> None:
    async def main() -> None:
        with pytest.raises(error, match=told):
            await open_process(command, **options)  # type: ignore[arg-type]

    run(main())


def test_a_child_that_cannot_be_talked_to_is_not_left() -> None:
    """Somebody closed a descriptor that a task waits on, and the child's pipe gets its number."""

    async def main() -> None:
        reading, writing = os.pipe()
        watch = Watch(reading)

        @coroutine
        def wait() -> Gen[None]:
            watch.block_r()
            yield

        task = create_task(wait())
        await sleep(0)
        os.close(reading)
        with pytest.raises(BusyError):
            await open_process(["sleep", "60"], stdout=PIPE)
        task.cancel()
        await task.wait()
        watch.forget()
        os.close(writing)

    before = child_processes()
    run(main())
    assert child_processes() == before
