"""What people pass by mistake gets an answer that says so."""

import pytest

from tulip_sched import (
    Gen,
    Task,
    TaskGroup,
    as_completed,
    call_in_thread,
    coroutine,
    create_task,
    run,
    sleep,
    wait_all,
    wait_any,
    with_timeout,
)


@coroutine
def work(number: int) -> Gen[int]:
    yield from sleep(0)
    return number


@pytest.mark.parametrize("wait", [wait_any, wait_all])
def test_waiting_for_a_task_where_tasks_are_meant(wait: object) -> None:
    async def main() -> None:
        task = create_task(work(1))
        with pytest.raises(TypeError, match="an iterable of tasks is needed, got one task"):
            await wait(task)  # type: ignore[operator]
        assert await task == 1  # and the caller is none the worse for it

    run(main())


def test_waiting_for_a_coroutine_where_a_task_is_meant() -> None:
    async def main() -> None:
        coro = work(1)
        with pytest.raises(TypeError, match=r"got .*work.*: use create_task\(\)"):
            await wait_any([coro])  # type: ignore[arg-type]

    run(main())


def test_a_timeout_for_a_function_that_was_not_called() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="did you forget to call it"):
            await with_timeout(1, work)  # type: ignore[arg-type]

    run(main())


def test_a_coroutine_function_for_a_thread() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="a thread needs a plain function"):
            _ = await call_in_thread(work, 1)

    run(main())


def test_as_completed_in_an_async_def() -> None:
    async def main() -> list[int]:
        tasks = [create_task(work(number)) for number in range(3)]
        return [task.result() async for task in as_completed(tasks)]

    assert run(main()) == [0, 1, 2]


def test_a_group_s_body_may_be_a_plain_function() -> None:
    done: list[int] = []

    @coroutine
    def note(number: int) -> Gen[None]:
        done.append((yield from work(number)))

    @coroutine
    def main() -> Gen[None]:
        def body(group: TaskGroup) -> None:
            for number in range(3):
                group.start_soon(note(number))

        yield from TaskGroup().run(body)
        assert done == [0, 1, 2]

    run(main())


def test_unblock_leaves_a_sleeping_task_to_its_timer() -> None:
    async def main() -> None:
        task = Task(sleep(0.002))
        task.start()
        await sleep(0)
        task.unblock()
        await sleep(0)
        assert not task.done()
        await task

    run(main())
