"""Child processes as callbacks."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tulip_poll import EventLoop, PollsterWrapper, default_pollster
from tulip_poll._typing import override

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no waitpid there")


@pytest.fixture(params=["pidfd", "thread"], autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to watch a child."""
    way: str = request.param
    if way == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("this kernel has no pidfd")
    return way


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A child that ends when its input does."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def join_threads() -> None:
    """Wait until all threads that wait for children have reported."""
    for thread in threading.enumerate():
        if thread.name.startswith("tulip child"):
            thread.join()


def exits(code: int) -> int:
    """Start a child that ends with this code; return its id."""
    return os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {code}"], {})


def test_the_exit_code_is_told_once(loop: EventLoop) -> None:
    codes: list[tuple[int | None, str]] = []

    def note(code: int | None, name: str) -> None:
        codes.append((code, name))

    loop.watch_child(exits(3), note, "three")
    loop.run()
    assert codes == [(3, "three")]
    assert not loop.close()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM, errno.EMFILE, errno.ENFILE])
def test_where_the_kernel_refuses_a_pidfd_a_thread_waits(
    loop: EventLoop, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuses(pid: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", refuses, raising=False)
    codes: list[int | None] = []
    loop.watch_child(exits(3), codes.append)
    loop.run()
    assert codes == [3]


def test_a_signal_that_ended_it_is_a_negative_code(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]"
) -> None:
    codes: list[int | None] = []
    loop.watch_child(sleeper, codes.append)
    loop.call_soon(sleeper.kill)
    loop.run()
    assert codes == [-signal.SIGKILL]


def test_a_popen_knows_its_code_afterwards(loop: EventLoop) -> None:
    codes: list[int | None] = []
    with subprocess.Popen(["sh", "-c", "exit 5"]) as child:
        loop.watch_child(child, codes.append)
        loop.run()
        assert codes == [child.returncode] == [5]


def test_many_children_at_once(loop: EventLoop) -> None:
    codes: list[int | None] = []
    for number in range(10):
        loop.watch_child(exits(number), codes.append)
    loop.run()
    assert sorted(code for code in codes if code is not None) == list(range(10))


def test_a_child_that_has_ended_already_is_told_of(loop: EventLoop) -> None:
    codes: list[int | None] = []
    child = exits(7)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    loop.watch_child(child, codes.append)
    loop.run()
    assert codes == [7]


@pytest.mark.parametrize("how", ["pidfd"], indirect=True)  # a thread collects it at once
def test_a_code_that_another_has_collected_is_none(loop: EventLoop) -> None:
    codes: list[int | None] = []
    child = exits(1)
    loop.watch_child(child, codes.append)
    os.waitpid(child, 0)
    loop.run()
    assert codes == [None]


def test_cancelling_ends_the_watch_and_not_the_child(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]"
) -> None:
    handle = loop.watch_child(sleeper, pytest.fail, "it was cancelled")  # type: ignore[arg-type]
    handle.cancel()
    handle.cancel()
    loop.run()
    assert sleeper.poll() is None
    assert sleeper.stdin is not None
    sleeper.stdin.close()
    assert sleeper.wait() == 0
    loop.run_once(0.02)
    assert not loop.close()


def test_an_end_that_nobody_waits_for_any_more_is_no_leftover(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """A thread reports it all the same, and the loop may be closed before it is heard."""
    loop.watch_child(sleeper, pytest.fail, "it was cancelled").cancel()  # type: ignore[arg-type]
    sleeper.kill()
    join_threads()
    assert not loop.close()


def test_watching_again_and_again_takes_one_thread(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]", how: str
) -> None:
    """A thread in waitpid() cannot be called back; so the next watch has to make do with it."""
    codes: list[int | None] = []
    before = threading.active_count()
    for _ in range(5):
        loop.watch_child(sleeper, codes.append).cancel()
    loop.watch_child(sleeper, codes.append)
    loop.watch_child(sleeper, codes.append)
    assert threading.active_count() - before == (how == "thread")
    loop.call_soon(sleeper.kill)
    loop.run()
    assert codes == [-signal.SIGKILL] * 2
    assert not loop.close()


def test_a_child_whose_end_is_known_can_still_be_cancelled(loop: EventLoop) -> None:
    handle = loop.watch_child(exits(0), pytest.fail, "it was cancelled")  # type: ignore[arg-type]
    while not loop.stats().queued:
        loop.run_once(1)
    handle.cancel()
    loop.run()


def test_a_child_that_cannot_be_watched_leaves_no_descriptor(
    how: str, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """As when the kernel's limit on what epoll watches is reached, or select()'s on numbers."""

    class Full(PollsterWrapper):
        full = False

        @override
        def _attach(self, fd: int, direction: int, /) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, f"there is no room for descriptor {fd}")
            super()._attach(fd, direction)

    if how == "thread":
        pytest.skip("it needs no descriptor")
    pollster = Full(default_pollster())
    loop = EventLoop(pollster)
    pollster.full = True
    with pytest.raises(OSError, match="there is no room"):
        loop.watch_child(sleeper, pytest.fail, "it is not watched")  # type: ignore[arg-type]
    assert not loop.close()


def test_close_reports_the_children_that_are_watched(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]"
) -> None:
    loop.watch_child(sleeper, pytest.fail, "the loop was closed")  # type: ignore[arg-type]
    left = loop.close()
    assert left.children == (sleeper.pid,)
    assert left.readers == ()
    assert left.held == 0


def test_what_is_no_process_is_named(loop: EventLoop) -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    with pytest.raises(ProcessLookupError, match=f"no process {child.pid}"):
        loop.watch_child(child.pid, print)
    assert not loop.close()


def test_a_watched_child_keeps_the_run_going_and_the_loop_free(
    loop: EventLoop, sleeper: "subprocess.Popen[bytes]"
) -> None:
    order: list[str] = []
    assert sleeper.stdin is not None
    loop.watch_child(sleeper, lambda code: order.append(f"ended {code}"))
    loop.call_later(0.001, order.append, "timer")
    loop.call_later(0.005, sleeper.stdin.close)
    loop.run()
    assert order == ["timer", "ended 0"]
    join_threads()
