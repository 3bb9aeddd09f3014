"""Processes that are forked inside a run, as the workers of a pool of processes are."""

import sys

import pytest

from tests import forked

pytestmark = [
    pytest.mark.slow,  # each starts Python anew
    pytest.mark.skipif(sys.platform == "win32", reason="no fork()"),
]

BEGINNING = """
import multiprocessing
from tulip_sched import *

async def give(value):
    await sleep(0.001)
    assert current_task().name == "main"
    return value

def run_two(value):
    return run(give(value)) + run(give(value))

def tried(call):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, "forked" in str(error), flush=True)
"""


def output(program: str) -> str:
    """Return what a program printed that begins with a coroutine or two."""
    return forked.output(BEGINNING + program)


def test_the_workers_of_a_pool_run_coroutines() -> None:
    program = """
async def main():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(await call_in_thread(pool.map, run_two, [1, 2]))
run(main())
"""
    assert output(program) == "[2, 4]\n"


def test_a_forked_process_runs_coroutines_and_leaves_the_parent_s_alone() -> None:
    program = """
async def cleans_up(name):
    try:
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

async def main():
    create_task(cleans_up("the parent"))
    await sleep(0)
    print(in_a_child(lambda: run_two(3)), flush=True)
    await sleep(0.001)
    print("the end", flush=True)
run(main())
"""
    assert output(program) == "6\nthe end\ncleaned up\n"


def test_a_process_forked_from_asyncio_with_tulip_inside_runs_coroutines() -> None:
    program = """
import asyncio
async def main():
    print(in_a_child(lambda: run_two(3)), flush=True)
    await sleep(0.001)
asyncio.run(run_in_asyncio(main()))
"""
    assert output(program) == "6\n"


def test_ctrl_c_in_a_forked_process_ends_its_own_run() -> None:
    program = """
async def interrupted():
    try:
        signal.raise_signal(signal.SIGINT)
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

def work():
    try:
        run(interrupted())
    except KeyboardInterrupt:
        return 7

async def main():
    print(in_a_child(work), flush=True)
    await sleep(0.001)
run(main())
"""
    assert output(program) == "cleaned up\n7\n"


def test_a_forked_process_is_in_no_run_until_it_begins_one() -> None:
    program = """
def work():
    tried(current_task)
    return run_two(1)

async def main():
    print(in_a_child(work), flush=True)
    await sleep(0.001)
run(main())
"""
    assert output(program) == "RuntimeError True\n2\n"


@pytest.mark.parametrize("wait", ["sleep(0)", "event.wait()", "block_r(near)", "watching()"])
def test_a_child_that_goes_on_in_the_parent_s_run_is_told_so_and_cleans_nothing_up(
    wait: str,
) -> None:
    program = f"""
async def other():
    try:
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

@coroutine
def watching():
    watch.block_r()
    yield

async def main():
    global near, watch, event
    event = Event()
    near, far = socket.socketpair()
    watch = Watch(far.fileno())
    create_task(other())
    await sleep(0)
    if (child := os.fork()) == 0:
        await {wait}
        print("and here", flush=True)
    os.waitpid(child, 0)
    watch.forget()
    near.close()
    far.close()

home = os.getpid()
try:
    run(main())
except Exception as error:
    print("forked" in str(error), os.getpid() != home, flush=True)
    os._exit(0)
"""
    assert output(program) == "True True\ncleaned up\n"


def test_a_child_that_exits_inside_the_parent_s_run_cleans_nothing_of_it_up() -> None:
    program = """
async def other():
    try:
        await sleep(1000)
    finally:
        print("cleaned up", flush=True)

async def main():
    create_task(other())
    await sleep(0)
    if (child := os.fork()) == 0:
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
run(main())
"""
    assert output(program) == "7\ncleaned up\n"


def test_a_process_forked_in_a_thread_of_a_run_runs_coroutines() -> None:
    program = """
def work():
    tried(lambda: call_from_thread(sleep, 0))
    tried(lambda: portal.call(sleep, 0))
    return run_two(2)

async def main():
    global portal
    with Portal() as portal:
        print(await call_in_thread(in_a_child, work))
        await sleep(0)
run(main())
"""
    assert output(program) == "ClosedError True\nClosedError True\n4\n"


def test_a_portal_of_the_parent_s_takes_no_calls_in_a_child() -> None:
    program = """
def work():
    tried(lambda: portal.call(sleep, 0))
    thread = threading.Thread(target=tried, args=[lambda: portal.call(sleep, 0)])
    thread.start()
    thread.join()

async def main():
    global portal
    with Portal() as portal:
        print(in_a_child(work))
        await sleep(0)
run(main())
"""
    assert output(program) == "ClosedError True\nClosedError True\n0\n"


def test_watches_made_before_the_fork_are_of_use_after_it_in_each_process() -> None:
    """As those of a server are, which opens its ports and then begins its workers."""
    program = """
near, far = socket.socketpair()
watch = Watch(near.fileno())

@coroutine
def main(text):
    far.send(text)
    watch.block_r()
    yield
    print(near.recv(9), flush=True)
print(in_a_child(lambda: run(main(b"child"))), flush=True)
run(main(b"parent"))
near.close()
far.close()
"""
    assert output(program) == "b'child'\n0\nb'parent'\n"


