"""Forked processes: what a child does with what it inherited concerns nothing of its parent's."""

import select
import socket
import sys
from contextlib import suppress
from io import UnsupportedOperation

import pytest

from tests import forked
from tulip_poll import Pollster

pytestmark = [
    pytest.mark.slow,  # most of them start Python anew
    pytest.mark.skipif(sys.platform == "win32", reason="no fork()"),
]

BEGINNING = """
import atexit
from tulip_poll import *
near, far = socket.socketpair()
near.setblocking(False)
atexit.register(lambda: (near.close(), far.close()))
seen = []
"""


def output(program: str) -> str:
    """Return what a program printed that begins with a pair of sockets."""
    return forked.output(BEGINNING + program)


@pytest.mark.parametrize(
    "work",
    [
        "loop.remove_reader(near)",
        "loop.forget(near)",
        "handle.cancel(); loop.run_once(0)",
        "loop.close()",
        "globals().pop('loop')",
        "near.close(); loop.run_once(0)",
        "loop.add_reader(near, seen.append, 2, edge=True); loop.run_once(0)",
    ],
)
def test_a_child_s_work_on_a_loop_is_not_felt_by_the_parent_s(work: str) -> None:
    program = f"""
loop = EventLoop()
handle = loop.add_reader(near, seen.append, 1)
print(in_a_child(lambda: exec({work!r}, globals())))
far.send(b"x")
loop.run_once(2)
thread = threading.Timer(0.05, loop.call_soon_threadsafe, [seen.append, 2])
thread.start()
loop.call_later(1, seen.append, "late")
loop.remove_reader(near)
loop.run_once(2)
print(seen)
thread.join()
loop.close()
"""
    assert output(program) == "0\n[1, 2]\n"


def test_a_child_s_work_on_a_pollster_is_not_felt_by_the_parent_s() -> None:
    program = """
pollster = default_pollster()
pollster.add_reader(near, print)
def work():
    pollster.remove_reader(near)
    assert not pollster.poll(0)
print(in_a_child(work))
assert not pollster.poll(0)
far.send(b"x")
print(len(pollster.poll(2)))
pollster.close()
"""
    assert output(program) == "0\n1\n"


@pytest.mark.parametrize("without", ["", "del os.eventfd, os.pipe2"], ids=["", "socket pairs"])
def test_a_loop_that_does_not_run_goes_on_in_a_child(without: str) -> None:
    """As in a server that opens its ports and then becomes a daemon, or several workers."""
    if sys.platform != "linux":
        without = ""
    program = (
        without
        + """
loop = EventLoop()
loop.add_reader(near, lambda: (print(near.recv(9)), loop.remove_reader(near)))
loop.add_signal_handler(signal.SIGUSR1, lambda: print("signal"))
loop.call_soon(print, "soon")
def work():
    far.send(b"x")
    signal.raise_signal(signal.SIGUSR1)
    loop.run()
    loop.hold()
    threading.Timer(0.01, loop.call_soon_threadsafe, [loop.release]).start()
    loop.run()
    assert loop.close().signals
print(in_a_child(work))
print(loop.close().callbacks != ())
"""
    )
    assert output(program) == "soon\nsignal\nb'x'\n0\nTrue\n"


def test_a_child_takes_no_wake_up_from_its_parent() -> None:
    program = """
loop = EventLoop()
def from_a_thread(*what):
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=what)
    thread.start()
    thread.join()
loop.run_once(0)
go, gone = os.pipe()
def work():
    os.read(go, 1)
    loop.run_once(0)
    loop.run_once(0)
child = os.fork()
if not child:
    os._exit(work() or 0)
from_a_thread(print, "first")
os.write(gone, b"x")
os.waitpid(child, 0)
loop.run_once(2)
loop.call_later(1, print, "too late")
thread = threading.Timer(0.05, loop.call_soon_threadsafe, [print, "second"])
thread.start()
loop.run_once(0)
loop.run_once(2)
thread.join()
loop.close()
"""
    assert output(program) == "first\nsecond\n"


