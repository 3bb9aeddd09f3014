"""What is said to proxies, on bytes: no socket, no task."""

from traceback import format_exception_only

import pytest

from tulip_net import HttpProxy, Socks4Proxy, Socks5Proxy, proxy_from_url
from tulip_net.proxies._conversation import Conversation, Refusal
from tulip_net.proxies._http import connect_tunnel
from tulip_net.proxies._socks4 import socks4
from tulip_net.proxies._socks5 import socks5


def converse(conversation: Conversation, answers: bytes) -> tuple[bytes, bytes]:
    """Return what was said, and what was left of the answers."""
    said, count = next(conversation)
    while True:
        assert len(answers) >= count, f"{count} bytes are asked for, {answers!r} are left"
        answer, answers = answers[:count], answers[count:]
        try:
            data, count = conversation.send(answer)
        except StopIteration:
            return said, answers
        said += data


def refusal(conversation: Conversation, answers: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        converse(conversation, answers)
    return caught.value


# -- CONNECT -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 \r\nVia: a\r\nX: b\r\n\r\n",
        b"HTTP/1.1 204\r\nA: \n\r\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\nVia: a\n\n",
        b"HTTP/1.0 200 OK\n\r\n",
        b"HTTP/1.0 200 OK\r\n\n",
    ],
)
def test_connect_takes_the_head_and_nothing_that_follows(head: bytes) -> None:
    said, rest = converse(connect_tunnel("example.org", 443), head + b"\r\n220 ready")
    assert said == b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"
    assert rest == b"\r\n220 ready"


def test_connect_to_addresses_and_names_of_the_world() -> None:
    assert next(connect_tunnel("::1", 80))[0].startswith(b"CONNECT [::1]:80 HTTP/1.1\r\n")
    assert next(connect_tunnel("b\xfccher.example", 80))[0].startswith(
        b"CONNECT xn--bcher-kva.example:80"
    )


def test_connect_sends_more_fields_as_they_are() -> None:
    proxy = HttpProxy("p", 1, headers={"X": "caf\xe9"})
    assert next(proxy._converse("a", 80))[0].endswith(b"\r\nX: caf\xe9\r\n\r\n")
    with pytest.raises(ValueError, match="latin-1"):
        HttpProxy("p", 1, headers={"X": "\u0107"})


def test_connect_refused() -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n"
    error = refusal(connect_tunnel("a", 1), answer)
    assert error.reason == "it answered 407 Proxy Authentication Required"
    assert error.code == 407
    assert refusal(connect_tunnel("a", 1), b"HTTP/1.1 500\r\n\r\n").reason == "it answered 500"
    assert refusal(connect_tunnel("a", 1), b"HTTP/1.1 302 Found\r\n\r\n").code == 302


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/2 200 \r\n\r\n", b"HTTP/1.1 2x0 \r\n\r\n"]
)
def test_connect_answered_by_something_else(answer: bytes) -> None:
    assert "which is not HTTP" in refusal(connect_tunnel("a", 1), answer).reason


def test_connect_answered_without_end() -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000
    assert "a head of more than 65536 bytes" in refusal(connect_tunnel("a", 1), answer).reason


# -- SOCKS5 ------------------------------------------------------------------------------------

GRANTED = b"\x05\0\0"


@pytest.mark.parametrize(
    "address", [b"\x01\x7f\0\0\x01", b"\x03\x04here", b"\x04" + bytes(15) + b"\x01"]
)
def test_socks5_reads_its_answer_to_the_end(address: bytes) -> None:
    answers = b"\x05\0" + GRANTED + address + b"\x04\xd2" + b"220 ready"
    said, rest = converse(socks5("example.org", 443), answers)
    assert said == b"\x05\x01\0" + b"\x05\x01\0\x03\x0bexample.org\x01\xbb"
    assert rest == b"220 ready"


def test_socks5_sends_addresses_as_such() -> None:
    answers = b"\x05\0" + GRANTED + b"\x01" + bytes(6)
    assert converse(socks5("127.0.0.1", 80), answers)[0][3:] == b"\x05\x01\0\x01\x7f\0\0\x01\0P"
    assert converse(socks5("::1", 80), answers)[0][6:9] == b"\x04\0\0"


def test_socks5_credentials() -> None:
    answers = b"\x05\x02" + b"\x01\0" + GRANTED + b"\x01" + bytes(6)
    said, _ = converse(socks5("a", 80, (b"me", b"secret")), answers)
    assert said.startswith(b"\x05\x02\0\x02" + b"\x01\x02me\x06secret" + b"\x05\x01\0\x03\x01a")
    unwanted = b"\x05\0" + GRANTED + b"\x01" + bytes(6)
    assert b"secret" not in converse(socks5("a", 80, (b"me", b"secret")), unwanted)[0]


@pytest.mark.parametrize(
    "answers, reason",
    [
        (b"\x05\xff", "it wants a username and a password"),
        (b"\x05\x02", "it chose authentication 2, which was not offered"),
        (b"HT", "it answered with version 72 instead of 5: not SOCKS5"),
        (b"\x05\0\x05\x05\0\x01", "it answered connection refused (5)"),
        (b"\x05\0\x05\x63\0\x01", "it answered an unknown code (99)"),
        (b"\x05\0\x05\0\0\x09", "it answered with an address of the unknown kind 9"),
        (b"\x05\0HTTP", "it answered with version 72 instead of 5: not SOCKS5"),
    ],
)
def test_socks5_refused(answers: bytes, reason: str) -> None:
    assert refusal(socks5("a", 80), answers).reason == reason


