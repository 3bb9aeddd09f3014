"""Readiness, cancellation and the end of a Watch that meet in one round, and what is counted."""

import socket
from collections.abc import Callable

import pytest

from tests.sched.sockets import readable, receive
from tests.sched.virtual import Virtual
from tulip_sched import (
    ClosedError,
    Gen,
    SuspendError,
    Watch,
    coroutine,
    create_task,
    current_context,
    fail_after,
    move_on_after,
    run,
    sleep,
)

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.mark.parametrize("order", ["readable first", "forgotten first"])
def test_readiness_and_forget_in_one_round(virtual: Virtual, pair: MakePair, order: str) -> None:
    here, there = pair()
    resumed: list[str] = []

    @coroutine
    def body(watch: Watch) -> Gen[None]:
        try:
            yield from readable(watch)
            resumed.append("readable")
        except ClosedError:
            resumed.append("closed")
        yield from sleep(1)

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(body(watch))
        await sleep(1)
        # What is in the queue before the poll runs before what the poll brings.
        if order == "forgotten first":
            virtual.loop.call_soon(watch.forget)
        else:
            virtual.loop.call_later(0, watch.forget)
        there.send(b"x")
        await task
        watch.forget()

    run(main())
    assert resumed == ["readable" if order == "readable first" else "closed"]


@pytest.mark.parametrize("order", ["readable first", "cancelled first"])
def test_readiness_and_cancel_in_one_round_resume_once(
    virtual: Virtual, pair: MakePair, order: str
) -> None:
    here, there = pair()
    resumed: list[str] = []

    @coroutine
    def body(watch: Watch) -> Gen[None]:
        with move_on_after(1000):
            yield from readable(watch)
            resumed.append(here.recv(10).decode())
        # Resumed twice, this would end early.
        yield from sleep(10)
        resumed.append(f"at {virtual.now}")

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(body(watch))
        await sleep(1)
        scope = task._scope
        assert scope is not None
        if order == "cancelled first":
            virtual.loop.call_soon(scope.cancel)
        else:
            virtual.loop.call_later(0, scope.cancel)
        there.send(b"data")
        await task
        if order == "cancelled first":
            assert await receive(watch, here) == b"data"
        watch.forget()

    run(main())
    assert resumed == (["data"] if order == "readable first" else []) + ["at 11.0"]


