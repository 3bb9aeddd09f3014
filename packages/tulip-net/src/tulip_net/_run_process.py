"""Running a program to its end: its input goes in, its output comes out, and no child is left.

Source: POSIX.1-2017 waitpid(), kill(); pipe(7), "I/O on pipes and FIFOs".
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from tulip_net._errors import BrokenError
from tulip_net._log import logger
from tulip_net._open_process import PIPE, ProcessOptions, Stdio, open_process
from tulip_net._pipe import PipeTransport
from tulip_net._process import Command, Process
from tulip_sched import Gen, coroutine, move_on_after, par, shield

if TYPE_CHECKING:
    import subprocess

    from typing_extensions import Buffer, Unpack

__all__ = ["run_process"]

PIECE: Final = 65536
"""Bytes, received at once: as many as a pipe holds (pipe(7), "Pipe capacity")."""

GRACE: Final = 5.0
"""Seconds. The same as trio's."""


@coroutine
def run_process(
    command: Command,
    *,
    input: Buffer | None = None,  # noqa: A002 - as subprocess.run() has it
    stdin: Stdio = None,
    stdout: Stdio = None,
    stderr: Stdio = None,
    capture_output: bool = False,
    check: bool = True,
    grace: float | None = GRACE,
    **options: Unpack[ProcessOptions],
) -> Gen[subprocess.CompletedProcess[bytes]]:
    """Run a program to its end, as `subprocess.run` does, without holding up other tasks.

    Args:
        command: The program and its arguments, ``["ls", "-l"]``; with ``shell=True``, a string.
        input: What it reads. If it ends, or closes its input, before it has read all, that is no
            error.
        stdin: What it reads instead: the same as we do (``None``), a descriptor or file of ours,
            or nothing (``subprocess.DEVNULL``).
        stdout: Where its output goes: where ours does (``None``), to a descriptor or file of ours,
            nowhere (``subprocess.DEVNULL``), or into the result (``subprocess.PIPE``).
        stderr: The same for its errors; ``subprocess.STDOUT``: where its output goes.
        capture_output: The same as ``PIPE`` for both.
        check: Whether failing is an error.
        grace: When cancelled, seconds between asking it to end and killing it; 0 kills it at once,
            ``None`` never.
        options: See `ProcessOptions`.

    Returns:
        Its ``args`` and ``returncode``, which is ``-N`` if signal N ended it, and as ``stdout`` and
        ``stderr`` the bytes that were captured, or ``None``. All of them are kept in memory,
        however many: there is no limit. To have one, or to decide while it runs, use
        `open_process`.

    It waits for the end of the process, and of all that is captured. A program left behind by the
    process, such as a daemon, may hold the captured pipe open for longer, as with `subprocess.run`.

    Cancelled (so also by `fail_after`, as there is no ``timeout``), it closes the pipes, asks the
    process to end (``SIGTERM``), and if that has no effect within ``grace`` kills it
    (``SIGKILL``), waiting for its end in any case. What the process has started itself lives on.

    Raises:
        subprocess.CalledProcessError: Its code is not 0, and ``check`` was asked for; it has the
            same attributes as the result.
        FileNotFoundError: There is no such program, or ``cwd`` is no such folder; the message names
            the one that is missing.
        OSError, TypeError: As for `open_process`.
        ValueError: Both ``input`` and ``stdin``, or both ``capture_output`` and ``stdout`` or
            ``stderr``, are given; or ``stdin`` is a pipe, which nobody could write to; or ``grace``
            is negative. Otherwise as for `open_process`.
    """
    if input is not None:
        if stdin is not None:
            raise ValueError("a process has one input: give it input or stdin, not both")
        input = _bytes_of(input)  # noqa: A001
        stdin = PIPE
    elif stdin == PIPE:
        raise ValueError("nobody can write to that pipe: give run_process input, or another stdin")
    if capture_output:
        if stdout is not None or stderr is not None:
            raise ValueError("capture_output stands for stdout and stderr: give it alone")
        stdout = stderr = PIPE
    move_on_after(grace)  # refuses what is no number of seconds, before anything is started
    process = yield from open_process(command, stdin=stdin, stdout=stdout, stderr=stderr, **options)
    with process:
        try:
            code, output, errors, _ = yield from par(
                process.wait(),
                _read(process.stdout if stdout == PIPE else None),
                _read(process.stderr if stderr == PIPE else None),
                _write(process, input),
            )
        except GeneratorExit:
            raise  # it cannot wait; leaving the block kills
        except BaseException:
            with shield():
                yield from _stop(process, grace)
            raise
    return _result(command, code, output, errors, check=check)


def _bytes_of(data: Buffer) -> memoryview:
    try:
        return memoryview(data)
    except TypeError:
        raise TypeError(f"the input of a process is bytes, got {type(data).__name__}") from None


@coroutine
def _read(pipe: PipeTransport | None) -> Gen[bytes | None]:
    """Return all that comes; the pipe's other end may outlive the process."""
    if pipe is None:
        return None
    pieces: list[bytes] = []
    while data := (yield from pipe.recv(PIECE)):
        pieces.append(data)
    pipe.close()
    return b"".join(pieces)


@coroutine
def _write(process: Process, data: Buffer | None) -> Gen[None]:
    """Send the input and its end. A process need not read it all, nor any of it."""
    if data is None:
        return
    with process.stdin as pipe, contextlib.suppress(BrokenError):
        yield from pipe.send(data)


@coroutine
def _stop(process: Process, grace: float | None) -> Gen[None]:
    """Ask a process to end, have it killed if it does not, and wait for its end."""
    process._close_pipes()
    try:
        if grace != 0:
            process.terminate()
            with move_on_after(grace):
                yield from process.wait()
        if process.returncode is None:
            if grace != 0:
                logger().warning("killed %r, as SIGTERM did not end it in %g s", process, grace)
            process.kill()
    except PermissionError as error:  # it runs as another user, as after sudo
        logger().warning("%r cannot be ended, and is waited for: %s", process, error)
    yield from process.wait()


def _result(
    command: Command, code: int, output: bytes | None, errors: bytes | None, *, check: bool
) -> subprocess.CompletedProcess[bytes]:
    import subprocess

    if check and code:
        raise subprocess.CalledProcessError(code, command, output, errors)
    return subprocess.CompletedProcess(command, code, output, errors)
