"""Random programs of callbacks, which set, cancel, forget, stop and raise; and what is due then.

What is chosen depends on what there is, so a program is the seed that made it. Each callback knows
from the model whether it may be called now, and writes down what it does.
"""

import random
import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress

from tests.poll.virtual import Clock
from tulip_poll import (
    EventLoop,
    Handle,
    Pollster,
    PollsterWrapper,
    QueueEntry,
    TimerHandle,
    default_pollster,
)
from tulip_poll._typing import override

Key = tuple[socket.socket, str]


class BoomError(Exception):
    """Raised by a callback of a program."""


class Out(BaseException):
    """Raised by a callback of a program, to come out of the loop whoever handles exceptions."""


class WouldWaitError(Exception):
    """The loop would wait for ever."""


class Jumping(PollsterWrapper):
    """Looks at real descriptors, and moves a clock instead of waiting, to a deadline at most."""

    def __init__(self, inner: Pollster, clock: Clock) -> None:
        super().__init__(inner)
        self.clock = clock
        self.deadline: Callable[[], float | None] = lambda: None

    def look(self) -> list[Handle]:
        """Return what is ready."""
        return self._inner.poll(0)

    @override
    def poll(self, timeout: float | None = None) -> list[Handle]:
        ready = self.look()
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            raise WouldWaitError
        deadline = self.deadline()
        end = self.clock.now + timeout
        self.clock.now = max(self.clock.now, end if deadline is None else min(end, deadline))
        return ready


class World:
    """A loop, and all that its callbacks have asked of it.

    Args:
        seed: Decides everything.
        pollster: What the loop polls with; ``None`` for the default.
        usual: Whether the queue is worked off in the usual rounds; else in rounds cut short.
    """

    def __init__(self, seed: int, pollster: Pollster | None = None, *, usual: bool = True) -> None:
        self.luck = random.Random(seed)
        self.history: list[str] = []
        self.clock = Clock()
        self.pollster = Jumping(pollster or default_pollster(), self.clock)
        self.loop = EventLoop(self.pollster, self.clock, arrange=None if usual else self.cut_short)
        self.pollster.deadline = self.loop._timers.next_deadline
        self.handles_errors = self.luck.random() < 0.5
        if self.handles_errors:
            self.loop.exception_handler = self.handle_error
        # So many actions are left to this program.
        self.budget = self.luck.choice([20, 60, 300])
        self.made = 0
        self.soon: dict[int, Handle] = {}
        self.timers: dict[int, TimerHandle] = {}
        self.repeated: Counter[int] = Counter()
        self.files: dict[Key, tuple[int, Handle]] = {}
        # Those whose descriptor was forgotten: how often they were scheduled since.
        self.forgotten: dict[int, int] = {}
        self.ends = [end for _ in range(2) for end in socket.socketpair()]
        for end in self.ends:
            end.setblocking(False)

    def close(self) -> None:
        for end in self.ends:
            end.close()
        self.loop.close()

    def cut_short(self, queue: deque[QueueEntry]) -> int:
        return self.luck.randint(1, len(queue)) if queue else 0

    def handle_error(self, error: Exception, handle: QueueEntry) -> None:
        assert isinstance(error, BoomError), repr(error)
        if self.luck.random() < 0.05:
            raise Out

    # -- what is called, and whether it may be --------------------------------------------------

    def on_soon(self, number: int) -> None:
        assert number in self.soon, f"{number} is cancelled, or called twice"
        assert number == next(iter(self.soon)), f"{number} is called before {list(self.soon)[:3]}"
        del self.soon[number]
        self.act(f"soon {number}")

    def on_repeated(self, number: int) -> None:
        assert self.repeated[number] > 0, f"{number} is called too often"
        self.repeated[number] -= 1
        self.act(f"own handle {number}")

    def on_time(self, number: int) -> None:
        assert number in self.timers, f"timer {number} is cancelled, or called twice"
        when = self.timers.pop(number).when
        assert self.clock.now >= when, f"timer {number} is early"
        before = [each for each, timer in self.timers.items() if timer.when == when]
        assert not before or number < min(before), f"timer {number} is called before {before}"
        self.act(f"timer {number}")

    def on_ready(self, number: int, key: Key) -> None:
        if number in self.forgotten:
            assert self.forgotten[number] > 0, f"an event of {number}, which was forgotten"
            self.forgotten[number] -= 1
        else:
            assert self.files.get(key, (0,))[0] == number, f"an event of {number}, removed before"
            if self.luck.random() < 0.4:
                self.files.pop(key)[1].cancel()
            elif key[1] == "reader":
                with suppress(OSError):
                    key[0].recv(1)
        self.act(f"{key[1]} {number}")

    # -- what a callback does -------------------------------------------------------------------

    def act(self, who: str) -> None:
        """Do a few things, as long as there is something left of the program."""
        for _ in range(self.luck.choice([1, 1, 2, 3])):
            if self.budget <= 0:
                return
            self.budget -= 1
            action = self.luck.choice(ACTIONS)
            self.history.append(f"{self.clock.now:g} {who}: {action.__name__.strip('_')}")
            action(self)

    def number(self) -> int:
        self.made += 1
        return self.made

    def key(self) -> Key:
        return self.luck.choice(self.ends), self.luck.choice(["reader", "writer"])

    def is_over(self) -> bool:
        return not (self.soon or self.timers or +self.repeated or self.loop._held)

    def check_books(self) -> None:
        stats = self.loop.stats()
        assert stats.readers + stats.writers == len(self.files), stats
        timers = self.loop._timers
        assert timers._dead[0] == sum(entry[2].cancelled for entry in timers.heap)

    def cancel_files(self) -> None:
        for _, handle in self.files.values():
            handle.cancel()
        self.files.clear()


