"""Look-ups that never end, in processes of their own, which must end all the same."""

import subprocess
import sys
import textwrap
import time

import pytest

ENDLESS = """
import os, socket, sys, threading, time
from tulip_net import create_task, fail_after, getaddrinfo, move_on_after, run, sleep, wait_all

real = socket.getaddrinfo

def endless(host, *arguments, **options):
    # What the C library does while a name server is silent, without the waiting for one.
    if str(host).startswith("slow") and not options:
        time.sleep(3600)
    return real(host, *arguments, **options)

socket.getaddrinfo = endless

async def ask_slowly(count):
    tasks = [create_task(getaddrinfo(f"slow{each}.invalid", 80)) for each in range(count)]
    with move_on_after(0.05):
        await wait_all(tasks)
    for task in tasks:
        task.cancel()
    await wait_all(tasks)
"""


def run_program(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENDLESS + textwrap.dedent(text)],
        capture_output=True,
        check=False,
        timeout=15,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.slow
def test_the_end_of_the_process_waits_for_no_look_up() -> None:
    started = time.monotonic()
    run_program("run(ask_slowly(3))")
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_name_after_as_many_slow_ones_as_there_are_threads_waits_and_can_be_cancelled() -> None:
    shown = run_program("""
        async def main():
            await ask_slowly(100)
            assert threading.active_count() == 1 + 32, threading.active_count()
            with move_on_after(0.05) as scope:
                await getaddrinfo("localhost", 80)
            print(scope.cancelled_caught)
            print((await getaddrinfo("127.0.0.1", 80))[0][4])

        run(main())
    """)
    assert shown == "True\n('127.0.0.1', 80)\n"


@pytest.mark.slow
def test_a_forked_process_begins_anew() -> None:
    shown = run_program("""
        run(ask_slowly(100))
        child = os.fork()
        if not child:
            async def main():
                with fail_after(5):
                    print((await getaddrinfo("localhost", 80))[0][4][1], flush=True)

            run(main())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """)
    assert shown == "80\n"
