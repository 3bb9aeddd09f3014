"""What a stranger does with tulip-sched: tasks, under ``yield from`` and under ``await``."""

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import assert_type

from tulip_sched import (
    AnyCoroutine,
    AsCompleted,
    Barrier,
    BoundedSemaphore,
    BrokenBarrierError,
    BusyError,
    Cancelled,
    CancelScope,
    ClosedError,
    Condition,
    Context,
    Coroutine,
    DeadlockError,
    Event,
    EventLoop,
    Gen,
    Handle,
    LifoQueue,
    Lock,
    Portal,
    PriorityQueue,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    RLock,
    Semaphore,
    SuspendError,
    Task,
    TaskCancelledError,
    TaskGroup,
    ThreadRunner,
    Watch,
    WouldBlockError,
    WrongThreadError,
    as_completed,
    block,
    block_r,
    block_w,
    call_from_thread,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    fail_after,
    map_over,
    move_on_after,
    par,
    run,
    set_context_provider,
    shield,
    sleep,
    start_from_thread,
    suspend,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)


@coroutine
def double(number: int, delay: float = 0.0) -> Gen[int]:
    """Return twice the number, later."""
    yield from sleep(delay)
    return 2 * number


@coroutine
def under_yield_from() -> Gen[int]:
    """Use coroutines in a generator."""
    result = yield from double(1)
    assert_type(result, int)
    task = assert_type(create_task(double(2), "second"), Task[int])
    assert_type((yield from task), int)
    assert_type((yield from with_timeout(60, double(3))), int)
    pair = yield from par(double(4), call_in_thread(str, b"five", "ascii"))
    assert_type(pair, tuple[int, str])
    assert_type((yield from map_over(double, [6, 7])), list[int])
    return result + pair[0]


async def under_await() -> int:
    """Use the same coroutines in an ``async def``."""
    result = await double(1)
    assert_type(result, int)
    assert_type(await create_task(double(2)), int)
    assert_type(await with_timeout(None, double(3)), int)
    pair = await par(double(4), under_yield_from())
    assert_type(pair, tuple[int, int])
    assert_type(await coroutine(by_await)(8), int)
    return result + pair[0]


async def by_await(number: int) -> int:
    """Return the number, by way of another thread."""
    return await call_in_thread(int, number)


@coroutine
def wait_for_some() -> Gen[list[str]]:
    """Wait for each in turn, and for the first, for two, for all."""
    tasks = [Task(double(number, number / 1000), f"double {number}") for number in (2, 0, 1)]
    for task in tasks:
        task.start()
    finished = as_completed(tasks)
    assert_type(finished, AsCompleted[int])
    names = []
    for step in finished:
        done = yield from step
        names.append(done.name)
    waiting = assert_type(wait_any(tasks), Coroutine[set[Task[int]]])
    assert_type((yield from waiting), set[Task[int]])
    assert_type((yield from wait_for(2, tasks)), set[Task[int]])
    assert_type((yield from wait_all(tasks)), set[Task[int]])
    return names


async def limit_time() -> bool:
    """Give up on a block, a task and a coroutine."""
    with move_on_after(0) as scope:
        await sleep(60)
    assert_type(scope, CancelScope)
    assert_type(scope.cancelled_caught, bool)
    try:
        with fail_after(0):
            await sleep(60)
    except TimeoutError:
        pass
    task = Task(double(1, 60), timeout=0)
    task.start()
    await task.wait()
    assert isinstance(task.exception(), TimeoutError)
    with shield():
        await sleep(0)
    return scope.cancelled_caught


async def cancel_a_task() -> str:
    """Stop a task: it cleans up, and asking for its result says what happened."""
    cleaned: list[str] = []

    @coroutine
    def careful() -> Gen[None]:
        try:
            yield from sleep(60)
        except Cancelled:
            cleaned.append(current_task().name)
            raise

    task = create_task(careful(), "careful")
    await sleep(0)
    task.cancel()
    try:
        await task
    except TaskCancelledError:
        return cleaned[0]
    raise AssertionError("a cancelled task has no result")


