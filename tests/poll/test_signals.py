"""Signals as callbacks."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tulip_poll import EventLoop

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals here")


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Fail when a test leaves a handler or a wake-up descriptor behind."""
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)] == before
    assert signal.set_wakeup_fd(-1) == -1


def kill(number: int = signal.SIGUSR1) -> None:
    """Send a signal to the main thread, where it arrives at once.

    One for the process the kernel may give to a thread that an earlier test has left, and two that
    wait for the interpreter together become one.
    """
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, number)


def test_a_signal_calls_back_in_a_round(any_loop: EventLoop) -> None:
    calls: list[tuple[str, bool]] = []

    def note(name: str) -> None:
        calls.append((name, any_loop._running))
        if len(calls) == 2:
            any_loop.release()
        else:
            kill(signal.SIGUSR1)

    any_loop.add_signal_handler(signal.SIGUSR1, note, "one")
    any_loop.add_signal_handler(signal.SIGUSR2, note, "two")
    any_loop.hold()
    any_loop.call_later(0.001, kill, signal.SIGUSR2)
    any_loop.run()
    assert calls == [("two", True), ("one", True)]
    any_loop.close()


def test_each_signal_calls_back_again(loop: EventLoop) -> None:
    calls: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
    for _ in range(3):
        loop.call_soon(kill)
        loop.run()
        loop.run_once(0)
    assert calls == [1, 1, 1]
    loop.close()


def test_a_signal_that_the_kernel_gives_to_another_thread_ends_the_poll(
    any_loop: EventLoop,
) -> None:
    """The main thread's poll is not interrupted then: Python writes to the wake-up descriptor."""
    any_loop.add_signal_handler(signal.SIGUSR1, any_loop.release)
    any_loop.hold()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    assert thread.ident is not None
    sender = threading.Timer(0.005, signal.pthread_kill, [thread.ident, signal.SIGUSR1])
    sender.start()
    any_loop.run()
    leave.set()
    thread.join()
    sender.join()
    any_loop.close()


def test_a_handler_of_the_program_s_own_can_end_the_poll_as_well(any_loop: EventLoop) -> None:
    """With `wake_on_signals` it is called while the loop polls, whichever thread got the signal."""
    any_loop.wake_on_signals()
    any_loop.wake_on_signals()
    assert (any_loop.stats().signals, any_loop.stats().readers) == (0, 0)
    any_loop.run()  # nothing is left to do
    old = signal.signal(signal.SIGUSR1, lambda *_: any_loop.release())
    any_loop.hold()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    assert thread.ident is not None
    sender = threading.Timer(0.005, signal.pthread_kill, [thread.ident, signal.SIGUSR1])
    sender.start()
    any_loop.run()
    leave.set()
    thread.join()
    sender.join()
    signal.signal(signal.SIGUSR1, old)
    assert not any_loop.close()


def test_signals_wake_through_a_socket_pair_where_there_is_no_pipe2(
    monkeypatch: pytest.MonkeyPatch, any_loop: EventLoop
) -> None:
    monkeypatch.delattr(os, "pipe2", raising=False)
    test_a_signal_that_the_kernel_gives_to_another_thread_ends_the_poll(any_loop)


def test_only_the_main_thread_is_woken_by_signals() -> None:
    def target() -> None:
        loop = EventLoop()
        with pytest.raises(ValueError, match="main thread"):
            loop.wake_on_signals()
        assert not loop.close()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


def test_a_handler_does_not_keep_the_run_going(loop: EventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, pytest.fail, "no signal was sent")
    loop.run()
    assert loop.stats().readers == 0
    assert loop.close().signals == (signal.SIGUSR1,)


def test_another_handler_takes_the_place_of_the_first(loop: EventLoop) -> None:
    calls: list[str] = []
    first = loop.add_signal_handler(signal.SIGUSR1, calls.append, "first")
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "second")
    assert first.cancelled
    loop.call_soon(kill)
    loop.run()
    loop.run_once(0)
    assert calls == ["second"]
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert not loop.close()


def test_removing_puts_back_what_was_there(loop: EventLoop) -> None:
    before: list[int] = []
    old = signal.signal(signal.SIGUSR1, lambda number, _: before.append(number))
    try:
        assert not loop.remove_signal_handler(signal.SIGUSR1)
        loop.add_signal_handler(signal.SIGUSR1, pytest.fail, "it was removed")
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert not loop.remove_signal_handler(signal.SIGUSR1)
        kill()
        assert before == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, old)
    loop.close()


