"""Tasks that wait for what a signal's handler will do."""

import signal
from collections.abc import Iterator

import pytest

from tulip_poll import PollsterWrapper, default_pollster
from tulip_sched import (
    Context,
    DeadlockError,
    Event,
    EventLoop,
    Handle,
    create_task,
    current_context,
    dump_tasks_on_signal,
    run,
    set_context_provider,
    shield,
    sleep,
)
from tulip_sched._typing import override


class RingingPollster(PollsterWrapper):
    """Gets a signal as soon as the loop has nothing else to wait for."""

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        if timeout is None:
            signal.raise_signal(signal.SIGUSR1)
        return super().poll(timeout)


@pytest.fixture(autouse=True)
def _ringing() -> Iterator[None]:
    context = Context(EventLoop(RingingPollster(default_pollster())))
    previous = set_context_provider(lambda: context)
    try:
        yield
    finally:
        set_context_provider(previous)
        context.eventloop.close()


def test_to_wait_for_a_signal_is_no_deadlock() -> None:
    async def main() -> str:
        bell = Event()
        current_context().eventloop.add_signal_handler(signal.SIGUSR1, bell.set)
        await bell.wait()
        return "rung"

    assert run(main()) == "rung"


def test_a_run_without_a_main_task_waits_for_a_signal_and_ends() -> None:
    bell = Event()
    current_context().eventloop.add_signal_handler(signal.SIGUSR1, bell.set)
    task = create_task(bell.wait())
    run()
    assert task.result()


def test_a_signal_that_stops_the_loop_ends_the_run() -> None:
    async def main() -> None:
        loop = current_context().eventloop
        loop.add_signal_handler(signal.SIGUSR1, loop.stop)
        await Event().wait()

    with pytest.raises(RuntimeError, match="the event loop was stopped while tasks were left"):
        run(main())


def test_a_deadlock_after_the_last_signal_is_one() -> None:
    async def main() -> None:
        loop = current_context().eventloop
        loop.add_signal_handler(signal.SIGUSR1, loop.remove_signal_handler, signal.SIGUSR1)
        await Event().wait()

    with pytest.raises(DeadlockError):
        run(main())


def test_a_signal_that_only_prints_the_tree_hides_no_deadlock() -> None:
    async def main() -> None:
        dump_tasks_on_signal(signal.SIGUSR1)
        await Event().wait()

    with pytest.raises(DeadlockError):
        run(main())


def test_a_clean_up_that_waits_for_a_signal_ends() -> None:
    bell = Event()
    ended: list[str] = []

    async def waits() -> None:
        try:
            await Event().wait()
        finally:
            with shield():
                await bell.wait()
            ended.append("rung")

    async def main() -> None:
        current_context().eventloop.add_signal_handler(signal.SIGUSR1, bell.set)
        left = create_task(waits())
        await sleep(0)
        assert not left.done()

    run(main())
    assert ended == ["rung"]