def _soon(world: World) -> None:
    number = world.number()
    call = world.luck.choice([world.loop.call_soon, world.loop.call_soon_threadsafe])
    world.soon[number] = call(world.on_soon, number)


def _timer(world: World) -> None:
    number, seconds = world.number(), world.luck.choice([0, 0, -1, 0.5, 0.5, 1, 2])
    if world.luck.random() < 0.5:
        world.timers[number] = world.loop.call_later(seconds, world.on_time, number)
    else:
        world.timers[number] = world.loop.call_at(world.clock.now + seconds, world.on_time, number)


def _timer_and_cancel_soon(world: World) -> None:
    """Make a timer that may be due in the very round in which it is cancelled."""
    number = world.number()
    seconds = world.luck.choice([0, 0.5])
    world.timers[number] = world.loop.call_later(seconds, world.on_time, number)
    first = world.number()
    world.soon[first] = world.loop.call_soon(_cancel_first, world, first, number)


def _cancel_first(world: World, first: int, number: int) -> None:
    if number in world.timers:
        world.timers.pop(number).cancel()
    world.on_soon(first)


def _cancel(world: World) -> None:
    book: dict[int, Handle] = world.luck.choice([world.soon, world.timers])  # type: ignore[list-item]
    if book:
        book.pop(world.luck.choice(list(book))).cancel()


def _own_handle(world: World) -> None:
    number = world.number()
    handle = Handle(world.on_repeated, number)
    for _ in range(world.luck.choice([1, 2])):
        world.loop.schedule(handle)
        world.repeated[number] += 1


def _add(world: World) -> None:
    key, number = world.key(), world.number()
    add = world.loop.add_reader if key[1] == "reader" else world.loop.add_writer
    world.files[key] = number, add(key[0], world.on_ready, number, key)


def _remove(world: World) -> None:
    if world.files:
        key = world.luck.choice(list(world.files))
        _, handle = world.files.pop(key)
        if world.luck.random() < 0.5:
            handle.cancel()
        elif key[1] == "reader":
            assert world.loop.remove_reader(key[0])
        else:
            assert world.loop.remove_writer(key[0])


def _forget(world: World) -> None:
    """Forget both directions; perhaps call what was registered once more, by hand."""
    end = world.luck.choice(world.ends)
    mine = [world.files.pop((end, kind), None) for kind in ("reader", "writer")]
    registered = [each for each in mine if each is not None]
    assert world.loop.forget(end) == [handle for _, handle in registered]
    for number, handle in registered:
        again, cancelled = world.luck.random() < 0.5, world.luck.random() < 0.2
        world.forgotten[number] = int(again and not cancelled)
        if again:
            world.loop.schedule(handle)
        if cancelled:
            handle.cancel()


def _send(world: World) -> None:
    with suppress(OSError):
        world.luck.choice(world.ends).send(b"x")


def _receive(world: World) -> None:
    with suppress(OSError):
        world.luck.choice(world.ends).recv(100)


def _hold(world: World) -> None:
    if world.loop._held < 2:
        world.loop.hold()
        world.loop.call_later(1, world.loop.release)


def _stop(world: World) -> None:
    world.loop.stop()


def _raise(world: World) -> None:
    raise BoomError


def _leave(world: World) -> None:
    if world.luck.random() < 0.3:
        raise Out


ACTIONS = [
    *(_soon, _soon, _timer, _timer, _timer, _timer_and_cancel_soon, _cancel, _own_handle, _stop),
    *(_add, _add, _remove, _remove, _forget, _send, _receive, _hold, _raise, _leave),
]
