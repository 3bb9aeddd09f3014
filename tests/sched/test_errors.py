"""The errors: whose they are, and that they pickle."""

import pickle

import pytest

from tulip_sched import (
    BusyError,
    Cancelled,
    ClosedError,
    DeadlockError,
    SuspendError,
    TaskCancelledError,
    WrongThreadError,
)

EVERY: list[type[BaseException]] = [
    BusyError,
    Cancelled,
    ClosedError,
    DeadlockError,
    SuspendError,
    TaskCancelledError,
    WrongThreadError,
]


@pytest.mark.parametrize("kind", EVERY)
def test_errors_pickle(kind: type[BaseException]) -> None:
    again = pickle.loads(pickle.dumps(kind("the message")))
    assert type(again) is kind
    assert again.args == ("the message",)


@pytest.mark.parametrize("kind", EVERY)
def test_only_the_order_to_stop_is_no_exception(kind: type[BaseException]) -> None:
    assert issubclass(kind, Exception) == (kind is not Cancelled)