async def group_tasks() -> int:
    """Start tasks that end with their block, in both forms."""
    results: list[int] = []
    async with TaskGroup() as group:
        group.start_soon(double(1))
        child = group.create_task(double(2))
        results.append(assert_type(await child, int))

    @coroutine
    def body(inner: TaskGroup) -> Gen[int]:
        inner.start_soon(double(3))
        return (yield from double(4))

    assert_type(await TaskGroup().run(body), int)
    return results[0]


@coroutine
def wait_for_descriptors() -> Gen[bytes]:
    """Wait for readiness, once and again and again."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield from block_w(theirs)
        theirs.send(b"data")
        yield from block_r(ours)
        watch = Watch(ours.fileno())
        watch.block_r()
        yield
        watch.forget()
        return ours.recv(100)


@coroutine
def wait_for_a_callback() -> Gen[str]:
    """Suspend until somebody calls back: the way to build new things to wait for."""
    answers: list[str] = []
    task = current_task()

    def answer(text: str) -> None:
        answers.append(text)
        task.unblock()

    handle = current_context().eventloop.call_soon(answer, "called")
    assert_type(handle, Handle)
    block(handle.cancel)
    yield
    again = current_context().eventloop.call_later(0, answer, "again")
    yield from suspend(again.cancel)
    return " ".join(answers)


@coroutine
def call_back_from_a_thread() -> Gen[int]:
    """Run coroutines for code that is in another thread."""

    def in_a_thread() -> int:
        started = start_from_thread(double, 1)
        assert_type(started, Future[int])
        return started.result() + assert_type(call_from_thread(double, 2), int)

    return (yield from call_in_thread(in_a_thread))


@coroutine
def call_from_a_thread_of_our_own() -> Gen[int]:
    """Give a thread that the program started a way into this run."""
    answers: Queue[int] = Queue()

    def in_a_thread(portal: Portal) -> None:
        started = portal.start(double, 1)
        assert_type(started, Future[int])
        assert_type(portal.call(double, 2), int)
        portal.call(answers.put, started.result())

    with Portal() as portal:
        thread = threading.Thread(target=in_a_thread, args=(portal,))
        thread.start()
        answer = yield from answers.get()
    thread.join()
    return answer


@coroutine
def take_turns() -> Gen[int]:
    """Share things between tasks, in a generator."""
    lock, again, permits = Lock(), RLock(), Semaphore(2)
    with (yield from lock.holding()), (yield from again.holding()):
        again.acquire_nowait()
        again.release()
        try:
            permits.acquire_nowait()
            BoundedSemaphore(0).acquire_nowait()
        except WouldBlockError:
            permits.release()
    barrier = Barrier(2)
    assert_type((yield from par(barrier.wait(), barrier.wait())), tuple[int, int])
    barrier.abort()
    try:
        yield from barrier.wait()
    except BrokenBarrierError:
        return permits.value
    raise AssertionError("a broken barrier let somebody pass")


async def hand_over() -> list[int]:
    """Hand items from task to task, in an ``async def``."""
    queue = Queue[int](1)
    ready, condition = Event(), Condition()
    got: list[int] = []

    async def consume() -> None:
        ready.set()
        async for item in queue:
            got.append(assert_type(item, int))
            async with condition:
                condition.notify_all()

    async with TaskGroup() as group:
        group.start_soon(consume())
        await ready.wait()
        for item in range(3):
            await queue.put(item)
        async with condition:
            assert_type(await condition.wait_for(lambda: len(got) > 2), bool)
        queue.shutdown()
    return got


def fill_queues() -> list[int]:
    """Each queue has its order, and says when it cannot."""
    newest, smallest = LifoQueue[int](2), PriorityQueue[int](2)
    for item in (1, 2):
        newest.put_nowait(item)
        smallest.put_nowait(item)
    result = [newest.get_nowait(), smallest.get_nowait()]
    smallest.put_nowait(3)
    try:
        smallest.put_nowait(4)
    except QueueFull:
        newest.get_nowait()
    try:
        newest.get_nowait()
    except QueueEmpty:
        newest.shutdown()
    try:
        newest.put_nowait(5)
    except QueueShutDown:
        return result
    raise AssertionError("a queue that was shut down took an item")


def use_a_context_of_our_own() -> int:
    """Run tasks on a loop that the program made."""
    loop = EventLoop()
    context = Context(loop, ThreadRunner(loop))
    previous = set_context_provider(lambda: context)
    assert_type(previous, Callable[[], Context])
    try:
        return run(double(21))
    finally:
        set_context_provider(previous)
        context.threadrunner.shutdown()
        loop.close()


def meet_the_errors() -> None:
    """Every mistake has an error of its own."""

    @coroutine
    def wait_for_nobody() -> Gen[None]:
        yield from suspend(lambda: None)

    @coroutine
    def forget_to_block() -> Gen[None]:
        yield

    @coroutine
    def crowd() -> Gen[None]:
        reading, writing = os.pipe()
        first = create_task(block_r(reading))
        yield from sleep(0)
        try:
            yield from block_r(reading)
        finally:
            first.cancel()
            yield from first.wait()
            os.close(reading)
            os.close(writing)

    @coroutine
    def call_from_elsewhere() -> Gen[None]:
        yield from call_in_thread(current_context().eventloop.call_soon, print)

    @coroutine
    def use_a_closed_loop() -> Gen[None]:
        loop = EventLoop()
        loop.close()
        loop.call_soon(print)
        yield from sleep(0)

    mistakes: list[tuple[AnyCoroutine[None], type[Exception]]] = [
        (wait_for_nobody(), DeadlockError),
        (forget_to_block(), SuspendError),
        (crowd(), BusyError),
        (call_from_elsewhere(), WrongThreadError),
        (use_a_closed_loop(), ClosedError),
    ]
    for mistake, error in mistakes:
        try:
            run(mistake)
        except error:
            continue
        raise AssertionError(f"{error.__name__} was not raised")


@coroutine
def refused() -> Gen[None]:
    """Each of these lines is a mistake that the type checker finds."""
    sleep(1)  # type: ignore[unused-awaitable]
    double(1)  # type: ignore[unused-awaitable]
    yield sleep(1)  # type: ignore[misc]
    wrong: str = yield from double(1)  # type: ignore[assignment]
    yield from double(wrong)  # type: ignore[arg-type]
    yield from wait_all([double(1)])  # type: ignore[arg-type]
    create_task(double).cancel()  # type: ignore[arg-type]


async def refused_under_await() -> None:
    """The same in an ``async def``."""
    sleep(1)  # type: ignore[unused-awaitable]
    double(1)  # type: ignore[unused-awaitable]
    wrong: str = await double(1)  # type: ignore[assignment]
    await double(wrong)  # type: ignore[arg-type]
    Lock().acquire()  # type: ignore[unused-awaitable]
    await Queue[int]().put("text")  # type: ignore[arg-type]
    coroutine(len)  # type: ignore[arg-type]


if __name__ == "__main__":
    assert run(under_yield_from()) == 10
    assert run(under_await()) == 10
    assert run(wait_for_some()) == ["double 0", "double 1", "double 2"]
    assert run(limit_time())
    assert run(cancel_a_task()) == "careful"
    assert run(group_tasks()) == 4
    assert run(wait_for_descriptors()) == b"data"
    assert run(wait_for_a_callback()) == "called again"
    assert run(call_back_from_a_thread()) == 6
    assert run(call_from_a_thread_of_our_own()) == 2
    assert run(take_turns()) == 2
    assert run(hand_over()) == [0, 1, 2]
    assert fill_queues() == [2, 1]
    assert use_a_context_of_our_own() == 42
    meet_the_errors()
