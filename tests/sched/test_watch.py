"""Watching one descriptor again and again: no kernel call between waits, nothing left behind."""

import gc
import socket
from collections.abc import Callable

import pytest

from tests.sched.sockets import drain, fill, readable, receive, writable
from tests.sched.virtual import Virtual
from tulip_sched import (
    BusyError,
    ClosedError,
    Context,
    Coroutine,
    Gen,
    Task,
    Watch,
    WrongThreadError,
    block_w,
    coroutine,
    create_task,
    current_context,
    run,
    set_context_provider,
    sleep,
)

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def test_forget_wakes_the_one_who_waits_to_write(virtual: Virtual, pair: MakePair) -> None:
    here, _ = pair()

    async def main() -> None:
        fill(here)
        watch = Watch(here.fileno())
        waiting = create_task(writable(watch))
        await sleep(1)
        watch.forget()
        with pytest.raises(ClosedError, match="was closed while"):
            await waiting

    run(main())


@pytest.mark.parametrize("elsewhere", [False, True], ids=["reader in its place", "and gone"])
@pytest.mark.usefixtures("no_collector")
def test_a_watch_that_was_told_goes_without_the_garbage_collector(
    virtual: Virtual, pair: MakePair, elsewhere: bool
) -> None:
    here, there = pair()

    async def main() -> None:
        there.send(b"x")
        watch = Watch(here.fileno())
        await receive(watch, here)
        if elsewhere:
            await sleep(1)
        watch.forget()
        del watch
        await sleep(1)
        assert not [each for each in gc.get_objects() if isinstance(each, Watch)]

    run(main())


