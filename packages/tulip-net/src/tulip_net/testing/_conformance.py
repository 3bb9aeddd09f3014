"""What every transport must do, as functions any transport can be put through.

Each check takes a function that makes two connected transports, and raises `AssertionError` if one
of them does not behave as `Transport` says::

    @pytest.mark.parametrize("check", TRANSPORT_CHECKS)
    def test_conforms(check):
        run(check(make_pair))

`HALF_CLOSE_CHECKS` are for transports that support ``send_eof``.
"""

from __future__ import annotations

import array
import random
import sys

from tulip_net._errors import BrokenError
from tulip_net._transport import Transport
from tulip_net.testing._check import LARGE, Check, check
from tulip_net.testing._closing import CLOSING_CHECKS
from tulip_net.testing._exchange import (
    PATIENCE,
    must_raise,
    receive,
    receive_all,
    receive_in_pieces,
    receive_slowly,
    send_in_pieces,
    settle,
)
from tulip_net.testing._moments import MOMENT_CHECKS
from tulip_net.testing._sending import SENDING_CHECKS
from tulip_sched import (
    BusyError,
    ClosedError,
    Gen,
    coroutine,
    create_task,
    move_on_after,
    sleep,
    with_timeout,
)

__all__ = ["HALF_CLOSE_CHECKS", "TRANSPORT_CHECKS"]


@check
@coroutine
def bytes_arrive_in_order(a: Transport, b: Transport) -> Gen[None]:
    """What goes in comes out, in both directions at once, cut into pieces at random."""
    luck = random.Random(2012)  # noqa: S311 - for repetition, not for secrets
    there, back = luck.randbytes(300_000), luck.randbytes(200_000)
    tasks = [
        create_task(send_in_pieces(a, there, luck)),
        create_task(send_in_pieces(b, back, luck)),
    ]
    receiver = create_task(receive_in_pieces(a, len(back), luck))
    assert (yield from receive_in_pieces(b, len(there), luck)) == there
    assert (yield from receiver) == back
    for task in tasks:
        yield from task


@check
@coroutine
def recv_returns_what_is_there(a: Transport, b: Transport) -> Gen[None]:
    """A receive waits for something, not for everything, and never returns more than asked.

    However much that is: no limit makes it ask for more memory than there is.
    """
    yield from a.send(b"abcdef")
    assert (yield from receive(b, 2, exactly=2)) == b"ab"
    assert (yield from receive(b, 100, exactly=4)) == b"cdef"
    yield from a.send(b"x")
    assert (yield from with_timeout(PATIENCE, b.recv(sys.maxsize))) == b"x"


@check
@coroutine
def recv_into_fills_the_buffer(a: Transport, b: Transport) -> Gen[None]:
    """``recv_into`` puts the bytes at the start and leaves the rest alone."""
    yield from a.send(b"abc")
    buffer, got = bytearray(b"------"), b""
    while len(got) < 3:
        count = yield from with_timeout(PATIENCE, b.recv_into(buffer))
        got += buffer[:count]
    assert got == b"abc"
    assert buffer.endswith(b"---"), buffer
    yield from a.send(b"xyz")
    count = yield from with_timeout(PATIENCE, b.recv_into(memoryview(buffer)[1:2]))
    assert count == 1
    assert buffer[1:2] == b"x"


@check
@coroutine
def limits_below_one_are_refused(a: Transport, b: Transport) -> Gen[None]:
    """A limit of 0 would look like the end of the stream."""
    for limit in (0, -1):
        yield from must_raise(ValueError, a.recv(limit))
    yield from must_raise(ValueError, a.recv_into(bytearray()))
    yield from b.send(b"not lost")
    yield from must_raise(TypeError, a.recv_into(b"cannot be written to"))
    assert (yield from receive(a, 100, exactly=8)) == b"not lost"
    yield from a.send(b"x")
    assert (yield from receive(b, 1)) == b"x"


@check
@coroutine
def send_takes_any_buffer(a: Transport, b: Transport) -> Gen[None]:
    """Whatever offers its bytes can be sent; nothing is sent for an empty one."""
    numbers = array.array("I", [1, 2, 3])
    for data in (b"", bytearray(b"ab"), memoryview(b"xcdx")[1:3], numbers, bytearray()):
        yield from a.send(data)
    whole = b"abcd" + numbers.tobytes()
    assert (yield from receive(b, 100, exactly=len(whole))) == whole


@check
@coroutine
def second_receiver_is_refused(a: Transport, b: Transport) -> Gen[None]:
    """The second task in one direction gets `BusyError` at once; the first is unharmed."""
    first = create_task(a.recv(100))
    yield from settle()
    yield from must_raise(BusyError, a.recv(100))
    yield from must_raise(BusyError, a.recv_into(bytearray(1)))
    yield from b.send(b"for the first")
    got = yield from with_timeout(PATIENCE, first)
    got += yield from receive_all(a, len(b"for the first") - len(got))
    assert got == b"for the first"


