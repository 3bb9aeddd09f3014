"""The line of tasks that wait for one thing: the mechanism behind every primitive.

The rules that hold here:

1. A task is in at most one line, and exactly as long as it is blocked there. Its place is the
   undo of its suspension: a cancelled task leaves the line, wherever in it the place is.
2. Whoever serves a place takes it out of the line, gives it what it waited for, and makes the
   task runnable, all at once. From then on a cancellation cannot interrupt that wait any more,
   so what was handed over arrives.
3. Joining, leaving and serving take the same time in a long line as in a short one. A deque
   would search for the place that leaves; a plain dict, which keeps its order as well, would
   search for its first entry past all that were served before.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar, final

from tulip_sched._task import Task
from tulip_sched._typing import override

T = TypeVar("T")


@final
class Place(Generic[T]):
    """One task's place in a line; calling it gives the place up.

    Attributes:
        line: The line it is, or was last, in.
        task: Who waits.
        gift: What the task brought along, and later what it was served.
    """

    __slots__ = ("gift", "line", "task")

    def __init__(self, line: "Line[T]", task: Task[Any], gift: T) -> None:
        self.line = line
        self.task = task
        self.gift = gift

    def __call__(self) -> None:
        del self.line[self]

    @override
    def __repr__(self) -> str:
        # This is what a person reads who asks what a task is blocked by.
        position = list(self.line).index(self) + 1 if self in self.line else 0
        return f"{self.line.name}, number {position} of {len(self.line)} in line"


@final
class Line(OrderedDict[Place[T], None]):
    """Tasks that wait for the same thing, the one that came first at the front.

    Args:
        name: What they wait for, for people: ``Lock.acquire``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def join(self, task: Task[Any], gift: T) -> Place[T]:
        """Block the running task at the end of this line; follow it with a bare ``yield``.

        Returns:
            The place, whose ``gift`` is what the task was served, once it runs again.
        """
        place = Place(self, task, gift)
        # In this order: blocking under a cancelled scope gives the place up at once.
        self[place] = None
        task._block(place)
        return place

    def first(self) -> Place[T]:
        """Take the first place out of the line, which must not be empty; its task stays blocked."""
        return self.popitem(last=False)[0]

    def serve(self, gift: T) -> None:
        """Give the first task what it waits for, and make it runnable."""
        place = self.popitem(last=False)[0]
        place.gift = gift
        place.task._wake()

    def serve_all(self, gift: T) -> None:
        """Give every task in the line the same, in order."""
        while self:
            self.serve(gift)

    def refuse_all(self, refusal: Callable[[], Exception]) -> None:
        """Raise an error, made anew for each, in every task in the line."""
        while self:
            self.first().task._throw(refusal())
