"""Random programs of tulip and asyncio tasks, one inside the other, cancelled from both sides.

Every task ends, nothing is left on either side, and tulip's books are right between any two steps.
Both loops go by one virtual clock.
"""

import asyncio
import selectors
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from typing import Any

from tests.sched.invariants import check_books
from tests.seeds import every_seed, telling
from tulip_sched import (
    BusyError,
    CancelScope,
    Context,
    Event,
    EventLoop,
    Task,
    TaskCancelledError,
    TaskGroup,
    block_r,
    current_context,
    current_task,
    move_on_after,
    run_in_asyncio,
    set_context_provider,
    sleep,
    wait_asyncio,
)
from tulip_sched.testing import VirtualClock

DEEPEST = 3


class BoomError(Exception):
    """A part of the program."""


class JumpingSelector(selectors.DefaultSelector):
    """Looks at real descriptors, and moves a clock instead of waiting."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:  # type: ignore[explicit-override]
        events = super().select(0)
        if not events and timeout != 0:
            assert timeout is not None, "asyncio would wait for ever"
            self.clock.advance(max(timeout, 0))
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that goes by a clock of ours."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(JumpingSelector(clock))
        self.time = clock  # type: ignore[method-assign]


class World:
    """What the tasks of one program share.

    Args:
        seed: Decides everything.
    """

    def __init__(self, seed: int, cleanup: ExitStack) -> None:
        self.luck = Random(seed)
        self.history: list[str] = []
        self.ours: list[Task[None]] = []
        self.theirs: list[asyncio.Task[None]] = []
        self.scopes: list[CancelScope] = []
        self.futures: list[asyncio.Future[int]] = []
        self.event = Event()
        self.here, self.there = (cleanup.enter_context(end) for end in socket.socketpair())
        for end in (self.here, self.there):
            end.setblocking(False)

    def moments(self) -> int:
        return self.luck.choice([0, 1, 2])

    # -- on tulip's side ------------------------------------------------------------------------

    async def tulip(self, depth: int, count: int) -> None:
        """Do a few things as a tulip task."""
        for _ in range(count):
            context = current_context()
            if context.running:
                check_books(context)
            action = self.luck.choice(TULIP)
            if depth >= DEEPEST and action in DEEPER:
                continue
            self.history.append(f"{current_task().name}: {action.__name__.strip('_')}")
            await action(self, depth + 1)

    @contextmanager
    def open(self, scope: CancelScope) -> Iterator[None]:
        self.scopes.append(scope)
        try:
            yield
        finally:
            self.scopes.remove(scope)

    # -- on asyncio's side ----------------------------------------------------------------------

    async def asyncio(self, depth: int, count: int) -> None:
        """Do a few things as an asyncio task."""
        for _ in range(count):
            action = self.luck.choice(ASYNCIO)
            if depth >= DEEPEST and action in DEEPER:
                continue
            self.history.append(f"asyncio: {action.__name__.strip('_')}")
            await action(self, depth + 1)


async def _sleep(world: World, depth: int) -> None:
    await sleep(world.moments())


async def _sleep_of_asyncio(world: World, depth: int) -> None:
    await asyncio.sleep(world.moments())


async def _future(world: World, depth: int) -> None:
    future = asyncio.get_running_loop().create_future()
    world.futures.append(future)
    with move_on_after(world.luck.choice([0, 1, 3])), suppress(asyncio.CancelledError):
        await future


async def _wait_asyncio(world: World, depth: int) -> None:
    with suppress(TaskCancelledError, BoomError):
        await wait_asyncio(world.asyncio(depth, 2))


async def _wait_for_a_shielded_one(world: World, depth: int) -> None:
    if world.theirs:
        theirs = world.luck.choice(world.theirs)
        with suppress(TaskCancelledError, BoomError), move_on_after(2):
            await wait_asyncio(asyncio.shield(theirs))


async def _await_directly(world: World, depth: int) -> None:
    theirs = asyncio.ensure_future(world.asyncio(depth, 2))
    world.theirs.append(theirs)
    with suppress(asyncio.CancelledError, BoomError):
        await theirs


async def _cancel(world: World, depth: int) -> None:
    book: list[Any] = world.luck.choice([world.ours, world.theirs, world.scopes])
    if book:
        world.luck.choice(book).cancel()


async def _scope(world: World, depth: int) -> None:
    with move_on_after(world.moments()) as scope, world.open(scope):
        await world.tulip(depth, 2)


async def _shield(world: World, depth: int) -> None:
    with CancelScope(shield=True) as scope, world.open(scope):
        await world.tulip(depth, 2)


async def _group(world: World, depth: int) -> None:
    try:
        async with TaskGroup() as group:
            for _ in range(2):
                world.ours.append(group.create_task(world.tulip(depth, 2)))
    except* (BoomError, TaskCancelledError):
        pass


async def _receive(world: World, depth: int) -> None:
    with move_on_after(2), suppress(BusyError, BlockingIOError):
        await block_r(world.here)
        world.here.recv(10)


async def _send(world: World, depth: int) -> None:
    with suppress(BlockingIOError):
        world.there.send(b"x")


async def _finish_a_future(world: World, depth: int) -> None:
    left = [future for future in world.futures if not future.done()]
    if left:
        future = world.luck.choice(left)
        if world.luck.random() < 0.7:
            future.set_result(1)
        else:
            future.cancel()


async def _raise(world: World, depth: int) -> None:
    if world.luck.random() < 0.2:
        raise BoomError


async def _wait_for_the_event(world: World, depth: int) -> None:
    with move_on_after(1):
        await world.event.wait()


async def _set_the_event(world: World, depth: int) -> None:
    world.event.set()
    world.event.clear()


async def _join(world: World, depth: int) -> None:
    others = [task for task in world.ours if task is not current_task()]
    if others:
        with move_on_after(2):
            await world.luck.choice(others).wait()


async def _run_tulip(world: World, depth: int) -> None:
    with suppress(TaskCancelledError, BoomError):
        await run_in_asyncio(world.tulip(depth, 2))


async def _run_tulip_for_a_while(world: World, depth: int) -> None:
    with suppress(TimeoutError, TaskCancelledError, BoomError):
        await asyncio.wait_for(run_in_asyncio(world.tulip(depth, 2)), 2)


Action = Callable[[World, int], Awaitable[None]]
TULIP: list[Any] = [
    *(_sleep, _sleep_of_asyncio, _future, _wait_asyncio, _wait_asyncio, _wait_for_a_shielded_one),
    *(_await_directly, _cancel, _cancel, _scope, _scope, _shield, _group, _receive, _send, _raise),
    *(_finish_a_future, _wait_for_the_event, _set_the_event, _join),
]
ASYNCIO: list[Any] = [
    *(_sleep_of_asyncio, _run_tulip, _run_tulip, _run_tulip, _run_tulip_for_a_while),
    *(_run_tulip_for_a_while, _cancel, _cancel, _send, _finish_a_future, _raise),
]
DEEPER = {_wait_asyncio, _await_directly, _scope, _shield, _group, _run_tulip}
DEEPER.add(_run_tulip_for_a_while)


def is_part_of_it(error: BaseException | None) -> bool:
    """Return whether an error is one that programs make on purpose."""
    if isinstance(error, BaseExceptionGroup):
        return error.split((BoomError, TaskCancelledError))[1] is None
    return error is None or isinstance(error, BoomError | TaskCancelledError)


async def perform(world: World) -> None:
    """Run a program to its end, and look at what is left."""
    loop, unhandled = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _loop, told: unhandled.append(told))
    counts = [world.luck.choice([4, 8, 12]) for _ in range(world.luck.choice([1, 2, 3]))]
    mine = [asyncio.ensure_future(world.asyncio(0, count)) for count in counts]
    world.theirs += mine
    _, pending = await asyncio.wait(mine, timeout=1000)
    assert not pending, f"these do not end: {pending}"
    for task in mine:
        assert task.cancelled() or is_part_of_it(task.exception()), task
    await asyncio.sleep(10)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"left in asyncio: {left}"
    context = current_context()
    assert not context.tasks
    assert not context.running
    assert not context.foreign
    for told in unhandled:
        assert is_part_of_it(told.get("exception")), told


def check(seed: int) -> None:
    """Run one program in a context of its own."""
    clock = VirtualClock()
    context = Context(EventLoop(clock=clock))
    previous = set_context_provider(lambda: context)
    try:
        with ExitStack() as cleanup:
            world = World(seed, cleanup)
            cleanup.enter_context(telling(seed, world.history))
            runner = asyncio.Runner(loop_factory=lambda: VirtualLoop(clock))
            cleanup.enter_context(runner).run(perform(world))
    finally:
        set_context_provider(previous)
        context.close()
        context.eventloop.close()


@every_seed(30)
def test_two_kinds_of_tasks_that_wait_for_each_other(seed: int) -> None:
    for each in range(10 * seed, 10 * seed + 4):
        check(each)
