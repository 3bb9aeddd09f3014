"""A value of the wrong kind is refused where it is given, and the message has it in it."""

import math
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tulip_poll import EventLoop, Pollster, ThreadRunner

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    pass


WRONG: dict[str, tuple[Callable[[EventLoop, Any], object], object]] = {
    "call_later": (lambda loop, wrong: loop.call_later(wrong, nothing), "1"),
    "call_at": (lambda loop, wrong: loop.call_at(wrong, nothing), "1"),
    "run_once": (EventLoop.run_once, "1"),
    "add_reader": (lambda loop, wrong: loop.add_reader(wrong, nothing), 1.5),
    "watch_child": (lambda loop, wrong: loop.watch_child(wrong, print), "1"),
    "submit": (lambda loop, wrong: ThreadRunner(loop).submit(wrong), 5),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_is_named_and_harms_nothing(loop: EventLoop, case: str) -> None:
    function, wrong = WRONG[case]
    with pytest.raises(TypeError) as caught:
        function(loop, wrong)
    assert repr(wrong) in str(caught.value)
    assert loop.run()
    assert not loop.close()


def test_a_timeout_of_a_poll(pollster: Pollster) -> None:
    with pytest.raises(TypeError, match="got '1'"):
        pollster.poll("1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got nan"):
        pollster.poll(math.nan)


def test_a_descriptor_s_callback(pollster: Pollster, pair: MakePair) -> None:
    here, _ = pair()
    with pytest.raises(TypeError, match=f"descriptor {here.fileno()} needs a callback, got None"):
        pollster.add_reader(here, None)  # type: ignore[arg-type]
    assert not pollster.pollable()


def test_what_cannot_be_called_back_is_named_when_its_turn_comes(loop: EventLoop) -> None:
    loop.call_soon(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not callable") as caught:
        loop.run()
    assert caught.value.__notes__ == ["this was to be called back: 5"]
