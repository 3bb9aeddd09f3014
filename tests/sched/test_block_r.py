"""Waiting for readiness without an object of one's own: sockets, files, bare numbers."""

import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.sched.sockets import fill
from tests.sched.virtual import Virtual
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    block_r,
    block_w,
    coroutine,
    create_task,
    current_context,
    move_on_after,
    run,
    sleep,
)

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


@coroutine
def receive(end: socket.socket) -> Gen[bytes]:
    yield from block_r(end)
    return end.recv(100)


@coroutine
def read_number(fd: int) -> Gen[bytes]:
    yield from block_r(fd)
    return os.read(fd, 100)


def test_a_socket_that_is_waited_for_again_and_again_registers_once(
    virtual: Virtual, pair: MakePair
) -> None:
    here, there = pair()

    async def main() -> None:
        there.send(b"x")
        await receive(here)
        before = virtual.pollster.kernel_calls
        for _ in range(50):
            task = create_task(receive(here))
            await sleep(1)
            there.send(b"x")
            assert await task == b"x"
        assert virtual.pollster.kernel_calls == before

    run(main())


def test_a_bare_number_is_registered_only_while_it_is_waited_for(virtual: Virtual) -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        os.write(write_end, b"x")
        assert await read_number(read_end) == b"x"
        assert virtual.loop.stats().readers == 0
        assert current_context().watches == {}
        os.close(read_end)
        os.close(write_end)

    run(main())


def test_a_bare_number_that_is_closed_and_reused_is_exact() -> None:
    async def main() -> None:
        for number in range(3):
            read_end, write_end = os.pipe()
            task = create_task(read_number(read_end))
            await sleep(0)
            os.write(write_end, b"%d" % number)
            assert await task == b"%d" % number
            os.close(read_end)
            os.close(write_end)

    run(main())


def test_a_bare_number_whose_wait_was_cancelled_can_be_reused() -> None:
    async def main() -> None:
        read_end, write_end = os.pipe()
        task = create_task(read_number(read_end))
        await sleep(0)
        task.cancel()
        await task.wait()
        os.close(read_end)
        os.close(write_end)
        other_read, other_write = os.pipe()
        assert other_read == read_end
        task = create_task(read_number(other_read))
        await sleep(0)
        os.write(other_write, b"other")
        assert await task == b"other"
        os.close(other_read)
        os.close(other_write)

    run(main())


def test_a_socket_closed_without_a_word_whose_number_is_reused() -> None:
    async def main() -> None:
        for number in range(3):
            here, there = socket.socketpair()
            with here, there:
                task = create_task(receive(here))
                await sleep(0)
                there.send(b"%d" % number)
                assert await task == b"%d" % number

    run(main())


def test_a_socket_closed_under_a_waiting_task_whose_number_is_reused() -> None:
    """The reuse shows that the first file is gone: its waiter is told, the new one is served."""

    async def main() -> None:
        here, there = socket.socketpair()
        first = create_task(receive(here), "first")
        await sleep(0)
        number = here.fileno()
        here.close()
        there.close()
        here, there = socket.socketpair()
        with here, there:
            assert here.fileno() == number
            second = create_task(receive(here))
            await sleep(0)
            with pytest.raises(ClosedError, match="'first' waited on it"):
                await first
            there.send(b"second")
            assert await second == b"second"

    run(main())


def test_a_dropped_socket_warns_as_without_us(virtual: Virtual) -> None:
    async def main() -> None:
        here, there = socket.socketpair()
        there.send(b"x")
        await receive(here)
        sockets = [here]
        del here
        with pytest.warns(ResourceWarning, match="unclosed"):
            sockets.clear()
        there.close()

    run(main())


@pytest.mark.parametrize("kind", ["socket", "number"])
def test_a_second_task_gets_busy_error_and_the_first_is_unharmed(
    virtual: Virtual, pair: MakePair, kind: str
) -> None:
    here, there = pair()
    file: Any = here if kind == "socket" else here.fileno()

    async def main() -> None:
        first = create_task(block_r(file))
        await sleep(1)
        with pytest.raises(BusyError):
            await block_r(file)
        there.send(b"x")
        await first

    run(main())


def test_two_directions_at_once(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()

    async def main() -> None:
        reader = create_task(block_r(here))
        await sleep(1)
        await block_w(here)
        assert not reader.done()
        there.send(b"x")
        await reader

    run(main())


@pytest.mark.parametrize("wait", [block_r, block_w])
def test_a_timeout_leaves_nothing(
    virtual: Virtual, pair: MakePair, wait: Callable[[Any], Any]
) -> None:
    here, _ = pair()
    fill(here)

    async def main() -> None:
        with move_on_after(1) as scope:
            await wait(here.fileno())
        assert scope.cancelled_caught
        assert virtual.left() == "1 tasks"
        assert current_context().watches == {}

    run(main())


def test_a_hang_up_wakes_both_directions(virtual: Virtual, pair: MakePair) -> None:
    here, there = pair()
    fill(here)

    async def main() -> None:
        reader, writer = create_task(block_r(here)), create_task(block_w(here))
        await sleep(1)
        there.close()
        await reader
        await writer

    run(main())


def test_an_object_with_fileno_works(virtual: Virtual) -> None:
    read_end, write_end = os.pipe()

    async def main() -> None:
        with os.fdopen(read_end, "rb", 0) as file:
            os.write(write_end, b"x")
            await block_r(file)
            assert file.read(1) == b"x"
        os.close(write_end)

    run(main())


@pytest.mark.parametrize("wrong", ["text", None, 1.5, object()])
def test_what_is_no_descriptor_is_refused_by_value(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"must be an integer or have fileno\(\), got"):
        run(block_r(wrong))


@pytest.mark.parametrize("wrong", [-1, 2**31])
def test_a_number_out_of_range_is_refused_by_value(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 2147483647, got {wrong}"):
        run(block_r(wrong))


@pytest.mark.parametrize("wait", [block_r, block_w])
def test_a_socket_that_is_closed_is_refused(wait: Callable[[Any], Any]) -> None:
    here, there = socket.socketpair()
    here.close()
    there.close()

    async def main() -> None:
        with pytest.raises(ClosedError, match="closed"):
            await wait(here)
        assert current_context().watches == {}

    run(main())


def test_a_regular_file_is_refused_with_the_number() -> None:
    async def main() -> None:
        with open(__file__, "rb") as file:  # noqa: PTH123
            with pytest.raises(PermissionError, match=f"cannot watch descriptor {file.fileno()}"):
                await block_r(file)
            assert current_context().watches == {}

    run(main())
