"""What every transport must do with several buffers at once, and with files."""

from __future__ import annotations

import array
import io
import random
import tempfile
from typing import Any

from tulip_net._transport import Transport
from tulip_net._typing import override
from tulip_net.testing._check import LARGE, Check, check
from tulip_net.testing._exchange import (
    PATIENCE,
    must_raise,
    receive,
    receive_all,
    receive_slowly,
    settle,
)
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    coroutine,
    create_task,
    move_on_after,
    with_timeout,
)

__all__ = ["SENDING_CHECKS"]


@check
@coroutine
def send_takes_several_buffers(a: Transport, b: Transport) -> Gen[None]:
    """Several buffers go out like one, few or many, small or large, empty ones between them."""
    numbers = array.array("I", [1, 2, 3])
    yield from a.send(b"head ", b"", numbers, memoryview(b"xbodyx")[1:5], bytearray())
    small = b"head " + numbers.tobytes() + b"body"
    assert (yield from receive(b, 100, exactly=len(small))) == small
    yield from a.send(b"", bytearray())
    parts = [bytes([number % 256]) * (number % 71) for number in range(3000)]
    parts[1000] = random.Random(5).randbytes(1_000_000)  # noqa: S311 - for repetition
    sender = create_task(a.send(*parts))
    whole = b"".join(parts)
    assert (yield from receive_all(b, len(whole))) == whole
    yield from with_timeout(PATIENCE, sender)
    assert a.unsent == 0


@check
@coroutine
def cancelled_send_of_several_tells_what_went_out(a: Transport, b: Transport) -> Gen[None]:
    """``unsent`` counts over all the buffers, from the end of the last."""
    parts = [random.Random(part).randbytes(LARGE // 4) for part in range(4)]  # noqa: S311
    data = b"".join(parts)
    receiver = create_task(receive_slowly(b, LARGE))
    with move_on_after(0.003):
        yield from a.send(*parts)
    yield from a.send(data[LARGE - a.unsent :])
    assert (yield from receiver) == data


@check
@coroutine
def send_file_sends_the_part(a: Transport, b: Transport) -> Gen[None]:
    """All of a file, a part of it, less than was asked for; on disk and in memory."""
    data = random.Random(6).randbytes(300_000)  # noqa: S311 - for repetition
    with tempfile.TemporaryFile() as on_disk, tempfile.SpooledTemporaryFile() as in_memory:
        for file in (on_disk, in_memory):
            file.write(data)  # most of it is still in the object's buffer
            for offset, count in ((0, None), (1000, 70_000), (299_990, 100), (300_005, None)):
                wanted = data[offset:][:count]
                sender = create_task(a.send_file(file, offset, count))  # type: ignore[arg-type]
                assert (yield from receive_all(b, len(wanted))) == wanted
                assert (yield from with_timeout(PATIENCE, sender)) == len(wanted)
                assert a.unsent == 0


@check
@coroutine
def send_file_refuses_what_it_cannot_send(a: Transport, b: Transport) -> Gen[None]:
    """Text has no bytes; a file begins at 0."""
    with tempfile.TemporaryFile() as file:
        yield from must_raise(ValueError, a.send_file(file, -1))
        yield from must_raise(ValueError, a.send_file(file, 0, -1))
        text: Any = io.StringIO("text")
        yield from must_raise(TypeError, a.send_file(text))
        yield from a.send(b"x")
        assert (yield from receive(b, 2)) == b"x"
        a.close()
        file.write(b"too late")
        yield from must_raise(ClosedError, a.send_file(file))


@check
@coroutine
def cancelled_send_file_tells_what_went_out(a: Transport, b: Transport) -> Gen[None]:
    """Sending the rest of a file gives the peer every byte once; a second sender is refused."""
    data = random.Random(7).randbytes(LARGE)  # noqa: S311 - for repetition
    with tempfile.TemporaryFile() as file:
        file.write(data)
        # Nobody receives yet, or the first sender might be done before the second is refused.
        task = create_task(a.send_file(file))
        yield from settle()
        yield from must_raise(BusyError, a.send_file(file))
        yield from must_raise(BusyError, a.send(b"x", b"y"))
        task.cancel()
        yield from task.wait()
        left = a.unsent
        assert 0 < left < LARGE
        receiver = create_task(receive_slowly(b, LARGE))
        assert (yield from a.send_file(file, LARGE - left)) == left
    assert (yield from receiver) == data


class _BadDisk(io.BytesIO):
    """A file in memory that cannot be read from its middle on."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if 2 * self.tell() >= len(self.getbuffer()):
            raise OSError("a bad disk")
        return super().read(size)


@check
@coroutine
def a_file_that_cannot_be_read_tells_what_went_out(a: Transport, b: Transport) -> Gen[None]:
    """The error is the file's own, and ``unsent`` counts what it held back."""
    data = random.Random(8).randbytes(600_000)  # noqa: S311 - for repetition
    sender = create_task(a.send_file(_BadDisk(data)))
    received = b""
    while not sender.done():
        with move_on_after(0.003):
            received += yield from b.recv(len(data))
    yield from must_raise(OSError, sender)
    sent = len(data) - a.unsent
    assert 0 < sent < len(data)
    received += yield from receive_all(b, sent - len(received))
    assert received == data[:sent]
    yield from must_raise(OSError, a.send_file(_BadDisk(data), 500_000))
    assert a.unsent == 100_000


SENDING_CHECKS: tuple[Check, ...] = (
    send_takes_several_buffers,
    cancelled_send_of_several_tells_what_went_out,
    send_file_sends_the_part,
    send_file_refuses_what_it_cannot_send,
    cancelled_send_file_tells_what_went_out,
    a_file_that_cannot_be_read_tells_what_went_out,
)
