"""Requests: what a caller passes, and what can never be sent."""

import enum
import io
import pickle
from typing import Any

import pytest

from tulip_http._errors import LocalProtocolError
from tulip_http._request import Request


@pytest.mark.parametrize(
    "options, body, media_type",
    [
        ({}, None, None),
        ({"content": b"abc"}, b"abc", None),
        ({"content": "ü"}, "ü".encode(), None),
        ({"content": bytearray(b"abc")}, b"abc", None),
        ({"json": {"a": [1, None]}}, b'{"a":[1,null]}', "application/json"),
        ({"data": {"a": "b c", "d": [1, 2]}}, b"a=b+c&d=1&d=2", None),
        ({"data": [("a", True), ("b", None)]}, b"a=true&b=", None),
        ({"data": {"a": b"\xff ", "b": ("c", b"d")}}, b"a=%FF+&b=c&b=d", None),
        ({"data": {"a": {1: 2}.keys()}}, b"a=1", None),
        ({"data": '{"as it": "is"}'}, b'{"as it": "is"}', None),
        ({"data": b"a=%20\xff"}, b"a=%20\xff", None),
        ({"content": b"", "headers": {"content-type": "text/x"}}, b"", "text/x"),
        ({"json": 0, "headers": {"content-type": "text/x"}}, b"0", "text/x"),
    ],
)
def test_what_is_given_becomes_a_body_with_its_length_and_type(
    options: dict[str, Any], body: bytes | None, media_type: str | None
) -> None:
    request = Request("POST", "http://h/", **options)
    assert request.content == body
    assert request.headers["content-length"] == str(len(body or b""))
    if media_type is not None:
        assert request.headers["content-type"] == media_type
    if "data" in options:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_one_body_only() -> None:
    with pytest.raises(TypeError, match="one body"):
        Request("POST", "http://h/", content=b"", json={})
    with pytest.raises(
        TypeError, match="content must be bytes, text, a file or an iterable, got int"
    ):
        Request("POST", "http://h/", content=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="JSON"):
        Request("POST", "http://h/", json=float("nan"))


@pytest.mark.parametrize("fields", [5, [1], ["ab"], [("a", "b", "c")], {"a": {"b": 1}}])
@pytest.mark.parametrize("where", ["params", "data"])
def test_fields_are_a_mapping_or_pairs(where: str, fields: Any) -> None:
    with pytest.raises(TypeError, match="mapping"):
        Request("POST", "http://h/", **{where: fields})
    with pytest.raises(TypeError, match="mapping"):
        Request("POST", "http://h/", data=fields, files={"f": b"x"})


def test_what_is_no_form_is_pointed_to_content() -> None:
    for data in (io.BytesIO(b"line\n"), iter([b"piece"])):
        with pytest.raises(TypeError, match="is content"):
            Request("POST", "http://h/", data=data)  # type: ignore[arg-type]


def test_no_length_where_none_is_expected() -> None:
    assert "content-length" not in Request("GET", "http://h/").headers
    assert Request("GET", "http://h/", content=b"x").headers["content-length"] == "1"


class Color(str, enum.Enum):  # noqa: UP042 - str() of it is not its text, as of most there are
    RED = "red"


@pytest.mark.parametrize(
    "params, target",
    [
        ({"b": 1}, "/?a&b=1"),
        ("b=ü", "/?a&b=%C3%BC"),
        ("b=%20", "/?a&b=%20"),
        ([("b", "x&y"), ("b", "z")], "/?a&b=x%26y&b=z"),
        ({}, "/?a"),
        ({Color.RED: [Color.RED, True, None, 1.5]}, "/?a&red=red&red=true&red=&red=1.5"),
    ],
)
def test_params_are_added_to_the_query(params: Any, target: str) -> None:
    assert Request("GET", "http://h/?a", params=params).url.target == target


@pytest.mark.parametrize("method", ["", "GET /", "GE\r\nT", "GET\0"])
def test_method_must_be_a_token(method: str) -> None:
    with pytest.raises(LocalProtocolError, match="not a token"):
        Request(method, "http://h/")


@pytest.mark.parametrize(
    "method, headers, content",
    [
        ("POST", {"Content-Length": "5"}, b"abc"),
        ("GET", {"Content-Length": "5"}, None),
        ("GET", {"Transfer-Encoding": "chunked"}, None),
        ("POST", {"Transfer-Encoding": "chunked"}, b"abc"),
        ("POST", [("Content-Length", "3"), ("Content-Length", "3")], b"abc"),
    ],
)
def test_the_length_cannot_be_a_lie(method: str, headers: Any, content: bytes | None) -> None:
    with pytest.raises(LocalProtocolError, match=r"Content-Length|Transfer-Encoding"):
        Request(method, "http://h/", headers=headers, content=content)


def test_a_request_pickles() -> None:
    request = Request("post", "http://h/", json={"a": 1})
    copy = pickle.loads(pickle.dumps(request))
    assert (copy.method, copy.url, copy.content) == ("POST", "http://h/", b'{"a":1}')
    assert copy.headers == request.headers
    assert repr(copy) == "<Request POST http://h/>"
