"""Errors of accept(): which are about one connection, which pass, and which end the listener."""

import errno
import os
import socket
from contextlib import ExitStack

import pytest

from tulip_net import (
    Gen,
    Listener,
    coroutine,
    create_task,
    current_context,
    fail_after,
    listen,
    run,
    sleep,
)
from tulip_net._listener import ALONE
from tulip_sched.testing import virtual_time


class Failing(socket.socket):
    """A listening socket whose accept() fails so many times, in the way of a kernel."""

    failures: list[int]

    def _accept(self) -> tuple[int, object]:
        """Stand for the method in C, which is what accept() of the standard library calls too."""
        if self.failures:
            number = self.failures.pop()
            raise OSError(number, os.strerror(number))
        accepted: tuple[int, object] = super()._accept()  # type: ignore[misc]
        return accepted


def failing(*failures: int) -> Failing:
    sock = Failing()
    sock.failures = list(failures)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH])
def test_what_became_of_one_connection_is_no_matter(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        begun = current_context().eventloop.time()
        async with Listener([failing(*[number] * 5)]) as listener:
            with socket.create_connection(("127.0.0.1", listener.port)), await listener.accept():
                assert current_context().eventloop.time() - begun < 0.1

    with virtual_time():
        run(main())
    assert not caplog.records


def test_others_have_their_turns_while_one_connection_after_another_fails() -> None:
    failures = 100
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await sleep(0)

    async def main() -> None:
        with Listener([failing(*[errno.ENETDOWN] * failures)]) as listener, fail_after(10):
            busy = create_task(others())
            with socket.create_connection(("127.0.0.1", listener.port)), await listener.accept():
                busy.cancel()
            await busy.wait()
        assert turns >= failures

    run(main())


class Counted(socket.socket):
    """A listening socket that counts the calls of accept(), or loses the race for a connection."""

    calls = 0
    stolen = False

    def _accept(self) -> tuple[int, object]:
        self.calls += 1
        if self.stolen:
            os.close(super()._accept()[0])  # type: ignore[misc]
        accepted: tuple[int, object] = super()._accept()  # type: ignore[misc]
        return accepted


def counted() -> Counted:
    sock = Counted()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


@coroutine
def accept_alone(listener: Listener, count: int) -> Gen[None]:
    """Accept connections that come one by one, each while somebody accepts already."""
    for _ in range(count):
        accepting = create_task(listener.accept())
        yield from sleep(0)
        with socket.create_connection(("127.0.0.1", listener.port)):
            (yield from accepting).close()


def test_eight_in_nine_that_come_alone_are_accepted_without_a_call_that_fails() -> None:
    async def main() -> None:
        sock = counted()
        with Listener([sock]) as listener, fail_after(10):
            await accept_alone(listener, 27)
        assert sock.calls == 27 + 3

    run(main())


@pytest.mark.parametrize("others", [0, 1])
def test_a_crowd_is_all_accepted_and_mostly_without_a_poll(others: int) -> None:
    async def main() -> None:
        sock = counted()
        stats = current_context().eventloop.stats
        listener = Listener([sock, *(counted() for _ in range(others))])
        with listener, fail_after(10), ExitStack() as clients:
            await accept_alone(listener, 1)
            for _ in range(40):
                clients.enter_context(socket.create_connection(("127.0.0.1", listener.port)))
            polls, calls = stats().rounds, sock.calls
            for _ in range(40):
                (await listener.accept()).close()
            assert sock.calls - calls == 40
            assert stats().rounds - polls <= (2 if others else ALONE + 1)

    run(main())


def test_a_connection_that_a_sibling_has_taken_is_waited_for_again() -> None:
    """A second process with the same socket, say."""

    async def main() -> None:
        sock = counted()
        with Listener([sock]) as listener, fail_after(10):
            await accept_alone(listener, 2)
            accepting = create_task(listener.accept())
            await sleep(0)
            for stolen in (True, True, False):
                sock.stolen, before = stolen, sock.calls
                with socket.create_connection(("127.0.0.1", listener.port)):
                    await sleep(1)
                assert sock.calls == before + 1
                assert accepting.done() is not stolen
            (await accepting).close()

    with virtual_time():
        run(main())


def test_after_a_pause_the_next_connection_is_accepted_at_once() -> None:
    async def main() -> None:
        now = current_context().eventloop.time
        begun = now()
        with Listener([failing(errno.EMFILE)]) as listener:
            accepting = create_task(listener.accept())
            await sleep(0.12)  # the pause is over, and nobody was there
            with socket.create_connection(("127.0.0.1", listener.port)), await accepting:
                assert now() - begun == pytest.approx(0.12)

    with virtual_time():
        run(main())


def test_a_pause_that_is_over_is_told_when_it_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        sock = failing(errno.EMFILE)
        with Listener([sock]) as listener, fail_after(60):
            for _ in range(2):
                with socket.create_connection(("127.0.0.1", listener.port)):
                    (await listener.accept()).close()
                sock.failures.append(errno.EMFILE)

    with virtual_time():
        run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS, errno.EACCES, errno.EPERM])
def test_what_may_last_is_told_once_and_leaves_the_others_their_turns(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        now = current_context().eventloop.time
        begun = now()
        with Listener([failing(*[number] * 5)]) as listener:
            accepting = create_task(listener.accept())
            with socket.create_connection(("127.0.0.1", listener.port)):
                await sleep(0.3)
                assert not accepting.done()
                with fail_after(60), await accepting:
                    assert now() - begun == pytest.approx(0.5)

    with virtual_time():
        run(main())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert os.strerror(number) in caplog.text


def test_a_socket_that_does_not_listen_is_an_error_at_once() -> None:
    async def main() -> None:
        listener = Listener([socket.socket()])
        with listener, pytest.raises(OSError, match="Invalid argument"), fail_after(5):
            await listener.accept()

    run(main())


def test_only_open_stream_sockets_are_taken() -> None:
    """On a datagram socket accept() fails for ever."""

    async def main() -> None:
        with (
            socket.socket(type=socket.SOCK_DGRAM) as datagrams,
            socket.create_server(("127.0.0.1", 0)) as good,
        ):
            closed = socket.socket()
            closed.close()
            for bad in (datagrams, closed):
                with pytest.raises(ValueError, match=r"needs open stream sockets, got <socket"):
                    Listener([good, bad])
            assert good.fileno() >= 0  # still the caller's
            (await listen("127.0.0.1")).close()

    run(main())
