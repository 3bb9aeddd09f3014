"""Every way to wait on a primitive, in one shape, for tests that hold for all of them."""

from abc import ABC, abstractmethod
from typing import Any

from tulip_sched import (
    Barrier,
    BoundedSemaphore,
    Condition,
    Coroutine,
    Event,
    Gen,
    LifoQueue,
    Lock,
    PriorityQueue,
    Queue,
    RLock,
    Semaphore,
    Task,
    coroutine,
    sleep,
)
from tulip_sched._typing import override


class Kind(ABC):
    """A primitive on which every wait has to wait, until `let_go`.

    Args:
        staying: How many of those that wait will not be cancelled.
    """

    # Whether one that is let go lets the next one go, when it is done.
    in_turn = False

    @abstractmethod
    def __init__(self, staying: int) -> None: ...

    @coroutine
    def close(self) -> Gen[None]:
        """Make everybody wait."""
        yield from ()

    @abstractmethod
    def wait(self, number: int) -> Coroutine[Any]:
        """Wait, as the task with this number."""

    @abstractmethod
    def let_go(self) -> Coroutine[object]:
        """Let those that wait go on."""

    def done(self) -> None:  # noqa: B027 - most have nothing to finish
        """Finish what the wait was for."""

    @abstractmethod
    def waiting(self) -> int:
        """Return how many are in line."""


class AcquireLock(Kind):
    in_turn = True
    primitive: Lock | RLock | Condition

    def __init__(self, staying: int) -> None:
        self.primitive = Lock()

    @override
    def close(self) -> Coroutine[None]:
        return self.primitive.acquire()

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.acquire()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        self.primitive.release()
        yield from ()

    @override
    def done(self) -> None:
        self.primitive.release()

    @override
    def waiting(self) -> int:
        assert not isinstance(self.primitive, Condition)
        return len(self.primitive._line)


class AcquireRLock(AcquireLock):
    def __init__(self, staying: int) -> None:
        self.primitive = RLock()


class AcquireCondition(AcquireLock):
    def __init__(self, staying: int) -> None:
        self.primitive = Condition()

    @override
    def waiting(self) -> int:
        assert isinstance(self.primitive, Condition)
        return len(self.primitive._lock._line)


class WaitForCondition(Kind):
    def __init__(self, staying: int) -> None:
        self.primitive = Condition(RLock())

    @override
    @coroutine
    def wait(self, number: int) -> Gen[None]:
        yield from self.primitive.acquire()
        try:
            yield from self.primitive.wait()
        except BaseException:
            self.primitive.release()
            raise

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        with (yield from self.primitive.holding()):
            self.primitive.notify_all()

    @override
    def done(self) -> None:
        self.primitive.release()

    @override
    def waiting(self) -> int:
        return len(self.primitive._line) + len(self.primitive._lock._line)


class AcquireSemaphore(Kind):
    in_turn = True
    primitive: Semaphore

    def __init__(self, staying: int) -> None:
        self.primitive = Semaphore(0)

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.acquire()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        self.primitive.release()
        yield from ()

    @override
    def done(self) -> None:
        self.primitive.release()

    @override
    def waiting(self) -> int:
        return len(self.primitive._line)


class AcquireBoundedSemaphore(AcquireSemaphore):
    def __init__(self, staying: int) -> None:
        self.primitive = BoundedSemaphore(1)

    @override
    def close(self) -> Coroutine[None]:
        return self.primitive.acquire()


class WaitForEvent(Kind):
    def __init__(self, staying: int) -> None:
        self.primitive = Event()

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.wait()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        self.primitive.set()
        self.primitive.clear()
        yield from ()

    @override
    def waiting(self) -> int:
        return len(self.primitive._line)


class WaitAtBarrier(Kind):
    def __init__(self, staying: int) -> None:
        self.primitive = Barrier(5)

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.wait()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        for _ in range(self.primitive.parties - self.primitive.n_waiting):
            Task(self.primitive.wait()).start()
        yield from sleep(0)

    @override
    def waiting(self) -> int:
        return self.primitive.n_waiting


class GetFromQueue(Kind):
    queue_type: type[Queue[Any]] = Queue

    def __init__(self, staying: int) -> None:
        self.primitive = self.queue_type()
        self.staying = staying

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.get()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        for number in range(self.staying):
            self.primitive.put_nowait(number)
        yield from ()

    @override
    def waiting(self) -> int:
        return len(self.primitive._getters)


class GetFromPriorityQueue(GetFromQueue):
    queue_type: type[Queue[Any]] = PriorityQueue


class GetFromLifoQueue(GetFromQueue):
    queue_type: type[Queue[Any]] = LifoQueue


class PutIntoQueue(Kind):
    queue_type: type[Queue[Any]] = Queue

    def __init__(self, staying: int) -> None:
        self.primitive = self.queue_type(1)
        self.staying = staying

    @override
    def close(self) -> Coroutine[None]:
        return self.primitive.put(-1)

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.put(number)

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        for _ in range(self.staying):
            self.primitive.get_nowait()
        yield from ()

    @override
    def waiting(self) -> int:
        return len(self.primitive._putters)


class PutIntoPriorityQueue(PutIntoQueue):
    queue_type: type[Queue[Any]] = PriorityQueue


class PutIntoLifoQueue(PutIntoQueue):
    queue_type: type[Queue[Any]] = LifoQueue


class JoinQueue(Kind):
    def __init__(self, staying: int) -> None:
        self.primitive: Queue[int] = Queue()

    @override
    def close(self) -> Coroutine[None]:
        return self.primitive.put(1)

    @override
    def wait(self, number: int) -> Coroutine[Any]:
        return self.primitive.join()

    @override
    @coroutine
    def let_go(self) -> Gen[None]:
        self.primitive.task_done()
        yield from ()

    @override
    def waiting(self) -> int:
        return len(self.primitive._joiners)


ALL: list[type[Kind]] = [
    AcquireLock,
    AcquireRLock,
    AcquireCondition,
    WaitForCondition,
    AcquireSemaphore,
    AcquireBoundedSemaphore,
    WaitForEvent,
    WaitAtBarrier,
    GetFromQueue,
    GetFromPriorityQueue,
    GetFromLifoQueue,
    PutIntoQueue,
    PutIntoPriorityQueue,
    PutIntoLifoQueue,
    JoinQueue,
]
