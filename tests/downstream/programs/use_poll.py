"""What a stranger does with tulip-poll: callbacks on descriptors, timers, threads and children."""

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import assert_type

from tulip_poll import (
    Arrange,
    Child,
    ChildProcess,
    ClosedError,
    EpollPollster,
    EventLoop,
    ExceptionHandler,
    FileDescriptor,
    Handle,
    HasFileno,
    KqueuePollster,
    Leftovers,
    LoopStats,
    PollPollster,
    Pollster,
    PollsterWrapper,
    QueueEntry,
    SelectPollster,
    SlowCallback,
    SlowReports,
    ThreadRunner,
    TimerHandle,
    WrongThreadError,
    default_pollster,
)


def watch_a_pair(make: Callable[[], Pollster]) -> None:
    """Use a pollster by itself: it hands back handles and calls nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pollster = make()
        handle = pollster.add_reader(ours, print, "never called")
        assert_type(handle, Handle)
        assert_type(pollster.poll(0), list[Handle])
        theirs.send(b"x")
        assert pollster.poll(1.0) == [handle]
        assert pollster.pollable() == 1
        assert_type(pollster.forget(ours), list[Handle])
        assert_type(pollster.remove_reader(ours.fileno()), bool)
        pollster.close()


def read_with_a_loop() -> bytes:
    """Let a loop call back when a descriptor is ready and when time has come."""
    received: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        loop = EventLoop(SelectPollster())

        def on_readable(file: socket.socket, limit: int) -> None:
            received.append(file.recv(limit))
            loop.remove_reader(file)

        loop.add_reader(ours, on_readable, ours, 100)
        assert_type(loop.add_reader(ours, on_readable, ours, 100, edge=True), Handle)
        timer = loop.call_later(0.001, theirs.send, b"data")
        assert_type(timer, TimerHandle)
        loop.call_at(loop.time() + 3600, sys.exit, "cancelled in time").cancel()
        assert_type(loop.call_soon(len, b""), Handle)
        assert_type(loop.call_soon(len, b"").redirect(bool), None)
        loop.run()
        assert_type(loop.stats(), LoopStats)
        assert_type(loop.next_deadline(), float | None)
        leftovers = loop.close()
        assert_type(leftovers, Leftovers)
        assert not leftovers
    return received[0]


def use_threads() -> int:
    """Run functions in threads; the loop goes on until they are done."""
    loop = EventLoop()
    results: list[int] = []

    def on_done(future: Future[int]) -> None:
        results.append(future.result())

    with ThreadRunner(loop) as runner:
        future = runner.submit(pow, 2, 10, on_done=on_done)
        assert_type(future, Future[int])
        runner.submit(loop.call_soon_threadsafe, results.append, 1)
        loop.run()
    loop.close()
    return sum(results)


def wait_for_a_child() -> int | None:
    """Be told of the end of a child process, and of a signal."""
    loop = EventLoop()
    codes: list[int | None] = []
    child: Child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    process: ChildProcess | int = child
    loop.watch_child(process, codes.append)
    loop.wake_on_signals()
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.run()
    assert loop.remove_signal_handler(signal.SIGUSR1)
    loop.close()
    return codes[0]


def handle_mistakes() -> None:
    """Meet the errors that say what was misused."""
    loop = EventLoop()
    seen: list[Exception] = []

    def note(error: Exception, entry: QueueEntry) -> None:
        assert not entry.retired
        seen.append(error)

    handler: ExceptionHandler = note
    loop.exception_handler = handler
    reports = loop.report_slow_callbacks(
        60.0, lambda slow: print(assert_type(slow, SlowCallback).source)
    )
    assert_type(reports, SlowReports)
    loop.call_soon(int, "not a number")
    loop.run_once(0)
    assert isinstance(seen[0], ValueError)
    with ThreadRunner(loop) as runner:
        future = runner.submit(loop.call_soon, print)
        loop.run()
        assert isinstance(future.exception(), WrongThreadError)
    loop.close()
    try:
        loop.call_soon(print)
    except ClosedError:
        return
    raise AssertionError("a closed loop took a callback")


class Patient(PollsterWrapper):
    """A pollster that changes one thing about another."""

    def poll(self, timeout: float | None = None) -> list[Handle]:
        """Wait at most a second at a time."""
        return super().poll(1.0 if timeout is None else min(timeout, 1.0))


def try_another_order() -> list[str]:
    """Run the callbacks of a round in an order of our own."""

    def newest_first(queue: deque[QueueEntry]) -> int:
        queue.reverse()
        return len(queue)

    order: Arrange = newest_first
    loop = EventLoop(Patient(default_pollster()), arrange=order)
    seen: list[str] = []
    loop.call_soon(seen.append, "first")
    assert_type(loop.call_soon(seen.append, "second").receiver, object)
    loop.run()
    loop.close()
    return seen


def number(fd: FileDescriptor) -> int:
    """Take what the library takes: a number, or an object with one."""
    if isinstance(fd, int):
        return fd
    known: HasFileno = fd
    return known.fileno()


def refused(loop: EventLoop, runner: ThreadRunner) -> None:
    """Each of these lines is a mistake that the type checker finds."""
    loop.call_soon(len, 5)  # type: ignore[arg-type]
    loop.call_later("soon", print)  # type: ignore[arg-type]
    loop.add_reader("a name", print)  # type: ignore[arg-type]
    loop.run(5)  # type: ignore[call-arg]
    runner.submit(pow, 2, 10, on_done=len)  # type: ignore[arg-type]
    Pollster()  # type: ignore[abstract]


if __name__ == "__main__":
    for choice in (default_pollster, SelectPollster, PollPollster):
        watch_a_pair(choice)
    if sys.platform == "linux":
        watch_a_pair(EpollPollster)
    if sys.platform == "darwin":
        watch_a_pair(KqueuePollster)
    assert read_with_a_loop() == b"data"
    assert use_threads() == 1025
    assert wait_for_a_child() == 3
    handle_mistakes()
    assert try_another_order() == ["second", "first"]
    assert number(sys.stdout) == number(1) == 1 or os.name == "nt"
