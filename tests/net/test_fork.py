"""Forked processes, and what they do with the sockets that they inherit."""

import sys

import pytest

from tests import forked

pytestmark = [
    pytest.mark.slow,  # each starts Python anew
    pytest.mark.skipif(sys.platform == "win32", reason="no fork()"),
]

BEGINNING = """
import gc
from tulip_net import *
"""


def output(program: str) -> str:
    """Return what a program printed."""
    return forked.output(BEGINNING + program)


@pytest.mark.parametrize(
    "work", ["close()", "detach().close()", "_sock.close()", "_watch.forget()"]
)
@pytest.mark.parametrize("waiting", [False, True])
def test_a_transport_closed_in_a_child_goes_on_in_the_parent(work: str, *, waiting: bool) -> None:
    program = f"""
async def main():
    near, far = map(SocketTransport, socket.socketpair())
    await far.send(b"x")
    print(await near.recv(9))
    task = create_task(near.recv(9))
    await sleep(0)
    if not {waiting}:
        task.cancel()
        with move_on_after(0):
            await near.recv(1)
    child = os.fork()
    if not child:
        try:
            near.{work}
        except (BusyError, ClosedError) as error:
            print(type(error).__name__, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    await far.send(b"y")
    with fail_after(5):
        print(await (task if {waiting} else near.recv(9)))
    near.close()
    far.close()
run(main())
"""
    shown = output(program).splitlines()
    assert shown == ["b'x'", *(["BusyError"] if waiting and "detach" in work else []), "b'y'"]


def test_a_server_opens_its_door_and_then_begins_its_workers() -> None:
    program = """
sock = socket.create_server(("127.0.0.1", 0))
door = Listener([sock])

async def answer(transport):
    await transport.send(str(os.getpid()).encode())

async def work():
    await serve(answer, door)

workers = []
for _ in range(3):
    child = os.fork()
    if not child:
        current_context().eventloop.add_signal_handler(signal.SIGTERM, door.close)
        run(work())
        os._exit(0)
    workers.append(child)

async def main():
    seen = set()
    with fail_after(10):
        while len(seen) < 3:
            # Each stopped in turn, so that all of them come to answer.
            async with await create_transport("127.0.0.1", door.port) as transport:
                pid = int(await transport.recv(99))
            assert pid in workers
            if pid not in seen:
                seen.add(pid)
                os.kill(pid, signal.SIGSTOP)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    door.close()

run(main())
"""
    assert output(program) == "0\n0\n0\n"


def test_a_child_takes_a_connection_over_from_the_run_that_accepted_it() -> None:
    program = """
async def main():
    near, far = map(SocketTransport, socket.socketpair())
    await far.send(b"x")
    print(await near.recv(9), flush=True)

    async def child():
        with SocketTransport(near.detach()) as transport:
            print(await transport.recv(9), flush=True)
            await transport.send(b"from the child")
    if not os.fork():
        run(child())
        os._exit(0)
    near.close()
    await far.send(b"y")
    print(await far.recv(99))
    print(await far.recv(99))
    far.close()
    os.wait()
run(main())
"""
    assert output(program) == "b'x'\nb'y'\nb'from the child'\nb''\n"


def test_a_child_that_uses_a_transport_of_the_parent_s_run_is_told_so() -> None:
    program = """
async def main():
    near, far = map(SocketTransport, socket.socketpair())
    await far.send(b"x")
    print(await near.recv(9), flush=True)
    def work():
        async def child():
            try:
                await near.recv(1)
            except Exception as error:
                print(type(error).__name__, "detach" in str(error), flush=True)
        run(child())
    in_a_child(work)
    near.close()
    far.close()
run(main())
"""
    assert output(program) == "b'x'\nWrongThreadError True\n"


@pytest.mark.parametrize("end", ["sys.exit(3)", "os._exit(3)", "raise SystemExit(3)"])
def test_a_child_that_exits_says_nothing_of_what_it_inherited(end: str) -> None:
    """It is the parent that closes it; and on the line nothing is to be seen."""
    program = f"""
async def main():
    near, far = map(SocketTransport, socket.socketpair())
    one, other = memory_pair() if "memory_pair" in globals() else (None, None)
    door = await listen("127.0.0.1", 0)
    await far.send(b"x")
    await near.recv(1)
    task = create_task(near.recv(9))
    await sleep(0)
    child = os.fork()
    if not child:
        {end}
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    await far.send(b"y")
    with fail_after(5):
        print(await task)
    for each in (near, far, door):
        each.close()
run(main())
"""
    assert output(program) == "3\nb'y'\n"


def test_nothing_that_is_open_is_inherited_by_another_program() -> None:
    program = """
import subprocess
def listing():
    return subprocess.check_output(
        [sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"], close_fds=False
    )
before = listing()
async def main():
    door = await listen("127.0.0.1", 0)
    with fail_after(5):
        client = await create_transport("localhost", door.port)
    server = await door.accept()
    one, other = map(SocketTransport, socket.socketpair())
    await send_descriptors(one, [0])
    _, [number] = await recv_descriptors(other)
    again = SocketTransport(client.detach())
    print(listing() == before)
    os.close(number)
    for each in (door, server, one, other, again):
        each.close()
run(main())
"""
    if sys.platform == "linux":
        assert output(program) == "True\n"


def test_a_child_looks_names_up_while_its_parent_does() -> None:
    program = """
real = socket.getaddrinfo
asked = threading.Event()
def slow(host, *arguments):
    if host == "slow.invalid" and not arguments[-1] & socket.AI_NUMERICHOST:
        asked.set()
        time.sleep(3600)
    return real(host, *arguments)
socket.getaddrinfo = slow
async def main():
    task = create_task(getaddrinfo("slow.invalid", 80))
    await call_in_thread(asked.wait)
    def work():
        async def child():
            with fail_after(5):
                print((await getaddrinfo("localhost", 80))[0][4][1])
        run(child())
    print(in_a_child(work))
    task.cancel()
run(main())
"""
    assert output(program) == "80\n0\n"


def test_a_child_makes_contexts_for_tls_while_its_parent_does() -> None:
    program = """
import ssl
real = ssl.SSLContext.set_default_verify_paths
begun, go = threading.Event(), threading.Event()
def slow(self):
    begun.set()
    go.wait()
    real(self)
ssl.SSLContext.set_default_verify_paths = slow
thread = threading.Thread(target=client_context)
thread.start()
begun.wait()
def work():
    ssl.SSLContext.set_default_verify_paths = real
    signal.alarm(10)
    client_context()
print(in_a_child(work))
go.set()
thread.join()
"""
    assert output(program) == "0\n"


@pytest.mark.parametrize("way", ["pidfd", "thread"])
@pytest.mark.parametrize("waiting", [False, True])
def test_a_process_that_is_closed_in_a_child_is_the_parent_s_to_end(
    way: str, *, waiting: bool
) -> None:
    program = f"""
if "{way}" == "thread" and hasattr(os, "pidfd_open"):
    del os.pidfd_open
async def main():
    with await open_process(["cat"], stdin=-1, stdout=-1) as process:
        if {waiting}:
            task = create_task(process.wait())
            await sleep(0.01)
        print(in_a_child(process.close))
        await process.stdin.send(b"alive\\n")
        with fail_after(5):
            print(await BufferedReader(process.stdout).readline())
            await process.aclose()
        print(process.returncode)
run(main())
"""
    assert output(program) == "0\nb'alive\\n'\n0\n"