def test_socks5_credentials_refused() -> None:
    error = refusal(socks5("a", 80, (b"me", b"wrong")), b"\x05\x02\x01\x01")
    assert error.reason == "it does not accept the username and password"
    other = refusal(socks5("a", 80, (b"me", b"wrong")), b"\x05\xff")
    assert other.reason == "it wants another authentication"
    odd = refusal(socks5("a", 80, (b"me", b"wrong")), b"\x05\x02\x05\0")
    assert odd.reason == "it answered with version 5 instead of 1: not SOCKS5"


# -- SOCKS4a -----------------------------------------------------------------------------------


def test_socks4a() -> None:
    granted = b"\0\x5a" + bytes(6) + b"220 ready"
    said, rest = converse(socks4("example.org", 80, b"me"), granted)
    assert said == b"\x04\x01\0P\0\0\0\x01me\0example.org\0"
    assert rest == b"220 ready"
    assert converse(socks4("127.0.0.1", 80), granted)[0] == b"\x04\x01\0P\x7f\0\0\x01\0"
    assert converse(socks4("0.0.0.0", 80), granted)[0] == b"\x04\x01\0P" + bytes(5)


@pytest.mark.parametrize(
    "answer, reason",
    [
        (b"\0\x5b" + bytes(6), "it answered rejected, or failed (91)"),
        (b"\0\x07" + bytes(6), "it answered an unknown code (7)"),
        (b"HTTP/1.1", "it answered with version 72 instead of 0: not SOCKS4"),
    ],
)
def test_socks4a_refused(answer: bytes, reason: str) -> None:
    assert refusal(socks4("a", 80), answer).reason == reason


@pytest.mark.parametrize("host", ["::1", "0.0.0.1", "0.0.0.255"])
def test_socks4_has_no_way_to_send_it(host: str) -> None:
    """To a proxy 0.0.0.x means that a name follows: it would wait for one."""
    with pytest.raises(ValueError, match=f"no way to send the address {host}"):
        next(socks4(host, 80))


# -- what cannot be sent -----------------------------------------------------------------------


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "a\0b", "a\x7fb", "x" * 256, "\udc80"])
@pytest.mark.parametrize("protocol", [connect_tunnel, socks4, socks5])
def test_what_is_no_name_is_not_sent(protocol: type[Conversation], host: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        next(protocol(host, 80))  # type: ignore[call-arg]  # one of three functions


def test_credentials_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="no way to send a colon in 'a:b'"):
        HttpProxy("p", 1, username="a:b")
    with pytest.raises(ValueError, match="needs a username"):
        HttpProxy("p", 1, password="b")
    for value in ("a\r\nY: b", "a\rb", "a\nb", "a\0b"):
        with pytest.raises(ValueError, match="is not a header field"):
            HttpProxy("p", 1, headers={"X": value})
    for username, password in (("a", None), (None, "a"), ("a" * 256, "b")):
        with pytest.raises(ValueError, match="1 to 255 bytes each"):
            Socks5Proxy("p", 1, username=username, password=password)
    with pytest.raises(ValueError, match="null byte"):
        Socks4Proxy("p", 1, username="a\0b")


# -- URLs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url, kind",
    [
        ("http://proxy.example", "HTTP proxy proxy.example:80"),
        ("http://me:a%3Ab@[::1]:3128/", "HTTP proxy [::1]:3128"),
        ("https://proxy.example", "HTTP proxy proxy.example:443"),
        ("socks5://me:secret@proxy.example", "SOCKS5 proxy proxy.example:1080"),
        ("socks5h://proxy.example:9050", "SOCKS5 proxy proxy.example:9050"),
        ("socks4a://me@proxy.example", "SOCKS4a proxy proxy.example:1080"),
    ],
)
def test_a_proxy_from_its_url(url: str, kind: str) -> None:
    assert repr(proxy_from_url(url)) == kind


def test_credentials_in_a_url_are_percent_encoded() -> None:
    socks = proxy_from_url("socks5://m%65:a%3Ab@proxy.example")
    assert isinstance(socks, Socks5Proxy)
    answers = b"\x05\x02" + b"\x01\0" + GRANTED + b"\x01" + bytes(6)
    assert b"\x01\x02me\x03a:b" in converse(socks._converse("a", 80), answers)[0]


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example:3128",
        "http://proxy.example?query",
        "http://proxy.example#fragment",
        "ftp://me:secret@proxy.example",
        "http://",
        "http://me:secret@proxy.example/path",
        "socks4a://me:secret@proxy.example",
        "socks5://proxy.example:99999",
        "http://proxy.example:0",
        # Credentials that should have been percent-encoded.
        "http://me:secret/slash@proxy.example",
        "http://me:secret#hash@proxy.example",
        "http://me:secret?mark@proxy.example",
        "http://me:[secret]brackets@proxy.example",
        "http://me:secret\u2100unicode@proxy.example",
    ],
)
def test_a_url_of_no_proxy(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        proxy_from_url(url)
    assert "secret" not in "".join(format_exception_only(caught.value))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
