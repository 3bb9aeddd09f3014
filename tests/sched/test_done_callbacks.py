"""Callbacks at the end of a task: in order, once, and their own errors are the loop's."""

import pytest

from tests.sched.virtual import Virtual
from tulip_sched import Task, create_task, current_context, run, sleep


async def quick() -> int:
    await sleep(0)
    return 1


async def failing() -> int:
    await sleep(0)
    raise LookupError("on purpose")


def test_callbacks_get_the_task_in_the_order_they_were_added() -> None:
    seen: list[str] = []

    async def main() -> None:
        task = create_task(quick())
        for name in "abc":
            task.add_done_callback(lambda done, name=name: seen.append(f"{name}{done.result()}"))  # type: ignore[misc]
        await task

    run(main())
    assert seen == ["a1", "b1", "c1"]


def test_a_callback_added_after_the_end_is_called_soon() -> None:
    seen: list[Task[int]] = []

    async def main() -> None:
        task = create_task(quick())
        await task
        task.add_done_callback(seen.append)
        assert seen == []
        await sleep(0)
        assert seen == [task]

    run(main())


def test_a_callback_can_be_taken_back() -> None:
    seen: list[Task[int]] = []

    async def main() -> None:
        task = create_task(quick())
        task.add_done_callback(seen.append)
        task.add_done_callback(seen.append)
        assert task.remove_done_callback(seen.append)
        await task
        assert len(seen) == 1
        assert not task.remove_done_callback(seen.append)

    run(main())


def test_an_exception_out_of_a_callback_goes_to_the_loop_and_the_others_run(
    virtual: Virtual,
) -> None:
    seen: list[str] = []
    errors: list[Exception] = []

    def bad(_: "Task[int]") -> None:
        raise ValueError("bad callback")

    def handle(error: Exception, _: object) -> None:
        errors.append(error)

    virtual.loop.exception_handler = handle

    async def main() -> None:
        task = create_task(quick())
        task.add_done_callback(bad)
        task.add_done_callback(lambda _: seen.append("after"))
        assert await task == 1

    run(main())
    assert seen == ["after"]
    assert [str(error) for error in errors] == ["bad callback"]


def test_an_exception_out_of_a_callback_comes_out_of_run_by_default() -> None:
    def bad(_: "Task[int]") -> None:
        raise ValueError("bad callback")

    async def main() -> None:
        task = create_task(quick())
        task.add_done_callback(bad)
        await sleep(1000)

    with pytest.raises(ValueError, match="bad callback"):
        run(main())
    assert not current_context().tasks


def test_an_interrupt_out_of_a_callback_does_not_keep_the_others_from_running() -> None:
    seen: list[str] = []

    def bad(_: "Task[int]") -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        task = create_task(quick())
        task.add_done_callback(bad)
        task.add_done_callback(lambda _: seen.append("after"))
        await task

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert seen == ["after"]


def test_a_callback_that_cancels_a_waiter_of_the_same_task() -> None:
    seen: list[str] = []

    async def wait(task: "Task[int]", name: str) -> None:
        await task
        seen.append(name)

    async def main() -> None:
        task = create_task(quick())
        victims: list[Task[None]] = []
        task.add_done_callback(lambda _: victims[0].cancel())
        victims += [create_task(wait(task, name)) for name in "abc"]
        for victim in victims:
            await victim.wait()
        assert [victim.cancelled() for victim in victims] == [True, False, False]

    run(main())
    assert seen == ["b", "c"]


def test_a_callback_that_only_notes_the_end_does_not_hide_the_failure() -> None:
    async def main() -> None:
        create_task(failing()).add_done_callback(lambda _: None)
        await sleep(0)
        await sleep(0)

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert [str(error) for error in caught.value.exceptions] == ["on purpose"]


def test_a_callback_that_asks_for_the_exception_takes_note_of_the_failure() -> None:
    errors: list[BaseException | None] = []

    async def main() -> None:
        create_task(failing()).add_done_callback(lambda task: errors.append(task.exception()))
        await sleep(0)
        await sleep(0)

    run(main())
    assert [str(error) for error in errors] == ["on purpose"]