def test_a_loop_that_runs_stays_the_parent_s() -> None:
    program = """
loop = EventLoop()
def tried(*calls):
    for call in calls:
        try:
            call()
        except ClosedError as error:
            print("forked" in str(error), end=" ")
def work():
    tried(lambda: loop.call_soon(print), lambda: loop.call_later(1, print), loop.stop,
          lambda: loop.call_soon_threadsafe(print), lambda: loop.add_reader(near, print), loop.run)
    loop.close()
    print("left behind" in repr(loop))
    other = EventLoop()
    other.call_soon(print, "another one")
    other.run()
    other.close()
loop.add_reader(near, lambda: (loop.remove_reader(near), print("readable")))
loop.call_soon(lambda: print(in_a_child(work)))
loop.call_soon(print, "then")
loop.call_later(0.01, far.send, b"x")
loop.run()
loop.close()
"""
    assert output(program) == "True " * 6 + "True\nanother one\n0\nthen\nreadable\n"


@pytest.mark.parametrize("handler", [False, True])
def test_a_child_that_returns_into_the_parent_s_loop_is_told_so(*, handler: bool) -> None:
    program = f"""
loop = EventLoop()
if {handler}:
    loop.exception_handler = lambda error, handle: print("handled:", error)
def split():
    if child := os.fork():
        os.waitpid(child, 0)
loop.call_soon(print, "before")
loop.call_soon(sys.stdout.flush)
loop.call_soon(split)
loop.call_soon(print, "after")
loop.call_soon(print, "and after")
loop.call_later(0.01, print, "later")
try:
    loop.run()
except ClosedError as error:
    print("told:", "forked" in str(error), flush=True)
    os._exit(0)
loop.close()
"""
    assert output(program) == "before\ntold: True\nafter\nand after\nlater\n"


def test_a_signal_in_a_child_is_not_for_the_loop_that_runs_in_the_parent() -> None:
    """The loop took SIGTERM, as servers do; and the child must end by it all the same."""
    program = """
loop = EventLoop()
loop.add_signal_handler(signal.SIGTERM, print, "the parent was terminated")
def work():
    assert signal.set_wakeup_fd(-1) == -1
    signal.raise_signal(signal.SIGTERM)
    time.sleep(10)
def split():
    print(in_a_child(work))
    poller = select.poll()
    poller.register(loop._signals)
    print(poller.poll(0))
loop.call_soon(split)
loop.run()
loop.close()
"""
    assert output(program) == "-15\n[]\n"


def test_loops_of_other_threads_stay_the_parent_s() -> None:
    program = """
made, go = threading.Event(), threading.Event()
def other():
    # One that runs, one that does not, and one that only the thread's own memory has.
    global running, idle
    idle = EventLoop()
    idle.add_reader(near, seen.append, 1)
    own = threading.local()
    own.loop = EventLoop()
    own.loop.add_reader(near, seen.append, 2)
    running = EventLoop()
    running.hold()
    running.call_soon(made.set)
    running.run()
    far.send(b"x")
    idle.run_once(2)
    own.loop.run_once(2)
    print(seen)
    for loop in (idle, own.loop, running):
        loop.close()
thread = threading.Thread(target=other)
thread.start()
made.wait()
def work():
    for loop in (running, idle):
        for call in (lambda: loop.call_soon_threadsafe(print), lambda: loop.forget(near)):
            try:
                call()
            except ClosedError as error:
                print("forked" in str(error), end=" ")
        loop.close()
    print(os.listdir("/proc/self/fd").__len__() if sys.platform == "linux" else "", end=" ")
    globals().pop("running"), globals().pop("idle")
    import gc
    gc.collect()
print(in_a_child(work))
running.call_soon_threadsafe(running.release)
thread.join()
"""
    shown = output(program).split()
    assert shown[:4] == ["True"] * 4
    assert shown[-3:] == ["0", "[1,", "2]"]