def test_readiness_and_timeout_in_one_round_give_the_data(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()

    async def main() -> bytes | None:
        watch = Watch(here.fileno())
        virtual.loop.call_at(virtual.clock.now + 5, there.send, b"data")
        try:
            with move_on_after(5.0):
                return await receive(watch, here)
            # The timer was first; what arrived is still there for who asks next.
            return await receive(watch, here)
        finally:
            watch.forget()

    assert run(main()) == b"data"


def test_a_cancelled_wait_leaves_the_data_and_no_registration_that_counts(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(receive(watch, here))
        await sleep(1)
        task.cancel()
        await task.wait()
        assert not virtual.left().startswith("1 descriptors")
        there.send(b"kept")
        assert await receive(watch, here) == b"kept"
        watch.forget()

    run(main())


def test_waiting_in_a_cancelled_scope_raises_and_leaves_nothing(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()
    there.send(b"ready")

    async def main() -> None:
        watch = Watch(here.fileno())
        with move_on_after(100) as scope:
            scope.cancel()
            await receive(watch, here)
        assert scope.cancelled_caught
        assert await receive(watch, here) == b"ready"
        watch.forget()

    run(main())


def test_a_wait_cancelled_at_once_by_the_task_an_event_woke_counts_once(pair: MakePair) -> None:
    # It counted twice: the next wait did not keep the run from ending, which said "deadlock".
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        loop = current_context().eventloop
        there.send(b"first")
        assert await receive(watch, here) == b"first"
        with move_on_after(100) as scope:
            scope.cancel()
            await receive(watch, here)
        assert scope.cancelled_caught
        assert loop.stats().parked == 1
        writing = create_task(sleep(0))
        writing.add_done_callback(lambda _: there.send(b"second"))
        assert await receive(watch, here) == b"second"
        watch.forget()
        assert loop.stats().parked == 0

    run(main())


def test_a_parked_registration_does_not_keep_the_run_from_ending(pair: MakePair) -> None:
    here, there = pair()
    there.send(b"x")

    async def main() -> None:
        watch = Watch(here.fileno())
        await receive(watch, here)
        create_task(sleep(0)).add_done_callback(lambda _: None)

    run(main())


@coroutine
def _turn(_: Watch) -> Gen[None]:
    yield from sleep(0)


@coroutine
def _nap(_: Watch) -> Gen[None]:
    yield from sleep(0.5)


@coroutine
def _another_task(_: Watch) -> Gen[None]:
    yield from create_task(sleep(0.5))


@coroutine
def _another_descriptor(other: Watch) -> Gen[None]:
    with move_on_after(0.5):
        yield from readable(other)


@pytest.mark.parametrize(
    "wait, lasts", [(_turn, 0), (_nap, 1.5), (_another_task, 1.5), (_another_descriptor, 1.5)]
)
@pytest.mark.parametrize("early", [None, 1, 3], ids=["level", "edge", "edge later"])
@pytest.mark.parametrize("told", [0, 1], ids=["at first", "after a read"])
def test_input_resumes_nobody_who_waits_for_something_else(
    virtual: Virtual,
    pair: MakePair,
    wait: Callable[[Watch], Gen[None]],
    lasts: float,
    early: int | None,
    told: int,
) -> None:
    """A task that reads again and again is resumed without a look at what it waits for."""
    here, there = pair()
    elsewhere, _ = pair()
    log: list[str] = []

    @coroutine
    def body(watch: Watch, other: Watch) -> Gen[None]:
        for reads in range(3):
            if reads == told:
                watch.edge_after = early
            yield from receive(watch, here)
            log.append("read")
            there.send(b"x")  # readable from now on, while it waits for something else
            yield from wait(other)
            log.append("waited")
        yield from receive(watch, here)

    async def main() -> None:
        watch, other = Watch(here.fileno()), Watch(elsewhere.fileno())
        task = create_task(body(watch, other))
        await sleep(1)
        there.send(b"x")
        began = virtual.now
        await task
        assert log == ["read", "waited"] * 3
        assert virtual.now - began == lasts
        watch.forget()
        other.forget()

    run(main())
    assert virtual.loop.parked == 0


def test_a_deadline_set_between_two_reads_ends_the_second(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()
    there.send(b"x")

    async def main() -> None:
        watch = Watch(here.fileno())
        await receive(watch, here)
        with move_on_after(5) as scope:
            await receive(watch, here)
        assert scope.cancelled_caught
        assert virtual.now == 5
        watch.forget()

    run(main())


def test_what_a_read_has_left_is_reported_once_the_watch_is_shared(pair: MakePair) -> None:
    """With the real pollster, which is told of new input only before."""
    here, there = pair()
    there.send(b"two")

    async def main() -> None:
        watch = Watch(here.fileno())
        watch.edge_after = 0
        await readable(watch)
        assert here.recv(1) == b"t"
        watch.share()
        with fail_after(5):
            await readable(watch)
        watch.forget()

    run(main())


def test_a_wait_is_unharmed_by_a_second_one_that_is_refused(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()
    elsewhere, _ = pair()

    @coroutine
    def body(watch: Watch, other: Watch) -> Gen[bytes]:
        watch.block_r()
        with pytest.raises(SuspendError, match=r"blocked by descriptor .* to be readable: a yield"):
            other.block_r()
        yield
        return here.recv(100)

    async def main() -> None:
        watch, other = Watch(here.fileno()), Watch(elsewhere.fileno())
        task = create_task(body(watch, other))
        await sleep(1)
        there.send(b"x")
        assert await task == b"x"
        assert other.idle()
        watch.forget()
        other.forget()

    run(main())
