"""Random programs of callbacks in a loop that runs, is run round by round, or is hosted.

Nothing is called that was cancelled, removed or forgotten, nothing twice, early, or out of order;
what remains is called in the end, whoever raises or stops meanwhile.
"""

import select
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.poll.loop_programs import BoomError, Out, World, WouldWaitError
from tests.seeds import every_seed, telling
from tulip_poll import PollPollster, Pollster, SelectPollster, default_pollster

# More rounds than any of them takes.
MANY = 2000

POLLSTERS: dict[str, Callable[[], Pollster]] = {
    "default": default_pollster,
    "poll": PollPollster,
    "select": SelectPollster,
}


def ready(fd: int, events: int) -> bool:
    """Ask another facility."""
    probe = select.poll()
    probe.register(fd, events)
    return bool(probe.poll(0))


def run(world: World) -> None:
    """Run to the end, again after each error and each stop."""
    for _ in range(MANY):
        world.check_books()
        if world.budget <= 0:
            world.cancel_files()
        with suppress(BoomError, Out):
            try:
                if world.loop.run():
                    return
            except WouldWaitError:
                assert world.files, "it would wait for ever, for nothing"
                for end, kind in world.files:
                    events = select.POLLIN if kind == "reader" else select.POLLOUT
                    assert not ready(end.fileno(), events), "an event was missed"
                world.cancel_files()
    raise AssertionError("it does not end")


def run_round_by_round(world: World) -> None:
    """Run single rounds, and let time pass between them."""
    for _ in range(MANY):
        world.check_books()
        if world.budget <= 0:
            world.cancel_files()
        with suppress(BoomError, Out):
            world.loop.run_once(world.luck.choice([0, 0, 0.3]))
        if world.is_over():
            world.cancel_files()
            if world.is_over() and not world.loop._ready:
                return
        if world.luck.random() < 0.3:
            world.clock.now += world.luck.choice([0.25, 0.5])
    raise AssertionError("it does not end")


def be_host(world: World) -> None:
    """Run rounds only when the loop's descriptor says so, or its deadline has come."""
    fd = world.loop.fileno()
    for _ in range(MANY):
        world.check_books()
        with suppress(BoomError, Out):
            if ready(fd, select.POLLIN):
                world.loop.run_once(0)
                continue
            assert not world.loop._ready, "the host was not told of the queue"
            assert not world.pollster.look(), "the host was not told of a descriptor"
            deadline = world.loop.next_deadline()
            if deadline is not None:
                world.clock.now = max(world.clock.now, deadline)
                world.loop.run_once(0)
            elif not world.files:
                return
            else:
                world.cancel_files()
            if world.luck.random() < 0.3:
                world.act("host")
    raise AssertionError("it does not end")


def check(seed: int, perform: Callable[[World], None], pollster: Pollster, usual: bool) -> None:
    world = World(seed, pollster, usual=usual)
    try:
        with telling(seed, world.history):
            for _ in range(5):
                with suppress(BoomError, Out):
                    world.act("first")
            perform(world)
            assert world.is_over(), (world.soon, world.timers, world.repeated)
            assert not any(world.forgotten.values()), "what was scheduled was not called"
            assert not world.loop.close()
    finally:
        world.close()


@every_seed(15)
@pytest.mark.parametrize("usual", [True, False], ids=["usual rounds", "rounds cut short"])
@pytest.mark.parametrize("perform", [run, run_round_by_round], ids=["run", "run_once"])
@pytest.mark.parametrize("pollster", POLLSTERS)
def test_what_is_due_is_called_once(
    seed: int, perform: Callable[[World], None], pollster: str, usual: bool
) -> None:
    for each in range(10):
        check(1000 * seed + each, perform, POLLSTERS[pollster](), usual)


@every_seed(15)
def test_a_host_is_told_of_all_there_is(seed: int) -> None:
    for each in range(20):
        check(1000 * seed + each, be_host, default_pollster(), usual=True)
