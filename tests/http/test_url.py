"""URLs: the WHATWG rules, and that our fast way never disagrees with them."""

import os
import pickle
import re
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.http.corpora import url_cases
from tulip_http._errors import InvalidURL, UnsupportedProtocol
from tulip_http._url import URL, _parse_by_the_rules, _plain


@pytest.mark.parametrize(
    "text, host, port, target",
    [
        ("http://example.org", "example.org", 80, "/"),
        ("https://example.org/a/b?c=d#e", "example.org", 443, "/a/b?c=d"),
        ("http://127.0.0.1:8080/", "127.0.0.1", 8080, "/"),
        ("http://[::1]:8080/x", "::1", 8080, "/x"),
        ("HTTP://EXAMPLE.org/A", "example.org", 80, "/A"),
        ("http://example.org/a/../b", "example.org", 80, "/b"),
        ("http://example.org/a b?c d", "example.org", 80, "/a%20b?c%20d"),
        ("http://bücher.example/ä", "xn--bcher-kva.example", 80, "/%C3%A4"),
        ("http://0x7f.1/", "127.0.0.1", 80, "/"),
        ("http://example.org:80/?", "example.org", 80, "/?"),
        ("  http://example.org/ \n", "example.org", 80, "/"),
    ],
)
def test_a_url_is_taken_apart_as_a_browser_does(
    text: str, host: str, port: int, target: str
) -> None:
    url = URL(text)
    assert (url.host, url.port, url.target) == (host, port, target)


@pytest.mark.parametrize(
    "text, message",
    [
        ("http://example.org:99999/", "port 99999 is out of range"),
        ("http://example.org:http/", "port 'http' is not a number"),
        ("http://example.org:-1/", "port '-1' is not a number"),
        ("http://[::1]:x/", "port 'x' is not a number"),
        ("example.org/path", "no scheme"),
        ("//example.org/path", "no scheme"),
        ("", "no scheme"),
        ("http://", "no host"),
        ("http://exa mple.org/", "host 'exa mple.org' is not valid"),
        ("http://256.256.256.256/", "host '256.256.256.256' is not valid"),
        ("http://[::1/", "is not valid"),
        ("http://example.org/\r\nHost: evil", "line end or NUL"),
        ("http://example.org/\0", "line end or NUL"),
        ("http://\ud800/", "a lone surrogate"),
        ("http://example.org/\ud83d\ude00", "a lone surrogate"),
        ("http://[fe80::1%25eth0]/", "host '.fe80::1%25eth0.' has a zone"),
    ],
)
def test_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message) as caught:
        URL(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["ftp://example.org/", "file:///etc/passwd", "mailto:a@b"])
def test_names_an_unknown_scheme(text: str) -> None:
    with pytest.raises(UnsupportedProtocol, match=repr(text.partition(":")[0])):
        URL(text)


def test_keeps_credentials_out_of_its_repr() -> None:
    url = URL("http://me:s%40crt@example.org/")
    assert (url.username, url.password) == ("me", "s@crt")
    assert "crt" not in repr(url)
    assert str(url) == "http://me:s%40crt@example.org/"


def test_is_a_value() -> None:
    url = URL("http://example.org/a?b#c")
    assert url == URL(str(url)) == "http://example.org/a?b#c"
    assert url != URL("http://example.org/a?b#d")
    assert hash(url) == hash(URL(str(url)))
    assert pickle.loads(pickle.dumps(url)) == url
    with pytest.raises(AttributeError, match="immutable"):
        url.path = "/other"
    with pytest.raises(AttributeError, match="immutable"):
        del url.path


@pytest.mark.parametrize(
    "reference, result",
    [
        ("c", "http://example.org/a/c"),
        ("../c?d", "http://example.org/c?d"),
        ("/c", "http://example.org/c"),
        ("//other.example/c", "http://other.example/c"),
        ("https://other.example/c", "https://other.example/c"),
        ("?q", "http://example.org/a/b?q"),
        ("", "http://example.org/a/b?x"),
    ],
)
def test_a_reference_is_resolved(reference: str, result: str) -> None:
    assert URL("http://example.org/a/b?x").join(reference) == result


def test_joining_something_else_is_refused() -> None:
    with pytest.raises(UnsupportedProtocol, match="javascript"):
        URL("http://example.org/").join("javascript:alert(1)")


def test_replaces_the_query() -> None:
    url = URL("http://me:pw@example.org:81/a?b#c")
    assert url.with_query("d=e") == "http://me:pw@example.org:81/a?d=e#c"
    assert url.with_query(None) == "http://me:pw@example.org:81/a#c"


