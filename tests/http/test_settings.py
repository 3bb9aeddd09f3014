"""Limits and timeouts as records: what a frozen dataclass would do."""

import copy
import inspect
import pickle
import sys

import pytest

from tulip_http import Limits, Timeout


def test_fields_are_given_by_name_or_in_order_and_have_defaults() -> None:
    assert Timeout(1, read=2) == Timeout(connect=1, read=2, write=30, pool=30, total=300)
    assert Limits() == Limits(100) != Limits(99)


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Timeout got the field 'reed' which it does not have"):
        Timeout(reed=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Timeout got the field 'connect' twice"):
        Timeout(1, connect=2)  # type: ignore[misc]
    with pytest.raises(TypeError, match="Timeout has 5 fields, got 6"):
        Timeout(1, 2, 3, 4, 5, 6)  # type: ignore[call-arg]


def test_a_record_is_frozen() -> None:
    timeout = Timeout()
    with pytest.raises(AttributeError, match="Timeout is frozen: cannot set 'read'"):
        timeout.read = 1  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Timeout is frozen: cannot delete 'read'"):
        del timeout.read
    assert timeout == Timeout()


def test_equal_records_have_equal_hashes_and_those_of_another_kind_differ() -> None:
    assert {Timeout(5), Timeout(5.0)} == {Timeout(5)}
    assert Timeout() != (10.0, 30.0, 30.0, 30.0, 300.0)
    assert Timeout() != Limits()


def test_a_record_shows_its_fields() -> None:
    assert repr(Timeout(1, total=None)) == (
        "Timeout(connect=1, read=30.0, write=30.0, pool=30.0, total=None)"
    )


@pytest.mark.parametrize("record", [Timeout(read=5), Limits(max_body=7)])
def test_a_record_is_copied_and_pickled(record: Timeout | Limits) -> None:
    assert pickle.loads(pickle.dumps(record)) == record
    assert copy.deepcopy(record) == record


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace came with 3.13")
def test_a_record_is_replaced_and_checked_again() -> None:
    replace = copy.replace  # type: ignore[attr-defined,unused-ignore]
    assert replace(Timeout(1), read=2) == Timeout(1, 2)
    with pytest.raises(ValueError, match="max_ratio must be at least 1, got 0"):
        replace(Limits(), max_ratio=0)


def test_a_pattern_takes_a_record_apart() -> None:
    match Timeout(1, 2):
        case Timeout(connect, read, total=total):
            assert (connect, read, total) == (1, 2, 300)


@pytest.mark.parametrize("kind", [Timeout, Limits])
def test_the_signature_names_the_fields(kind: type[Timeout | Limits]) -> None:
    parameters = inspect.signature(kind).parameters
    defaults = {name: each.default for name, each in parameters.items()}
    assert kind(**defaults) == kind()
    assert list(defaults) == list(kind.__match_args__)
