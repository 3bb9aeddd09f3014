"""Child processes: talking to one, waiting for its end, and seeing to it that it has one.

The rules that hold here:

1. `subprocess.Popen` sends signals and reaps; the event loop's ``watch_child`` says when.
2. A child is watched as long as some task waits for it, and no longer: one that is left alone costs
   no descriptor, and may outlive the program.
3. Whoever closes a child that runs kills it, and then it does not stay a zombie: within a run a
   task waits for its end, which the run's own end awaits; without one, the caller does.

Source: POSIX.1-2017 waitpid(), kill(); pidfd_open(2).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast, final

from tulip_net._closable import Closable
from tulip_net._pipe import PipeTransport
from tulip_net._typing import override
from tulip_sched import Event, Gen, Handle, Task, coroutine, current_context, shield

if TYPE_CHECKING:
    import subprocess

__all__ = ["Command", "Path", "Process"]

Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

Command: TypeAlias = str | Sequence[Path]
"""A program and its arguments; with ``shell=True``, a line for the shell."""


@final
class Process(Closable):
    """A child process; `open_process` starts one.

    ``async with`` waits, in the end, until it has ended by itself, and suits programs that do so
    at the end of their input. ``with`` kills it if it still runs. So do both if an error leaves the
    block.

    Any number of tasks may `wait` for it. One that is neither closed nor waited for to its end
    warns (`ResourceWarning`, by `subprocess.Popen`) when it is dropped, and runs on.
    """

    __slots__ = (
        "__weakref__",
        "_ended",
        "_parent",
        "_pipes",
        "_popen",
        "_reaping",
        "_waiting",
        "_watch",
    )

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._parent = os.getpid()
        self._ended = Event()
        self._watch: Handle | None = None
        self._waiting = 0
        self._reaping = False
        self._pipes: dict[str, PipeTransport] = {}
        try:
            if popen.stdin is not None:
                self._pipes["stdin"] = PipeTransport(send=popen.stdin)
            for name, output in (("stdout", popen.stdout), ("stderr", popen.stderr)):
                if output is not None:
                    self._pipes[name] = PipeTransport(output)
        except BaseException:
            self._close_pipes()
            raise

    @property
    def args(self) -> Command:
        """The command, as it was given."""
        return cast("Command", self._popen.args)

    @property
    def pid(self) -> int:
        """The process's id. When it has ended and was waited for, another may have this id."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, or ``None`` if it runs: 0 for success, ``-N`` if signal N ended it.

        This asks the kernel, so it is up to date without a `wait`. 0 also if nobody can say any
        more, as somebody else has waited for this process id.
        """
        return self._popen.poll()

    @property
    def stdin(self) -> PipeTransport:
        """Where to send its input, with ``stdin=subprocess.PIPE``; `PipeTransport.close` ends it.

        Raises:
            ValueError: Its input is no pipe of ours.
        """
        return self._pipe("stdin")

    @property
    def stdout(self) -> PipeTransport:
        """Where to receive its output, with ``stdout=subprocess.PIPE``.

        Raises:
            ValueError: Its output is no pipe of ours.
        """
        return self._pipe("stdout")

    @property
    def stderr(self) -> PipeTransport:
        """Where to receive its errors, with ``stderr=subprocess.PIPE``.

        Raises:
            ValueError: Its errors go to no pipe of ours.
        """
        return self._pipe("stderr")

    @property
    def stdio(self) -> PipeTransport:
        """`stdin` and `stdout` as one `Transport`, for what else would speak over a socket.

        Use either that or those two. Closing one closes its part of the other.

        Raises:
            ValueError: One of them is no pipe of ours.
        """
        if "stdio" not in self._pipes:
            self._pipes["stdio"] = PipeTransport._joining(self.stdout, self.stdin)
        return self._pipes["stdio"]

    @coroutine
    def wait(self) -> Gen[int]:
        """Wait until it has ended, and return its `returncode`.

        A program that fills a pipe which nobody reads never ends. Cancelling the wait leaves the
        process running, and nothing that watches it.

        Source: pidfd_open(2); where there is none, a thread in waitpid().
        """
        if (code := self.returncode) is not None:
            return code
        self._waiting += 1
        try:
            if self._watch is None and not self._ended.is_set():
                self._watch_end()
            yield from self._ended.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and self._watch is not None:
                self._watch.cancel()
                self._watch = None
        return self._popen.wait()

    def send_signal(self, number: int) -> None:
        """Send it a signal, such as `signal.SIGHUP`; if it has ended, do nothing.

        Raises:
            PermissionError: It runs as another user.
        """
        self._popen.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end (``SIGTERM``), which it may ignore. See `send_signal`."""
        self._popen.terminate()

    def kill(self) -> None:
        """Have the kernel end it (``SIGKILL``), soon but not at once. See `send_signal`."""
        self._popen.kill()

    @override
    def close(self) -> None:
        """Close the pipes, and kill it if it still runs. Idempotent.

        Never waits, inside of a run: the end of a killed process is then awaited by a task of its
        own, and by the run's end. In a process forked since it kills nothing: that is its parent's.

        Raises:
            PermissionError: It runs as another user; it runs on.
        """
        self._close_pipes()
        # Popen tells a forked process that it has ended, unless a thread waited then.
        if self._reaping or self._parent != os.getpid() or self.returncode is not None:
            return
        self.kill()
        self._reaping = True
        if current_context().running:
            Task(self._reap(), f"reap process {self.pid}").start()
        else:
            self._popen.wait()

    @override
    @coroutine
    def aclose(self) -> Gen[None]:
        """Close the pipes, which tells it that there is no more input, and wait for its end.

        However long it takes: `fail_after` limits it. Who still reads gets `ClosedError`, and the
        process may get ``SIGPIPE``, so read to the end first. Cancelling kills the process, and
        waits for its end.

        Raises:
            PermissionError: Cancelled, it cannot be killed: it runs as another user.
        """
        self._close_pipes()
        try:
            yield from self.wait()
        except GeneratorExit:
            self.close()
            raise
        except BaseException:
            self.kill()
            yield from self._reap()
            raise

    @coroutine
    def _reap(self) -> Gen[None]:
        with shield():
            yield from self.wait()

    def _watch_end(self) -> None:
        try:
            self._watch = current_context().eventloop.watch_child(self._popen, self._note_end)
        except ProcessLookupError:  # it has ended since, and the program has signal.SIGCHLD ignored
            self._ended.set()

    def _note_end(self, _code: int | None) -> None:
        self._watch = None
        self._ended.set()

    def _pipe(self, name: str) -> PipeTransport:
        if name not in self._pipes:
            how = f"open_process(..., {name}=subprocess.PIPE) makes one"
            raise ValueError(f"{self!r} has no pipe there: {how}")
        return self._pipes[name]

    def _close_pipes(self) -> None:
        for pipe in self._pipes.values():
            pipe.close()

    @override
    def __repr__(self) -> str:
        code = self._popen.returncode
        state = "running" if code is None else f"ended with {code}"
        # Not the arguments: they may be many, or secret.
        program = self.args if isinstance(self.args, str) else self.args[0]
        return f"<Process {self.pid} {program!r:.60} {state}>"