def test_a_loop_for_which_no_descriptor_is_left_stays_the_parent_s() -> None:
    program = """
import resource
loop = EventLoop()
loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
free = os.open("/dev/null", os.O_RDONLY)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
def work():
    try:
        loop.call_soon_threadsafe(print)
    except ClosedError as error:
        print("forked" in str(error))
print(in_a_child(work))
signal.raise_signal(signal.SIGUSR1)
loop.run_once(2)
print(seen)
loop.close()
"""
    assert output(program) == "True\n0\n[1]\n"


def test_a_hosted_loop_goes_on_in_a_child() -> None:
    program = """
host, loop = EventLoop(), EventLoop()
try:
    host.add_reader(loop.fileno(), loop.run_once, 0)
except OSError:
    print("both\\nboth\\n0")  # no such pollster here
    os._exit(0)
loop.add_reader(near, lambda: print(near.recv(9)))
def both():
    far.send(b"both")
    host.run_once(2)
    host.run_once(0)
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(print, "threadsafe"))
    thread.start()
    thread.join()
    host.run_once(2)
print(in_a_child(lambda: (both(), loop.close(), host.close()) and 0), flush=True)
both()
loop.remove_reader(near)
host.close()
loop.close()
"""
    assert output(program) == "b'both'\nthreadsafe\n0\nb'both'\nthreadsafe\n"


def test_a_thread_runner_has_threads_in_a_child_as_well() -> None:
    program = """
loop = EventLoop()
runner = ThreadRunner(loop)
def both():
    runner.submit(os.getpid, on_done=lambda done: print(done.result() == os.getpid(), flush=True))
    loop.run()
both()
def work():
    both()
    runner.shutdown()
print(in_a_child(work))
both()
runner.shutdown()
loop.close()
"""
    assert output(program) == "True\nTrue\n0\nTrue\n"


def test_nothing_of_a_loop_is_inherited_by_another_program() -> None:
    program = """
import subprocess
def listing():
    return subprocess.check_output(
        [sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"], close_fds=False
    )
before = listing()
loop = EventLoop()
loop.add_signal_handler(signal.SIGUSR1, print)
if hasattr(os, "pidfd_open"):
    loop.fileno()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
loop.watch_child(child, print)
print(listing() == before)
print(in_a_child(lambda: print(loop.run_once(0), listing() == before)))
child.communicate(b"\\n")
loop.close()
"""
    if sys.platform == "linux":
        assert output(program) == "True\nTrue True\n0\n"


def test_a_child_of_a_child_is_one_as_well() -> None:
    program = """
loop = EventLoop()
loop.add_reader(near, lambda: print(near.recv(9)))
def work():
    print(in_a_child(lambda: loop.close() and 0), flush=True)
    far.send(b"child")
    loop.run_once(2)
    loop.remove_reader(near)
    loop.close()
print(in_a_child(work), flush=True)
far.send(b"parent")
loop.run_once(2)
loop.remove_reader(near)
loop.close()
"""
    assert output(program) == "0\nb'child'\n0\nb'parent'\n"


@pytest.mark.parametrize("hosted", [False, True])
def test_what_the_books_say_is_told_to_the_kernel_anew(pollster: Pollster, *, hosted: bool) -> None:
    """What a forked process does, in this one: for those that there are only models of here."""
    near, far = socket.socketpair()
    with near, far, suppress(UnsupportedOperation):
        reader, writer = pollster.add_reader(near, print), pollster.add_writer(near, print)
        if hosted:
            pollster.fileno()
        for _ in range(2):
            pollster._let_go()
            if hosted:
                pollster._be_hosted_again()
                assert select.select([pollster.fileno()], [], [], 0)[0]
        assert pollster.poll(0) == [writer]
        pollster._let_go()
        pollster.remove_writer(near)
        far.send(b"x")
        assert pollster.poll(2) == [reader]