# Pieces from which URLs arise that are plain, and URLs that only look so.
_PIECES = [
    "http://", "https://", "HTTP://", "example", "a.b", ".", "..", "/", "//", "/.", "%2e", "%2E",
    ":", ":80", ":443", ":0", ":08080", ":65535", ":65536", "1", "1.2.3.4", "01.2.3.4", "256",
    "0x7f", "a1", "1a", "xn--", "xn--bcher-kva", "-", "_", "?", "#", "a=b&c", "'", "|", "\\", "[",
    "%", "%zz", "@", "me", "~", "!", "^", "{", "ü", " ", "\t",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
@example("1.2.3.4")
def test_the_fast_way_agrees_with_the_rules(rest: str) -> None:
    for text in (f"http://{rest}", f"https://h{rest}", f"http://h/{rest}", rest):
        if _plain().fullmatch(text) is None:
            continue
        try:
            expected = _parse_by_the_rules(text)
        except InvalidURL as refusal:
            with pytest.raises(InvalidURL, match=re.escape(str(refusal))):
                URL(text)
            continue
        found = URL(text)
        for part in ("origin", "path", "query", "fragment", "username", "password", "netloc"):
            assert getattr(found, part) == getattr(expected, part), (text, part)


# What is encoded, or means something elsewhere than it stands.
_MORE_PIECES = [
    *_PIECES,
    *("%00", "%ff", "%3A", "%2F", "%40", "%C3%28", "\u3002", "\u00ad", "😀"),
    *('"', "<", "`", "&", ";", "+"),
]


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(_MORE_PIECES), max_size=8).map("".join),
    st.lists(st.sampled_from(_MORE_PIECES), max_size=4).map("".join),
)
@settings(max_examples=int(os.environ.get("TULIP_FUZZ", "300")), deadline=None)
def test_a_url_is_its_own_text(rest: str, reference: str) -> None:
    """Also one that was joined, and one whose query was replaced: read again, it is the same."""
    for text in (f"http://{rest}", f"https://{rest}@h", f"http://[::1]:8/{rest}"):
        with suppress(InvalidURL, UnsupportedProtocol):
            url = URL(text)
            check_is_its_own_text(url)
            check_is_its_own_text(url.join(reference))


def check_is_its_own_text(url: URL) -> None:
    again = URL(str(url))
    assert again == url
    for part in ("origin", "path", "query", "fragment", "username", "password", "netloc"):
        assert getattr(again, part) == getattr(url, part), (str(url), part)
    assert (url.target + url.netloc).isascii()
    assert not re.search(r"[\x00-\x20\x7f]", url.target + url.netloc), "it would end the line"
    for query in ("a=b", "", None):
        other = url.with_query(query)
        assert (other.query, other.path, other.origin) == (query, url.path, url.origin)


def test_web_platform_cases() -> None:
    """Every case of the corpus comes out as a browser reads it, as far as it is for http(s)."""
    counts = Counter(web_platform_case(case) for case in url_cases())
    assert counts["read"] > 200
    assert counts["refused"] > 400
    assert 0 < counts["line end"] < 30


def web_platform_case(case: dict[str, Any]) -> str:
    """Check one case, and say of what kind it is."""
    text, base = case["input"], case.get("base")
    if base is not None and not base.startswith(("http:", "https:")):
        with pytest.raises((InvalidURL, UnsupportedProtocol)):
            URL(base)  # so there is nothing to join to; what is absolute needs no base
        if case.get("failure") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text.strip()) is None:
            return "other base"
        base = None

    def url() -> URL:
        return URL(text) if base is None else URL(base).join(text)

    if re.search(r"[\r\n\0]", text.strip()):
        with pytest.raises(InvalidURL, match="line end or NUL"):
            url()  # the one thing in which we are stricter, on purpose
        return "line end"
    if case.get("failure") or case["protocol"] not in {"http:", "https:"}:
        with pytest.raises((InvalidURL, UnsupportedProtocol)):
            url()
        return "refused"
    found = url()
    assert found.netloc == case["host"], case
    assert found.path == case["pathname"], case
    assert f"?{found.query or ''}".rstrip("?") == case["search"], case
    assert f"#{found.fragment or ''}".rstrip("#") == case["hash"], case
    assert found.username == unquote(case["username"]), case
    assert found.password == unquote(case["password"]), case
    assert f"{found.scheme}:" == case["protocol"], case
    return "read"


@pytest.mark.parametrize(
    "text",
    [
        "http://user:se:c@ret@h:70000/",
        "http://user:se:c@ret@[::1%25eth0]/",
        "http://:se:c@ret@",
        "ftp://user:se:c@ret@h/",
        "//user:se:c@ret@h/",
        "http://user:se:c@ret@h/\n",
        "http://user:se:c@ret@h/a\nb",
        "http://user:se:c@ret@h/\ud800",
    ],
)
def test_no_password_is_in_what_is_said_of_a_url(text: str) -> None:
    try:
        said = URL(text).shown
    except (InvalidURL, UnsupportedProtocol) as error:
        said = str(error)
    assert ":[secure]@" in said
    assert "ret" not in said
