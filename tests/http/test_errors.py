"""The tree of errors: what each says, and that each can be sent to another process."""

import inspect
import pickle

import pytest

from tulip_http import _errors
from tulip_http._errors import HTTPError, HTTPStatusError, InvalidURL, TimeoutException
from tulip_http._request import Request

CLASSES = [c for _, c in inspect.getmembers(_errors, inspect.isclass) if issubclass(c, HTTPError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_pickles_with_its_request(cls: type[HTTPError]) -> None:
    error = cls("what happened to 'x'")
    error.request = Request("GET", "http://example.org/")
    error.safe_to_repeat = True
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == "what happened to 'x'"
    assert copy.request is not None
    assert copy.request.url == "http://example.org/"
    assert copy.safe_to_repeat


@pytest.mark.parametrize("cls", CLASSES)
def test_knows_its_phase(cls: type[HTTPError]) -> None:
    assert cls.phase in {"request", "pool", "connect", "write", "read", "response"}


def test_is_also_the_builtin_a_person_would_catch() -> None:
    assert issubclass(TimeoutException, TimeoutError)
    assert issubclass(InvalidURL, ValueError)


def test_status_error_without_a_response_is_possible() -> None:
    assert HTTPStatusError("404").response is None
