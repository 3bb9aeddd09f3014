"""Header fields: several values, any case, order and case kept, nothing smuggled."""

import pickle

import pytest

from tulip_http._errors import LocalProtocolError
from tulip_http._headers import Headers


def test_finds_a_name_in_any_case() -> None:
    headers = Headers({"Content-Type": "text/plain"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/plain"
    assert "content-TYPE" in headers
    assert "content-length" not in headers
    assert "ü" not in headers
    assert headers.get("ü") is None


def test_keeps_order_case_and_repetitions() -> None:
    headers = Headers([("B", "1"), ("a", "2"), ("b", "3")])
    assert headers.multi_items() == [("B", "1"), ("a", "2"), ("b", "3")]
    assert list(headers) == ["B", "a"]
    assert len(headers) == 2
    assert headers["b"] == "1, 3"
    assert headers.get_list("b") == ["1", "3"]
    assert headers.get_list("c") == []
    assert headers.raw == [(b"B", b"1"), (b"a", b"2"), (b"b", b"3")]


def test_setting_replaces_in_the_place_of_the_first() -> None:
    headers = Headers([("a", "1"), ("b", "2"), ("A", "3")])
    headers["A"] = "4"
    headers["c"] = "5"
    assert headers.multi_items() == [("A", "4"), ("b", "2"), ("c", "5")]


def test_deleting_takes_all_of_a_name() -> None:
    headers = Headers([("a", "1"), ("b", "2"), ("A", "3")])
    del headers["a"]
    assert headers.multi_items() == [("b", "2")]
    with pytest.raises(KeyError):
        del headers["a"]
    with pytest.raises(KeyError):
        headers["a"]


def test_a_copy_is_independent() -> None:
    headers = Headers({"a": "1"})
    assert headers.block() == b"a: 1\r\n"
    copy = headers.copy()
    copy.add("b", "2")
    assert headers.block() == b"a: 1\r\n"
    assert copy.block() == b"a: 1\r\nb: 2\r\n"
    assert "b" not in headers


@pytest.mark.parametrize(
    "raw", [b"caf\xc3\xa9", b"caf\xe9", b"caf\xe9 \t"], ids=["UTF-8", "Latin-1", "blanks"]
)
def test_equality_is_that_of_what_one_reads(raw: bytes) -> None:
    came = Headers.from_wire([(b"X-Name", raw), (b"A", b"1")])
    for same in (
        {"a": "1", "x-name": "café"},
        {b"a": b"1", b"x-NAME": "café".encode()},
        {b"a": b"1", b"x-NAME": "café".encode("latin-1")},
        [("A", "1"), ("X-NAME", "café")],
        (("A", "1"), ("X-NAME", " café ")),
        Headers({"a": "1", "x-name": "café"}),
        came.items(),
        dict(came),
        came.multi_items(),
        came.raw,
    ):
        assert came == same
        assert same == came


def test_equality_with_text_that_only_bytes_can_send() -> None:
    assert Headers({b"a": "€ 5".encode()}) == {"a": "€ 5"}
    assert Headers({b"a": "€ 5".encode()}) != {"a": "€ 6"}
    assert Headers({"a": "5"}) != {"a": "€"}


def test_equality_counts_each_value_of_a_name() -> None:
    headers = Headers([("a", "1"), ("b", "2"), ("A", "3")])
    assert headers == [("a", "1"), ("a", "3"), ("b", "2")]
    assert headers != [("a", "3"), ("a", "1"), ("b", "2")]
    assert headers != {"a": "1", "b": "2"}
    assert Headers() == {}
    assert Headers() == []


@pytest.mark.parametrize(
    "other",
    [
        None,
        0,
        5,
        "ab",
        b"",
        [1],
        [("a",)],
        [("a", "1", "2")],
        {"a": 1},
        {"a": None},
        {"a": ["1"]},
        {1: "1"},
        {"": "1"},
        {"a b": "1"},
        {"ü": "1"},
        {"a": "1\r\n"},
        {"a": "\udcff"},
        {"\udcff": "1"},
        {("a", 10**15): "1"},
        [(10**15, "1")],
        {"\N{KELVIN SIGN}": "1"},
        iter([("a", "1")]),
        object(),
    ],
)
def test_what_is_no_headers_is_unequal(other: object) -> None:
    for headers in (Headers(), Headers({"a": "1"}), Headers({"K": "1"})):
        assert headers != other
        assert other != headers
        assert headers != ""
    assert "\N{KELVIN SIGN}" not in Headers({"K": "1"})


def test_to_compare_takes_nothing_from_an_iterator() -> None:
    pairs = iter([("a", "1")])
    assert Headers({"a": "1"}) != pairs
    assert list(pairs) == [("a", "1")]


def test_equality_ignores_case_but_not_values() -> None:
    assert Headers({"A": "1"}) == Headers({"a": "1"}) == {"a": "1"}
    assert Headers({"A": "1"}) != {"a": "2"}
    assert Headers() != 1


@pytest.mark.parametrize("value", ["a\r\nInjected: b", "a\nb", "a\rb", "a\0b", b"a\r\n b"])
def test_a_value_cannot_begin_another_field(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="CR, LF or NUL") as caught:
        Headers().add("X-Test", value)
    assert repr(value) in str(caught.value)
    with pytest.raises(LocalProtocolError):
        Headers({"X-Test": value})
    with pytest.raises(LocalProtocolError):
        Headers()["X-Test"] = value


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\0", "ü", "€"])
def test_a_name_must_be_a_token(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="not a token"):
        Headers({name: "x"})


def test_text_is_latin_1_on_the_wire() -> None:
    assert Headers({"a": "ü"}).raw == [(b"a", b"\xfc")]
    with pytest.raises(LocalProtocolError, match="Latin-1"):
        Headers({"a": "€"})
    assert Headers({b"a": "€".encode()})["a"] == "€"
    with pytest.raises(TypeError, match="text or bytes, got 1"):
        Headers({"a": 1})  # type: ignore[arg-type]


def test_reads_utf_8_else_latin_1() -> None:
    headers = Headers.from_wire([(b"a", "ü".encode()), (b"b", b"\xfc"), (b"c", b"x \t")])
    assert (headers["a"], headers["b"], headers["c"]) == ("ü", "ü", "x")


def test_keeps_credentials_out_of_its_repr() -> None:
    headers = Headers({"Authorization": "Basic c2VjcmV0", "Cookie": "id=secret", "A": "b"})
    assert repr(headers) == (
        "Headers([('Authorization', '[secure]'), ('Cookie', '[secure]'), ('A', 'b')])"
    )


def test_headers_pickle() -> None:
    headers = Headers([("B", "1"), ("a", "2")])
    assert pickle.loads(pickle.dumps(headers)).multi_items() == headers.multi_items()