@check
@coroutine
def second_sender_is_refused(a: Transport, b: Transport) -> Gen[None]:
    """As for receivers; and no byte of the second comes between those of the first."""
    for data in ((bytes(LARGE),), (bytes(100), bytes(LARGE - 100))):
        first = create_task(a.send(*data))
        yield from settle()
        yield from must_raise(BusyError, a.send(b"x"))
        yield from must_raise(BusyError, a.send_eof())
        assert (yield from receive_all(b, LARGE)) == bytes(LARGE)
        yield from with_timeout(PATIENCE, first)
    yield from a.send(b"y")
    assert (yield from receive(b, 1)) == b"y"


@check
@coroutine
def sending_waits_for_the_receiver(a: Transport, b: Transport) -> Gen[None]:
    """A peer that does not read holds the sender up, instead of filling our memory."""
    sender = create_task(a.send(bytes(LARGE)))
    yield from settle()
    assert not sender.done()
    assert len((yield from receive_all(b, LARGE))) == LARGE
    yield from with_timeout(PATIENCE, sender)
    assert a.unsent == 0


@check
@coroutine
def cancelled_recv_loses_nothing(a: Transport, b: Transport) -> Gen[None]:
    """Whenever a receive is cancelled, the next one gets every byte."""
    got, wanted = b"", bytes(range(200))
    for number in wanted:
        task = create_task(b.recv(100))
        if number % 3:
            yield from sleep(0)
        yield from a.send(bytes([number]))
        for _ in range(number % 5):
            yield from sleep(0)
        task.cancel()
        yield from task.wait()
        if not task.cancelled():
            got += task.result()
    got += yield from receive_all(b, len(wanted) - len(got))
    assert got == wanted


@check
@coroutine
def cancelled_send_tells_what_went_out(a: Transport, b: Transport) -> Gen[None]:
    """Sending the rest after a cancelled send gives the peer every byte once."""
    data = random.Random(4).randbytes(LARGE)  # noqa: S311 - for repetition
    receiver = create_task(receive_slowly(b, LARGE))
    left = data
    while left:
        with move_on_after(0.003):
            yield from a.send(left)
        assert 0 <= a.unsent <= len(left)
        left = left[len(left) - a.unsent :]
    # What TLS had already taken goes out with the end at the latest.
    closing = create_task(a.aclose())
    assert (yield from receiver) == data
    b.close()
    yield from closing


@check
@coroutine
def a_dead_peer_breaks_the_sender(a: Transport, b: Transport) -> Gen[None]:
    """Sending to a peer that has closed fails sooner or later, with `BrokenError`."""
    b.close()
    try:
        for _ in range(100):
            yield from with_timeout(PATIENCE, a.send(bytes(100_000)))
            yield from settle()
    except BrokenError:
        return
    raise AssertionError("a hundred sends to a closed peer, and no error")


@check
@coroutine
def half_close_leaves_the_other_half(a: Transport, b: Transport) -> Gen[None]:
    """After ``send_eof`` the peer sees the end, and may go on sending."""
    for part in (b"a", b"lready ", b"on its way"):
        yield from b.send(part)
    yield from settle()
    assert (yield from receive(a, 1)) == b"a"
    yield from a.send(b"question")
    yield from a.send_eof()
    yield from a.send_eof()
    assert (yield from receive(b, 100, exactly=8)) == b"question"
    assert (yield from receive(b, 100)) == b""
    yield from b.send(b", and the answer")
    yield from b.send_eof()
    whole = b"lready on its way, and the answer"
    assert (yield from receive(a, 100, exactly=len(whole))) == whole
    assert (yield from receive(a, 100)) == b""


@check
@coroutine
def sending_after_send_eof_is_refused(a: Transport, _: Transport) -> Gen[None]:
    """It is we who closed that side."""
    yield from a.send_eof()
    yield from must_raise(ClosedError, a.send(b"x"))
    assert a.unsent == 1, "nothing of what was refused has gone"


TRANSPORT_CHECKS: tuple[Check, ...] = (
    bytes_arrive_in_order,
    recv_returns_what_is_there,
    recv_into_fills_the_buffer,
    limits_below_one_are_refused,
    send_takes_any_buffer,
    second_receiver_is_refused,
    second_sender_is_refused,
    sending_waits_for_the_receiver,
    cancelled_recv_loses_nothing,
    cancelled_send_tells_what_went_out,
    a_dead_peer_breaks_the_sender,
    *CLOSING_CHECKS,
    *MOMENT_CHECKS,
    *SENDING_CHECKS,
)
"""What every transport must do."""

HALF_CLOSE_CHECKS: tuple[Check, ...] = (
    half_close_leaves_the_other_half,
    sending_after_send_eof_is_refused,
)
"""What a transport must do that supports ``send_eof``."""
