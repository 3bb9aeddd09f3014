"""Errors of accept(): which are about one connection, which pass, and which end the listener."""

import errno
import os
import socket

import pytest

from tulip_net import Listener, create_task, current_context, fail_after, listen, run, sleep
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
