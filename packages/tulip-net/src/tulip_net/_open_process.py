"""Starting a program as a child process.

`subprocess.Popen` does it, in this thread: that is about a millisecond, and a thread that is given
up while it does so would leave a child behind.

Source: POSIX.1-2017 fork(), exec, pipe().
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypedDict, cast

from tulip_net._process import Command, Path, Process
from tulip_sched import coroutine

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["PIPE", "ProcessOptions", "Stdio", "open_process"]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


Stdio: TypeAlias = int | _HasFileno | None
"""What a child has as one of its first three descriptors: a descriptor or file of ours, one of
`subprocess.PIPE`, ``DEVNULL``, ``STDOUT``; or, with ``None``, the same as we have."""

PIPE: Final = -1
"""``subprocess.PIPE``. That module takes 3 ms to import, and few programs need it."""
STDOUT: Final = -2
DEVNULL: Final = -3

TEXT: Final = {"text", "encoding", "errors", "universal_newlines", "bufsize"}


class ProcessOptions(TypedDict, total=False):
    """How a child process is set up; each as for `subprocess.Popen`.

    Attributes:
        shell: The command is one line for ``/bin/sh``. What comes from elsewhere needs quoting
            there, with `shlex.quote`.
        executable: What is run in place of the command's first word, which stays its name.
        cwd: The folder to run in.
        env: The whole environment; by default it is inherited.
        close_fds: Whether other descriptors than the first three are closed; true by default.
        pass_fds: Those that stay open even so.
        start_new_session: Run apart from our terminal, whose Ctrl-C then does not reach it.
        process_group: Run in this process group; 0 for one of its own.
        restore_signals: Whether those that Python ignores, ``SIGPIPE`` for one, have their default
            effect there; true by default.
        preexec_fn: Called in the child before the program begins. Not safe beside threads.
        user: Whom to run as.
        group: The same for the group.
        extra_groups: The same for further groups.
        umask: Permissions that new files do not get.
        pipesize: Bytes that a pipe holds (Linux).
    """

    shell: bool
    executable: Path
    cwd: Path | None
    env: Mapping[str, Path] | Mapping[bytes, Path] | None
    close_fds: bool
    pass_fds: Collection[int]
    start_new_session: bool
    process_group: int | None
    restore_signals: bool
    preexec_fn: Callable[[], object] | None
    user: str | int | None
    group: str | int | None
    extra_groups: Iterable[str | int] | None
    umask: int
    pipesize: int


@coroutine
async def open_process(
    command: Command,
    *,
    stdin: Stdio = None,
    stdout: Stdio = None,
    stderr: Stdio = None,
    **options: Unpack[ProcessOptions],
) -> Process:
    """Start a program, and let it run; to run one to its end, there is `run_process`.

    Args:
        command: The program and its arguments, ``["ls", "-l"]``; with ``shell=True``, a string.
        stdin: What it reads: the same as we do (``None``), a descriptor or file of ours, nothing
            (``subprocess.DEVNULL``), or what is sent to `Process.stdin` (``subprocess.PIPE``).
        stdout: Where its output goes, likewise.
        stderr: The same for its errors; ``subprocess.STDOUT``: where the output goes.
        options: See `ProcessOptions`.

    All is bytes; there is no text mode. This never suspends: it holds up the event loop for as long
    as the kernel takes to start a program, about a millisecond.

    Raises:
        FileNotFoundError: There is no such program, or ``cwd`` is no such folder; the message names
            the one that is missing.
        OSError: It cannot be started for another reason, such as `PermissionError`, or that there
            is no descriptor left.
        TypeError: ``command`` is a string, and ``shell`` was not asked for, or the other way
            round; or something else is of the wrong kind; or there is no such option.
        ValueError: ``command`` is empty, or a file was closed, or a number is no descriptor's.
    """
    import subprocess

    _check(command, options)
    popen = subprocess.Popen(  # noqa: S603 - what it is for
        command,
        bufsize=0,  # it is a PipeTransport that reads and writes its pipes
        stdin=_number("stdin", stdin),
        stdout=_number("stdout", stdout),
        stderr=_number("stderr", stderr),
        **options,
    )
    try:
        return Process(popen)
    except BaseException:
        with popen:
            popen.kill()
        raise


def _check(command: object, options: Mapping[str, object]) -> None:
    for name in options.keys() - ProcessOptions.__optional_keys__:
        told = ": all is bytes, which you decode" if name in TEXT else ""
        raise TypeError(f"a process has no option {name!r}{told}")
    if options.get("shell"):
        if not isinstance(command, str):
            raise TypeError(f"with shell=True a command is one string, got {command!r}")
    elif isinstance(command, str | bytes) or not isinstance(command, Sequence):
        raise TypeError(
            "a command is a sequence, such as ['ls', '-l'], or with shell=True a string, "
            f"got {command!r}"
        )
    if not command:
        raise ValueError(f"a command begins with the name of a program, got {command!r}")


def _number(name: str, file: Stdio) -> int | None:
    """Refuse what `subprocess.Popen` would stumble over, with some of its pipes left open."""
    if isinstance(file, int) and not isinstance(file, bool):
        if file < DEVNULL or (file == STDOUT and name != "stderr"):
            raise ValueError(f"{name} cannot be {file}: it is no descriptor")
        return file
    if file is None:
        return None
    try:
        number = cast("_HasFileno", file).fileno()
    except (AttributeError, UnsupportedOperation):
        hint = " (run_process takes bytes as input=...)" if name == "stdin" else ""
        raise TypeError(
            f"{name} is a descriptor, a file that has one, PIPE, DEVNULL or None, "
            f"got {file!r}{hint}"
        ) from None
    if number < 0:  # how a socket says so; a file raises ValueError
        raise ValueError(f"{name} cannot be {file!r}: it was closed")
    return number