def test_removing_leaves_a_handler_that_came_later(loop: EventLoop) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    loop.add_signal_handler(signal.SIGUSR1, int)
    seen: list[int] = []

    def later(number: int, _frame: object) -> None:
        seen.append(number)

    signal.signal(signal.SIGUSR1, later)
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is later
    signal.signal(signal.SIGUSR1, before)
    loop.close()


def test_two_loops_leave_a_signal_in_any_order() -> None:
    """The second puts the first one's handler back, which is over: what was there before has it."""
    seen: list[str] = []

    def first_of_all(_number: int, _frame: object) -> None:
        seen.append("first of all")

    before = signal.signal(signal.SIGUSR1, first_of_all)
    one, two = EventLoop(), EventLoop()
    one.add_signal_handler(signal.SIGUSR1, seen.append, "one")
    two.add_signal_handler(signal.SIGUSR1, seen.append, "two")
    one.close()
    kill()
    two.run_once(0)
    two.run_once(0)
    assert seen == ["two"]
    two.close()
    kill()
    assert seen == ["two", "first of all"]
    assert signal.getsignal(signal.SIGUSR1) is first_of_all
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_arrived_before_its_handler_was_removed_is_dropped(loop: EventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, pytest.fail, "it was removed")
    kill()
    loop.remove_signal_handler(signal.SIGUSR1)
    loop.run()
    loop.close()


def test_a_wake_up_descriptor_that_came_later_is_left_alone(loop: EventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    loop.close()
    assert signal.set_wakeup_fd(-1) == write_end
    os.close(read_end)
    os.close(write_end)


def test_only_the_main_thread_can_add_one() -> None:
    errors: list[str] = []

    def target() -> None:
        loop = EventLoop()
        with pytest.raises(ValueError, match="main thread") as caught:
            loop.add_signal_handler(signal.SIGUSR1, loop.stop)
        errors.append(str(caught.value))
        assert not loop.close()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    assert len(errors) == 1


@pytest.mark.parametrize("number", [0, 4000, -1])
def test_what_is_no_signal_is_refused(loop: EventLoop, number: int) -> None:
    with pytest.raises(ValueError, match="signal"):
        loop.add_signal_handler(number, loop.stop)
    assert not loop.close()


def test_what_the_kernel_does_not_allow_is_refused(loop: EventLoop) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        loop.add_signal_handler(signal.SIGKILL, loop.stop)
    assert not loop.close()


def test_the_wake_up_descriptor_of_another_is_left_alone(loop: EventLoop) -> None:
    """A loop that hosts this one, such as asyncio's, has one of its own."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    try:
        loop.add_signal_handler(signal.SIGUSR1, loop.release)
        loop.hold()
        loop.call_soon(kill)
        loop.run()
        assert os.read(read_end, 10) == bytes([signal.SIGUSR1])
        loop.close()
    finally:
        assert signal.set_wakeup_fd(-1) == write_end
        os.close(read_end)
        os.close(write_end)


def test_a_flood_of_signals_blocks_nothing(loop: EventLoop) -> None:
    calls: list[int] = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
    for _ in range(2000):
        kill()
    loop.run()
    assert calls == [1] * 2000
    loop.run_once(0)
    loop.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a thread's state in /proc")
def test_system_calls_elsewhere_go_on_after_a_signal(loop: EventLoop) -> None:
    """Those of libraries in C, which do not know that they may have to begin anew."""
    loop.add_signal_handler(signal.SIGUSR1, print)
    read_end, write_end = os.pipe()
    call = Path(f"/proc/self/task/{threading.get_native_id()}/syscall")
    if not os.access(call, os.R_OK):
        pytest.skip("what the main thread is doing is not told here")

    def interrupt_and_answer() -> None:
        while call.read_text().split()[1:2] != [hex(read_end)]:  # its first argument
            pass
        assert main.ident is not None
        signal.pthread_kill(main.ident, signal.SIGUSR1)
        os.write(write_end, b"x")

    main = threading.main_thread()
    thread = threading.Thread(target=interrupt_and_answer)
    thread.start()
    count = ctypes.CDLL(None).read(read_end, ctypes.create_string_buffer(1), 1)
    thread.join()
    os.close(read_end)
    os.close(write_end)
    assert count == 1
