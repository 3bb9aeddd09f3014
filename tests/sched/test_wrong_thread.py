"""Every way into a run from another thread raises at once, and harms nothing."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tulip_sched import (
    CancelScope,
    Task,
    TaskGroup,
    Watch,
    WrongThreadError,
    as_completed,
    create_task,
    current_task,
    run,
    sleep,
    suspend,
    wait_any,
)


class Scene:
    """One run in the main thread, with everything that can be called blocked or idle."""

    def __init__(self) -> None:
        self.scope = CancelScope()
        self.blocked: Task[Any]
        self.runnable: Task[Any]
        self.sleeping: Task[Any]
        self.reading: Task[Any]
        self.watch: Watch
        self.group: TaskGroup


async def nothing() -> None:
    """Do nothing."""


def set_deadline(scope: CancelScope, when: float) -> None:
    scope.deadline = when


ENTRIES: dict[str, Callable[[Scene], object]] = {
    "cancel a task that is blocked": lambda scene: scene.blocked.cancel(),
    "cancel a task that sleeps": lambda scene: scene.sleeping.cancel(),
    "cancel a task that reads": lambda scene: scene.reading.cancel(),
    "cancel a task that is runnable": lambda scene: scene.runnable.cancel(),
    "unblock": lambda scene: scene.blocked.unblock(),
    "unblock a task that is runnable": lambda scene: scene.runnable.unblock(),
    "add_done_callback": lambda scene: scene.blocked.add_done_callback(print),
    "remove_done_callback": lambda scene: scene.blocked.remove_done_callback(print),
    "cancel a scope": lambda scene: scene.scope.cancel(),
    "set a deadline": lambda scene: set_deadline(scene.scope, 0),
    "take a deadline away": lambda scene: set_deadline(scene.scope, float("inf")),
    "forget": lambda scene: scene.watch.forget(),
    "block_r": lambda scene: scene.watch.block_r(),
    "block_w": lambda scene: scene.watch.block_w(),
    "start in a group": lambda scene: scene.group.start_soon(nothing()),
    "create in a group": lambda scene: [scene.group.create_task(nothing())],
    "cancel a group": lambda scene: scene.group.scope.cancel(),
    "await a task": lambda scene: run(_await(scene.blocked)),
    "wait for a task": lambda scene: run(_wait(scene.blocked)),
    "wait_any": lambda scene: run(wait_any([scene.blocked])),
    "as_completed": lambda scene: run(_as_completed(scene.blocked)),
}


async def _await(task: Task[Any]) -> None:
    await task


async def _wait(task: Task[Any]) -> None:
    await task.wait()


async def _as_completed(task: Task[Any]) -> None:
    for step in as_completed([task]):
        assert (await step) is task


@pytest.mark.parametrize("entry", ENTRIES)
def test_it_raises_and_harms_nothing(entry: str) -> None:
    scene = Scene()
    errors: list[BaseException] = []
    undone: list[str] = []
    read_end, write_end = os.pipe()
    begun, over = threading.Event(), threading.Event()

    def elsewhere() -> None:
        begun.wait(5)
        try:
            ENTRIES[entry](scene)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        over.set()

    async def blocked() -> str:
        await suspend(lambda: undone.append("undone"))
        return "resumed"

    async def runnable() -> str:
        while not over.is_set():
            await sleep(0)
        return "ran"

    async def reading() -> bytes:
        await _readable(scene.watch)
        return os.read(read_end, 10)

    async def main() -> None:
        scene.watch = Watch(read_end)
        scene.blocked = create_task(blocked())
        scene.runnable = create_task(runnable())
        scene.sleeping = create_task(sleep(60))
        scene.reading = create_task(reading())
        with scene.scope:
            async with TaskGroup() as group:
                scene.group = group
                await sleep(0)
                begun.set()
                while not over.is_set():
                    await sleep(0)
            await sleep(0)
        assert not scene.scope.cancel_called
        scene.blocked.unblock()
        assert await scene.blocked == "resumed"
        assert await scene.runnable == "ran"
        scene.sleeping.cancel()
        await scene.sleeping.wait()
        assert scene.sleeping.cancelled()
        os.write(write_end, b"data")
        assert await scene.reading == b"data"
        scene.watch.forget()
        assert not (current_task()._callbacks or ())[1:]

    thread = threading.Thread(target=elsewhere)
    thread.start()
    try:
        run(main())
    finally:
        begun.set()
        thread.join()
        os.close(read_end)
        os.close(write_end)
    assert [type(error) for error in errors] == [WrongThreadError], errors
    assert undone == []


def _readable(watch: Watch) -> Any:
    from tests.sched.sockets import readable

    return readable(watch)


def test_a_start_in_another_thread_belongs_to_that_thread() -> None:
    """Threads are independent: what starts there runs there, in the run of that thread."""
    results: list[object] = []

    async def main() -> None:
        task = Task(_thread_name())

        def elsewhere() -> None:
            task.start()
            run()
            results.append(task.result())

        thread = threading.Thread(target=elsewhere, name="other")
        thread.start()
        thread.join()

    run(main())
    assert results == ["other"]


async def _thread_name() -> str:
    await sleep(0)
    return threading.current_thread().name


def test_asking_a_done_task_is_allowed_everywhere() -> None:
    async def main() -> Task[str]:
        task = create_task(_thread_name())
        await task
        return task

    task = run(main())
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(task.result()))
    thread.start()
    thread.join()
    assert results == ["MainThread"]
    task.cancel()
    task.unblock()
