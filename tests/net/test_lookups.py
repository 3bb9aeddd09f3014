"""Look-ups that never end, in processes of their own, which must end all the same."""

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from tulip_net import create_task, getaddrinfo, run, sleep
from tulip_net._lookups import Lookups, Outcome, Question, _Process, _Waiter, look_up
from tulip_net._typing import override
from tulip_sched.testing import no_leaks

ENDLESS = """
import os, socket, sys, threading, time
from tulip_net import create_task, fail_after, getaddrinfo, move_on_after, run, sleep, wait_all

real = socket.getaddrinfo

def endless(host, *arguments):
    # What the C library does while a name server is silent, without the waiting for one.
    if str(host).startswith("slow") and not arguments[-1] & socket.AI_NUMERICHOST:
        time.sleep(3600)
    return real(host, *arguments)

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


class Counting:
    """Is told an outcome, and counts how often it is compared with another."""

    compared = 0

    def __call__(self, outcome: Outcome) -> None:
        raise AssertionError("it was forgotten")

    @override
    def __eq__(self, other: object) -> bool:
        Counting.compared += 1
        return self is other

    @override
    def __hash__(self) -> int:
        return id(self)


class CountingName(str):
    """A name that counts how often it is compared with another."""

    __slots__ = ()

    @override
    def __eq__(self, other: object) -> bool:
        Counting.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("same", [True, False], ids=["one name", "many names"])
def test_a_thousand_are_forgotten_without_a_look_at_each_other(*, same: bool) -> None:
    """As when all who wait are cancelled: measured in comparisons, not in seconds."""
    go, ended = threading.Event(), threading.Event()

    def endless(*_arguments: object, **_options: object) -> object:
        go.wait(10)
        raise socket.gaierror("nobody knows")

    lookups = Lookups(most=1)
    lookups.ask((endless, "first", ()), lambda _: ended.set())
    waiting: list[tuple[Question, Callable[[Outcome], None]]] = [
        ((endless, CountingName("same" if same else f"host{number}"), ()), Counting())
        for number in range(1000)
    ]
    for question, tell in waiting:
        lookups.ask(question, tell)
    Counting.compared = 0
    for question, tell in reversed(waiting):
        lookups.forget(question, tell)
    assert Counting.compared < 10_000
    go.set()
    assert ended.wait(10)


def test_an_outcome_for_who_was_cancelled_meanwhile_is_no_leftover(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would lie in the queue of a loop that is closed before its turn."""
    telling, go = threading.Event(), threading.Event()
    real = _Waiter.tell

    def tell_late(waiter: _Waiter, outcome: Outcome) -> None:
        telling.set()
        go.wait(10)
        real(waiter, outcome)

    async def main() -> None:
        task = create_task(getaddrinfo("localhost", 80))
        await sleep(0)
        assert telling.wait(10)
        task.cancel()
        await task.wait()
        go.set()
        for thread in threading.enumerate():
            if thread.name.startswith("look up"):
                thread.join()

    monkeypatch.setattr(_Waiter, "tell", tell_late)
    with no_leaks():
        run(main())


class Oracle:
    """Answers each question when it is told to, and notes who is asked for and who is told."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.told: SimpleQueue[tuple[str, Outcome]] = SimpleQueue()
        self.go = threading.Semaphore(0)

    def question(self, name: str) -> Question:
        return self._answer, name, ()

    def _answer(self, name: str | None) -> str:
        self.asked.append(name)
        self.go.acquire(timeout=5)
        return f"address of {name}"

    def teller(self, who: str) -> Callable[[Outcome], None]:
        return lambda outcome: self.told.put((who, outcome))


def test_one_thread_asks_once_and_in_order_and_not_what_nobody_waits_for() -> None:
    oracle, lookups = Oracle(), Lookups(most=1)
    tell = {who: oracle.teller(who) for who in ("a1", "a2", "b1", "c1", "c2", "d1", "e1")}
    for who, teller in tell.items():
        if who != "e1":
            lookups.ask(oracle.question(who[0]), teller)
    [thread] = [each for each in threading.enumerate() if each.name == "look up a"]
    assert thread.daemon, "the end of the process does not wait for it"
    for who in ("b1", "c1"):
        lookups.forget(oracle.question(who[0]), tell[who])
    oracle.go.release(3)
    told = [oracle.told.get(timeout=5) for _ in range(4)]
    assert sorted(told[:2]) == [("a1", "address of a"), ("a2", "address of a")]
    assert told[2:] == [("c2", "address of c"), ("d1", "address of d")]
    assert oracle.asked == ["a", "c", "d"]
    thread.join(5)
    oracle.go.release()
    lookups.ask(oracle.question("e"), tell["e1"])  # there is room again
    assert oracle.told.get(timeout=5) == ("e1", "address of e")
    assert oracle.told.empty()


def test_a_look_up_that_is_cancelled_before_a_thread_is_free_is_never_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    oracle = Oracle()
    monkeypatch.setattr(_Process, "lookups", Lookups(most=1))

    async def main() -> None:
        first, second = (create_task(look_up(oracle.question(name))) for name in "ab")
        await sleep(0)
        [thread] = [each for each in threading.enumerate() if each.name == "look up a"]
        second.cancel()
        await second.wait()
        oracle.go.release(2)
        assert await first == "address of a"
        thread.join(5)

    run(main())
    assert oracle.asked == ["a"]
