"""The line before the pool: who is next, and at what cost."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from tulip_http import Origin
from tulip_http._alarm import Timer
from tulip_http._line import Line, Waiter


class Still:
    """A clock that stands where it is put; its timers are kept, not called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        timer = (when, callback)
        self.timers.append(timer)
        return cast("Timer", SimpleNamespace(cancel=lambda: self.timers.remove(timer)))

    def move(self, now: float) -> None:
        self.now = now
        for timer in [timer for timer in self.timers if timer[0] <= now]:
            self.timers.remove(timer)
            timer[1]()


def host(number: int) -> Origin:
    return Origin("http", f"host{number}", 80)


def waiter(origin: Origin, ends: float) -> Waiter:
    task = SimpleNamespace(unblock=lambda: None)
    return Waiter(origin, task, ends)  # type: ignore[arg-type]  # all that is used of a task


STEPS = ["join", "join", "leave", "serve", "own", "fill", "again", "time"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 9))))
def test_first_come_first_served(steps: list[tuple[str, int, int]]) -> None:
    """The same as looking through all of them, in the order in which they came."""
    clock = Still()
    line = Line(clock)
    waiting: list[Waiter] = []
    full: set[Origin] = set()
    for step, number, more in steps:
        origin = host(number)
        match step:
            case "join":
                waiting.append(waiter(origin, clock.now + more if more else float("inf")))
                line.join(waiting[-1])
            case "leave" if waiting:
                line.leave(waiting.pop(more % len(waiting)))
            case "serve" | "own":
                own = origin if step == "own" else None
                may = [each for each in waiting if each.origin == own or each.origin not in full]
                found = line.first(lambda where: where not in full, own)
                assert found is (may[0] if may else None)
                if found is not None:
                    line.grant(found, None)
                    waiting.remove(found)
            case "fill":
                full.add(origin)
            case "again":
                full.discard(origin)
                line.again(origin)
            case "time":
                clock.move(clock.now + more)
                assert all(each.late == (each.ends <= clock.now) for each in waiting)
                waiting = [each for each in waiting if not each.late]
        assert len(line) == len(waiting)
        assert bool(line) == bool(waiting)
    line.grant_all()
    line.close()
    assert not line
    assert not clock.timers


def test_who_is_next_costs_the_same_however_many_wait() -> None:
    """Also where each waits for a host of its own, as in a crawler, and half may not be served."""
    asked = 0

    def may(origin: Origin) -> bool:
        nonlocal asked
        asked += 1
        return origin.port == 80

    line = Line(Still())
    waiters = [waiter(Origin("http", f"h{n}", 80 + n % 2), 5) for n in range(4000)]
    for each in waiters:
        line.join(each)
    served = []
    while (found := line.first(may, None)) is not None:
        served.append(found)
        line.grant(found, None)
    assert served == waiters[::2]
    assert asked <= 4000
    assert line.first(may, waiters[1].origin) is waiters[1]
    assert asked <= 4000


def test_those_who_came_and_went_take_no_memory() -> None:
    clock = Still()
    line = Line(clock)
    line.join(waiter(host(0), 100))
    for number in range(2000):
        gone = waiter(host(number % 7), 50)
        line.join(gone)
        line.leave(gone)
    assert len(line._ends) < 200
    assert len(line._heads) < 200
    assert len(clock.timers) == 1
