"""The tree of live tasks."""

import io
import os
import signal
import socket
import threading

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import (
    DeadlockError,
    Gen,
    Task,
    TaskGroup,
    Watch,
    block,
    call_in_thread,
    coroutine,
    create_task,
    current_task,
    dump_tasks,
    dump_tasks_on_signal,
    format_task_tree,
    run,
    sleep,
    suspend,
    task_tree,
)


@coroutine
def inner() -> Gen[None]:
    yield from sleep(60)


async def outer() -> None:
    await inner()


async def parent() -> None:
    task = create_task(outer(), "child")
    await task


def test_the_tree_tells_who_started_whom_and_where_each_waits() -> None:
    async def main() -> None:
        Task(parent(), "parent").start()
        await sleep(0)
        await sleep(0)
        (top,) = task_tree()
        assert top.name == "main"
        assert top.waiting_for is None
        (middle,) = top.children
        (child,) = middle.children
        assert (middle.name, child.name) == ("parent", "child")
        assert [entry.name for entry in child.stack] == ["outer", "inner", "_sleep"]
        assert child.waiting_for == "a timer"
        assert 0 <= child.seconds < 5
        assert child.children == ()

    run(main())


def test_a_chain_of_tasks_may_be_longer_than_the_interpreter_s_stack(virtual: Virtual) -> None:
    async def link(number: int) -> None:
        if number:
            await create_task(link(number - 1), f"link {number}")
        else:
            await suspend(lambda: None)

    with pytest.raises(DeadlockError, match="'link 1': waits for") as caught:
        run(link(2000))
    lines = str(caught.value).splitlines()
    heads = [line for line in lines if line.lstrip().startswith("task 'link")]
    assert [head.split("'")[1] for head in heads] == [f"link {n}" for n in range(2000, 0, -1)]
    assert heads[0].startswith("  task")
    assert max(len(line) - len(line.lstrip()) for line in lines) < 80


def test_brothers_stand_in_the_order_of_their_start() -> None:
    async def main() -> None:
        for number in range(3):
            create_task(parent(), f"parent {number}").add_done_callback(lambda _: None)
        await sleep(0)
        (top,) = task_tree()
        assert [info.name for info in top.children] == [f"parent {n}" for n in range(3)]
        assert [len(info.children) for info in top.children] == [1, 1, 1]

    run(main())


def test_a_task_whose_starter_is_gone_stands_at_the_top() -> None:
    async def starter() -> None:
        Task(inner(), "orphan").start()
        await sleep(0)

    async def main() -> None:
        await create_task(starter())
        assert [info.name for info in task_tree()] == ["main", "orphan"]

    run(main())


def test_the_tree_in_words_shows_the_line_where_a_task_waits() -> None:
    async def main() -> str:
        Task(outer(), "child").start()
        await sleep(0)
        file = io.StringIO()
        dump_tasks(file)
        return file.getvalue()

    words = run(main())
    assert "task 'main': ready to run" in words
    assert "  task 'child': waits for a timer" in words
    assert "yield from sleep(60)" in words


def test_what_is_waited_for_has_a_name_for_people() -> None:
    ours, theirs = socket.socketpair()
    watch = Watch(ours.fileno())
    go_on = threading.Event()

    @coroutine
    def readable() -> Gen[None]:
        watch.block_r()
        yield

    @coroutine
    def writable() -> Gen[None]:
        watch.block_w()
        yield

    async def wait_for_it(task: Task[None]) -> None:
        await task

    async def main() -> dict[str, str | None]:
        sleeper = create_task(sleep(60), "sleeper")
        Task(readable(), "reader").start()
        Task(writable(), "writer").start()
        Task(call_in_thread(go_on.wait), "caller").start()
        Task(wait_for_it(sleeper), "first to wait").start()
        Task(wait_for_it(sleeper), "second to wait").start()
        group = TaskGroup()

        async def body(group: TaskGroup) -> None:
            group.start_soon(sleep(60))

        Task(group.run(body), "group").start()
        await sleep(0)
        [top] = task_tree()
        go_on.set()
        return {info.name: info.waiting_for for info in top.children}

    with ours, theirs:
        found = run(main())
        fd = ours.fileno()
    assert found == {
        "sleeper": "a timer",
        "reader": f"descriptor {fd} to be readable",
        "writer": f"descriptor {fd} to be writable",
        "caller": "Event.wait in a thread",
        "first to wait": "task 'sleeper'",
        "second to wait": "task 'sleeper'",
        "group": "the tasks of its group, 1",
    }


def test_no_tasks_is_said_too() -> None:
    assert format_task_tree(task_tree()) == "no tasks"


def test_a_signal_prints_the_tree() -> None:
    async def main() -> str:
        file = io.StringIO()
        end = dump_tasks_on_signal(signal.SIGUSR1, file)
        os.kill(os.getpid(), signal.SIGUSR1)
        await sleep(0.001)
        end()
        return file.getvalue()

    assert "task 'main'" in run(main())


def test_a_deadlock_is_told_with_the_tree() -> None:
    @coroutine
    def stuck() -> Gen[None]:
        block(lambda: None)
        yield

    async def main() -> None:
        task = create_task(stuck(), "stuck")
        await task

    with pytest.raises(DeadlockError, match=r"(?s)task 'main'.*task 'stuck': waits for block"):
        run(main())


def test_two_tasks_that_wait_for_each_other_are_a_deadlock() -> None:
    async def main() -> None:
        me = current_task()

        async def other() -> None:
            await me

        await create_task(other(), "other")

    with pytest.raises(DeadlockError, match="other"):
        run(main())
