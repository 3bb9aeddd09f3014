"""Random programs of tasks: what each step does, how they run, what must hold at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.sched.descriptors import DESCRIPTORS, Ends
from tests.sched.invariants import attentive
from tests.sched.virtual import Virtual
from tulip_sched import (
    CancelScope,
    Coroutine,
    Gen,
    Task,
    TaskGroup,
    block,
    coroutine,
    create_task,
    current_task,
    fail_after,
    move_on_after,
    run,
    shield,
    sleep,
    wait_for,
)

Step = tuple[str, int, int]
"""What to do, and two small numbers that say with whom, or for how long."""

ACTIONS = [
    "sleep",
    "turn",
    "token",
    "give",
    "cancel",
    "cancel_scope",
    "join",
    "wait_any",
    "scope",
    "timeout",
    "shield",
    "group",
    "fail",
]

# Besides those of descriptors: what ends a wait there, and what lets others come in between.
AROUND_DESCRIPTORS = [
    *("sleep", "turn", "cancel", "cancel_scope", "scope", "timeout", "shield", "group"),
]


def programs_of(actions: list[str]) -> st.SearchStrategy[list[list[Step]]]:
    """Return programs of these actions: for each task, its steps."""
    steps = st.tuples(st.sampled_from(actions), st.integers(0, 4), st.integers(0, 3))
    return st.lists(st.lists(steps, max_size=8), min_size=1, max_size=5)


programs = programs_of(ACTIONS)
programs_on_descriptors = programs_of([*DESCRIPTORS, *AROUND_DESCRIPTORS])


class Tokens:
    """Hands tokens to tasks by `block` and `unblock`; each must arrive once or stay here."""

    def __init__(self) -> None:
        self.made = 0
        self.taken = 0
        self.left = 0
        self._waiting: list[tuple[Task[object], list[bool]]] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def give(self) -> None:
        self.made += 1
        if self._waiting:
            task, box = self._waiting.pop(0)
            box.append(True)
            task.unblock()
        else:
            self.left += 1

    @coroutine
    def take(self) -> Gen[None]:
        if self.left:
            self.left -= 1
        else:
            entry: tuple[Task[object], list[bool]] = (current_task(), [])
            self._waiting.append(entry)
            block(lambda: self._waiting.remove(entry))
            yield
            assert entry[1] == [True], "resumed without a token"
        self.taken += 1


@dataclass
class World:
    """The tasks of one program, and what they saw."""

    virtual: Virtual
    tokens: Tokens = field(default_factory=Tokens)
    tasks: list[Task[None]] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    scopes: dict[str, list[CancelScope]] = field(default_factory=dict)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    # Also of those whose error a group of the program passes by.
    violations: list[AssertionError] = field(default_factory=list)
    ends: Ends = field(default_factory=Ends)

    def note(self, what: str) -> None:
        """Write down what happens, and that no task runs inside another."""
        self.log.append((self.virtual.now, current_task().name, what))

    @coroutine
    def body(self, name: str, program: list[Step]) -> Gen[None]:
        assert name not in self.running
        self.running.add(name)
        try:
            yield from self.perform(program, 0)
        finally:
            self.running.remove(name)
            self.note("ends")

    @coroutine
    def perform(self, program: list[Step], depth: int) -> Gen[None]:
        for at, (action, one, two) in enumerate(program):
            rest = program[at + 1 : at + 3]
            self.note(action)
            try:
                if action in SCOPED and depth < 3:
                    yield from SCOPED[action](self, one, rest, depth + 1)
                elif action not in SCOPED:
                    yield from attentive(iter(PLAIN[action](self, one, two)))
            except AssertionError as violation:
                self.violations.append(violation)
                raise

    @contextmanager
    def open(self, scope: CancelScope) -> Iterator[None]:
        """Let other tasks cancel this scope of the running task, for a while."""
        mine = self.scopes.setdefault(current_task().name, [])
        mine.append(scope)
        try:
            yield
        finally:
            mine.remove(scope)

    def other(self, number: int) -> Task[None]:
        return self.tasks[number % len(self.tasks)]


@coroutine
def _sleep(world: World, one: int, two: int) -> Gen[None]:
    until = world.virtual.now + one
    yield from sleep(one)
    assert world.virtual.now >= until, "woken early"


@coroutine
def _turn(world: World, one: int, two: int) -> Gen[None]:
    yield from sleep(0)


@coroutine
def _token(world: World, one: int, two: int) -> Gen[None]:
    yield from world.tokens.take()


@coroutine
def _give(world: World, one: int, two: int) -> Gen[None]:
    world.tokens.give()
    yield from ()


@coroutine
def _cancel(world: World, one: int, two: int) -> Gen[None]:
    world.other(one).cancel()
    yield from ()


@coroutine
def _cancel_scope(world: World, one: int, two: int) -> Gen[None]:
    open_scopes = world.scopes.get(world.other(one).name)
    if open_scopes:
        open_scopes[two % len(open_scopes)].cancel()
    yield from ()


@coroutine
def _join(world: World, one: int, two: int) -> Gen[None]:
    task = world.other(one)
    if task is not current_task():
        with move_on_after(two):
            yield from task.wait()
            assert task.done()


@coroutine
def _wait_any(world: World, one: int, two: int) -> Gen[None]:
    tasks = [task for task in world.tasks if task is not current_task()]
    count = min(one, len(tasks))
    with move_on_after(two):
        done = yield from wait_for(count, tasks)
        assert len(done) >= count
        assert all(task.done() for task in done)


@coroutine
def _fail(world: World, one: int, two: int) -> Gen[None]:
    yield from ()
    raise LookupError("part of the program")


@coroutine
def _in_scope(world: World, one: int, rest: list[Step], depth: int) -> Gen[None]:
    began = world.virtual.now
    with move_on_after(one) as scope, world.open(scope):
        yield from world.perform(rest, depth)
    if scope.cancelled_caught and scope._expired:
        assert world.virtual.now >= began + one, "cancelled early"


@coroutine
def _in_timeout(world: World, one: int, rest: list[Step], depth: int) -> Gen[None]:
    with suppress(TimeoutError), fail_after(one) as scope, world.open(scope):
        yield from world.perform(rest, depth)


@coroutine
def _in_shield(world: World, one: int, rest: list[Step], depth: int) -> Gen[None]:
    with shield(), move_on_after(one + 1) as scope, world.open(scope):
        yield from world.perform(rest, depth)


@coroutine
def _in_group(world: World, one: int, rest: list[Step], depth: int) -> Gen[None]:
    children: list[Task[None]] = []

    @coroutine
    def body(group: TaskGroup) -> Gen[None]:
        children.extend(
            group.create_task(world.perform(rest, depth), f"child{number}")
            for number in range(one % 3)
        )
        with world.open(group.scope):
            yield from sleep(one)

    try:
        with suppress(ExceptionGroup):
            yield from TaskGroup().run(body)
    finally:
        assert all(child.done() for child in children), "a group left a child behind"


PLAIN: dict[str, Callable[..., Coroutine[None]]] = {
    "sleep": _sleep,
    "turn": _turn,
    "token": _token,
    "give": _give,
    "cancel": _cancel,
    "cancel_scope": _cancel_scope,
    "join": _join,
    "wait_any": _wait_any,
    "fail": _fail,
    **DESCRIPTORS,
}
SCOPED: dict[str, Callable[..., Coroutine[None]]] = {
    "scope": _in_scope,
    "timeout": _in_timeout,
    "shield": _in_shield,
    "group": _in_group,
}


def perform(virtual: Virtual, program: list[list[Step]]) -> World:
    """Run one task for each list of steps, to their ends; return what happened."""
    world = World(virtual)

    async def main() -> None:
        for number, each in enumerate(program):
            world.tasks.append(create_task(world.body(f"t{number}", each), f"t{number}"))
        await sleep(100)
        # Who waits for a token that nobody will give is cancelled now.
        for task in world.tasks:
            task.cancel()
        for task in world.tasks:
            with move_on_after(100) as scope:
                await task.wait()
            assert not scope.cancelled_caught, f"{task!r} does not end"
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, LookupError), error

    try:
        run(main())
    finally:
        world.ends.close()
    assert not world.violations, world.violations
    return world