def test_a_child_of_a_task_that_reads_is_told_whose_watch_it_is() -> None:
    """As the task that forked keeps its place between two waits, the copy must not have it."""
    program = """
near, far = socket.socketpair()

@coroutine
def receive():
    watch.block_r()
    yield
    print(near.recv(9), flush=True)

async def main():
    global watch
    watch = Watch(near.fileno())
    far.send(b"first")
    await receive()
    print(in_a_child(lambda: tried(lambda: run(receive()))))
    far.send(b"second")
    await receive()
    if (child := os.fork()) == 0:
        await receive()
    os.waitpid(child, 0)
    watch.forget()

try:
    run(main())
except Exception as error:
    print("forked" in str(error), flush=True)
    os._exit(0)
near.close()
far.close()
"""
    told = ["b'first'", "WrongThreadError True", "0", "b'second'", "True"]
    assert output(program).splitlines() == told


def test_a_child_forgets_a_watch_and_the_parent_does_not() -> None:
    program = """
near, far = socket.socketpair()

async def main():
    watch = Watch(near.fileno())

    @coroutine
    def wait():
        watch.block_r()
        yield
        print("readable")
    task = create_task(wait())
    await sleep(0)
    print(in_a_child(watch.forget))
    print(in_a_child(lambda: tried(task.cancel)))
    far.send(b"x")
    await task
run(main())
near.close()
far.close()
"""
    assert output(program) == "0\nClosedError True\n0\nreadable\n"


def test_the_second_ctrl_c_is_not_needed_in_a_child() -> None:
    program = """
def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    except KeyboardInterrupt:
        return 5

async def main():
    current_context().eventloop.add_signal_handler(signal.SIGTERM, print, "terminated")
    print(in_a_child(work), in_a_child(lambda: (signal.raise_signal(signal.SIGTERM), 3)[1]))
    await sleep(0)
run(main())
"""
    assert output(program) == "5 -15\n"


def test_a_forked_process_hosts_tulip_in_an_asyncio_of_its_own() -> None:
    program = """
import asyncio
async def main():
    def work():
        return asyncio.run(run_in_asyncio(give_one()))
    print(in_a_child(work), flush=True)
    await sleep(0.001)

async def give_one():
    await sleep(0.001)
    await wait_asyncio(asyncio.sleep(0.001))
    return 1
asyncio.run(run_in_asyncio(main()))
"""
    assert output(program) == "1\n"


def test_a_process_forked_in_virtual_time_is_in_no_run_and_in_real_time() -> None:
    program = """
from tulip_sched.testing import virtual_time
async def main():
    await sleep(1000)
    began = time.monotonic()
    print(in_a_child(lambda: run_two(3) if run(sleep(0.05)) is None else 1), flush=True)
    print(time.monotonic() - began > 0.05)
    await sleep(1000)
with virtual_time():
    run(main())
"""
    assert output(program) == "6\nTrue\n"


def test_a_process_forked_by_asyncio_beside_tulip_hosts_it_in_one_of_its_own() -> None:
    """The loop inside does not run at the time, and yet it is part of a run."""
    program = """
import asyncio
async def give_one():
    await sleep(0.001)
    return 1

async def main():
    async with hosted_by_asyncio():
        task = create_task(sleep(0.01))
        await asyncio.sleep(0)
        print(in_a_child(lambda: asyncio.run(run_in_asyncio(give_one()))), flush=True)
        print(in_a_child(lambda: run(give_one())), flush=True)
        await run_in_asyncio(give_one())
        while not task.done():
            await asyncio.sleep(0.001)
asyncio.run(main())
"""
    assert output(program) == "1\n1\n"


def test_programs_that_are_started_in_a_run_disturb_nothing() -> None:
    """With a function of ours in between, Python forks, and what is told of forks is called."""
    program = """
import subprocess
near, far = socket.socketpair()

async def main():
    waiting = create_task(wait())
    await sleep(0)
    for options in {}, {"preexec_fn": os.getpid}, {"close_fds": False}:
        subprocess.run([sys.executable, "-S", "-c", ""], check=True, **options)
    done = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(done, 0)[1]))
    await call_in_thread(time.sleep, 0)
    far.send(b"x")
    await waiting
    return 5

async def wait():
    await block_r(near)
    print(near.recv(9))
print(run(main()))
near.close()
far.close()
"""
    assert output(program) == "0\nb'x'\n5\n"


def test_a_worker_is_terminated_though_the_run_handles_that_signal() -> None:
    """A worker that was forked has the handler for SIGTERM, but nobody who would call it."""
    program = """
def work(pipe):
    pipe.send(1)
    time.sleep(20)

async def main():
    current_context().eventloop.add_signal_handler(signal.SIGTERM, print, "terminated")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=[theirs])
    process.start()
    await block_r(ours)
    process.terminate()
    process.join()
    print(process.exitcode)
    ours.close()
    theirs.close()
run(main())
"""
    assert output(program) == "-15\n"