def test_a_task_that_waits_again_and_again_registers_once(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        there.send(b"x")
        await receive(watch, here)
        before = virtual.pollster.kernel_calls
        for _ in range(100):
            waiting = create_task(receive(watch, here))
            await sleep(1)
            there.send(b"x")
            assert await waiting == b"x"
        assert virtual.pollster.kernel_calls == before
        watch.forget()

    run(main())


def test_the_registration_goes_with_its_first_unwanted_event(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        there.send(b"x")
        await receive(watch, here)
        assert virtual.loop.stats().readers == 1
        there.send(b"unwanted")
        await sleep(1)
        assert virtual.loop.stats().readers == 0
        rounds = virtual.rounds
        await sleep(1)
        assert virtual.rounds - rounds <= 2
        assert await receive(watch, here) == b"unwanted"
        watch.forget()

    run(main())
    assert virtual.loop.stats().readers == 0


def test_a_writer_that_nobody_wants_does_not_spin(virtual: Virtual, pair: MakePair) -> None:
    here, _ = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        await writable(watch)
        rounds = virtual.rounds
        await sleep(1)
        assert virtual.rounds - rounds <= 2
        assert virtual.loop.stats().writers == 0
        watch.forget()

    run(main())


def test_one_task_in_each_direction(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()
    fill(here)

    async def main() -> None:
        watch = Watch(here.fileno())
        reader, writer = create_task(readable(watch)), create_task(writable(watch))
        await sleep(1)
        assert not reader.done()
        assert not writer.done()
        drain(there)
        await writer
        assert not reader.done()
        there.send(b"x")
        await reader
        watch.forget()

    run(main())


@pytest.mark.parametrize("wait", [readable, writable])
def test_a_second_task_gets_busy_error_and_the_first_is_unharmed(
    virtual: Virtual, pair: MakePair, wait: Callable[[Watch], Task[None]]
) -> None:
    here, there = pair()
    fill(here)

    async def main() -> None:
        watch = Watch(here.fileno())
        first = create_task(wait(watch), "first")
        await sleep(1)
        with pytest.raises(BusyError, match=r"task 'first' is already waiting to (read|write)"):
            await wait(watch)
        there.send(b"x")
        drain(there)
        await first
        await wait(watch)
        watch.forget()

    run(main())


def test_forget_wakes_who_waits_with_closed_error(virtual: Virtual, pair: MakePair) -> None:
    here, _ = pair()
    fill(here)

    async def main() -> None:
        watch = Watch(here.fileno())
        waiting = [create_task(readable(watch), "r"), create_task(writable(watch), "w")]
        await sleep(1)
        watch.forget()
        here.close()
        for task in waiting:
            with pytest.raises(ClosedError, match=f"closed while '{task.name}' waited on it"):
                await task
        watch.forget()
        for wait in (readable, writable):
            with pytest.raises(ClosedError):
                await wait(watch)

    run(main())
    assert virtual.loop.parked == 0


def test_a_task_that_runs_waits_no_more(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()

    async def body(watch: Watch) -> None:
        await receive(watch, here)
        assert watch.idle()
        assert "reader=None" in repr(watch)

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(body(watch))
        await sleep(1)
        assert not watch.idle()
        assert repr(task) in repr(watch)
        there.send(b"x")
        await task
        watch.forget()

    run(main())


def test_who_read_and_then_forgets_is_refused_as_others_are(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()

    async def body(watch: Watch) -> None:
        await receive(watch, here)
        watch.forget()
        for wait in (readable, writable):
            with pytest.raises(ClosedError, match="this descriptor was closed"):
                await wait(watch)

    async def main() -> None:
        task = create_task(body(Watch(here.fileno())))
        await sleep(1)
        there.send(b"x")
        await task

    run(main())
    assert virtual.loop.parked == 0


def test_who_read_and_forgets_what_it_is_to_wait_for_is_told_once(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()

    @coroutine
    def body(watch: Watch) -> Gen[float]:
        yield from receive(watch, here)
        watch.block_w()
        watch.forget()
        with pytest.raises(ClosedError, match="was closed while"):
            yield
        yield from sleep(10)
        return virtual.now

    async def main() -> None:
        task = create_task(body(Watch(here.fileno())))
        await sleep(1)
        there.send(b"x")
        assert await task == 11

    run(main())


@pytest.mark.parametrize("woken", [False, True], ids=["at first", "after an event"])
def test_a_missing_yield_is_refused_and_the_wait_goes_on(
    virtual: Virtual, pair: MakePair, woken: bool
) -> None:
    here, there = pair()

    @coroutine
    def body(watch: Watch) -> Gen[bytes]:
        if woken:
            yield from receive(watch, here)
        watch.block_r()
        with pytest.raises(BusyError, match="already waiting to read"):
            watch.block_r()
        yield
        return here.recv(100)

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(body(watch))
        for _ in range(1 + woken):
            await sleep(1)
            there.send(b"x")
        assert await task == b"x"
        watch.forget()

    run(main())
    assert virtual.loop.parked == 0


def test_a_task_that_ends_for_a_missing_yield_is_counted_once(
    virtual: Virtual, pair: MakePair
) -> None:
    here, _ = pair()

    @coroutine
    def body(watch: Watch) -> Gen[None]:
        watch.block_r()
        watch.block_r()
        yield

    async def main() -> None:
        watch = Watch(here.fileno())
        with pytest.raises(BusyError):
            await create_task(body(watch))
        assert virtual.loop.parked == virtual.loop.stats().readers == 1
        watch.forget()

    run(main())
    assert virtual.loop.parked == 0


def test_a_descriptor_that_cannot_be_watched_raises_and_leaves_nothing() -> None:
    async def main() -> None:
        one, two = socket.socketpair()
        number = one.fileno()
        one.close()
        two.close()
        watch = Watch(number)
        with pytest.raises(OSError, match=f"cannot watch descriptor {number}"):
            await readable(watch)
        assert watch.idle()
        await sleep(0)
        watch.forget()

    run(main())


def test_only_a_task_can_wait(virtual: Virtual, pair: MakePair) -> None:
    here, _ = pair()
    watch = Watch(here.fileno())
    with pytest.raises(RuntimeError, match="only a task can wait to read"):
        watch.block_r()
    watch.forget()


def test_a_second_watch_of_a_descriptor_in_use_is_refused(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        task = create_task(receive(watch, here))
        await sleep(1)
        with pytest.raises(BusyError, match="already watched"):
            Watch(here.fileno())
        there.send(b"unharmed")
        assert await task == b"unharmed"
        watch.forget()

    run(main())


def test_a_watch_whose_descriptor_was_closed_and_reused_harms_nobody(pair: MakePair) -> None:
    """With the real pollster: the first file is closed without a word, its number is reused."""

    async def main() -> None:
        one, two = socket.socketpair()
        two.send(b"x")
        number = one.fileno()
        stale = Watch(number)
        await receive(stale, one)
        one.close()
        two.close()
        here, there = socket.socketpair()
        with here, there:
            assert here.fileno() == number
            fresh = Watch(number)
            task = create_task(receive(fresh, here))
            await sleep(0)
            stale.forget()
            there.send(b"y")
            assert await task == b"y"
            fresh.forget()
        assert current_context().eventloop.parked == 0

    run(main())


def test_who_is_told_once_may_forget_or_close_at_the_event_that_decides_it(pair: MakePair) -> None:
    """After `edge_after` events it is registered again, before the task runs."""
    here, there = pair()

    async def close_at_the_event() -> None:
        watch = Watch(here.fileno())
        watch.edge_after = 1
        await receive(watch, here)
        watch.forget()

    async def closed_before_the_event() -> None:
        watch = Watch(here.fileno())
        watch.edge_after = 1
        loop = current_context().eventloop
        other, its_peer = pair()

        def close() -> None:
            loop.remove_reader(other)
            here.close()

        loop.add_reader(other, close)
        task = create_task(receive(watch, here))
        await sleep(0)
        its_peer.send(b"first")
        there.send(b"x")
        with pytest.raises(OSError, match="Bad file descriptor"):
            await task
        watch.forget()

    there.send(b"x")
    run(close_at_the_event())
    run(closed_before_the_event())


def test_who_reads_is_resumed_also_when_its_watch_becomes_shared(pair: MakePair) -> None:
    here, there = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        watch.edge_after = 1
        task = create_task(receive(watch, here))
        await sleep(0)
        await block_w(here)
        there.send(b"x")
        assert await task == b"x"
        watch.forget()

    run(main())


def test_a_shared_watch_is_registered_only_if_it_was(pair: MakePair) -> None:
    here, _ = pair()

    async def main() -> None:
        watch = Watch(here.fileno())
        watch.edge_after = 1
        await block_w(here)
        assert current_context().eventloop.stats().readers == 0
        watch.forget()

    run(main())


def test_a_watch_of_a_run_that_is_over_says_so(pair: MakePair) -> None:
    here, there = pair()

    async def main() -> Watch:
        there.send(b"x")
        watch = Watch(here.fileno())
        await receive(watch, here)
        return watch

    watch = run(main())

    async def later() -> None:
        for wait in (watch.block_r, watch.block_w):
            with pytest.raises(ClosedError, match=r"the run in which .* is over"):
                wait()

    run(later())
    watch.forget()
    run(later())


@pytest.mark.parametrize("wait", [readable, writable])
def test_a_task_that_exits_once_its_descriptor_is_ready_leaves_nobody_waiting(
    virtual: Virtual, pair: MakePair, wait: Callable[[Watch], Coroutine[None]]
) -> None:
    here, there = pair()
    there.send(b"x")
    watch = Watch(here.fileno())

    async def main() -> None:
        await wait(watch)
        raise SystemExit

    with pytest.raises(SystemExit):
        run(main())
    stats = virtual.loop.stats()
    assert stats.readers + stats.writers == stats.parked
    watch.forget()


def test_a_watch_of_another_run_says_so(virtual: Virtual, pair: MakePair) -> None:
    here, _ = pair()
    watch = Watch(here.fileno())
    other = Context()
    previous = set_context_provider(lambda: other)

    async def main() -> None:
        with pytest.raises(WrongThreadError, match="another run than that of task 'main'"):
            watch.block_r()

    try:
        run(main())
    finally:
        set_context_provider(previous)
    watch.forget()


def test_a_watch_can_be_forgotten_after_its_run(pair: MakePair) -> None:
    here, there = pair()

    async def main() -> Watch:
        there.send(b"x")
        watch = Watch(here.fileno())
        await receive(watch, here)
        return watch

    run(main()).forget()
