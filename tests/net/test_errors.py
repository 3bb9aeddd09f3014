"""Errors name the values and travel between processes."""

import pickle

import pytest

from tulip_net import (
    BrokenError,
    CertificateError,
    ConnectError,
    IncompleteReadError,
    LimitError,
    NetError,
    ProxyError,
    ResolveError,
    TlsError,
    TruncatedError,
)

REFUSED = OSError(111, "Connection refused")

MESSAGES = [
    (BrokenError("gone"), "gone"),
    (TlsError("bad record"), "bad record"),
    (TruncatedError("cut"), "cut"),
    (IncompleteReadError(b"abc", 5), "the stream ended after 3 of 5 bytes"),
    (IncompleteReadError(b"abc"), "the stream ended before the separator, after b'abc'"),
    (IncompleteReadError(b""), "the stream ended, and nothing more had come"),
    (IncompleteReadError(b"", 5, "<X>"), "<X> ended after 0 of 5 bytes"),
    (LimitError(4, b"abcde"), "no separator within the limit of 4 bytes; it begins b'abcde'"),
    (ResolveError("x.invalid", "no such name"), "cannot resolve 'x.invalid': no such name"),
    (
        ConnectError("x:80", (("[::1]:80", REFUSED), ("127.0.0.1:80", REFUSED))),
        "cannot connect to x:80: [::1]:80: Connection refused; 127.0.0.1:80: Connection refused",
    ),
    (
        ConnectError("127.0.0.1:1", (("127.0.0.1:1", REFUSED),)),
        "cannot connect to 127.0.0.1:1: Connection refused",
    ),
    (
        ProxyError("SOCKS5 proxy p:1080", "x:80", "it answered connection refused (5)", 5),
        "SOCKS5 proxy p:1080 does not connect to x:80: it answered connection refused (5)",
    ),
    (CertificateError("x", "expired"), "the certificate of 'x' does not verify: expired"),
    (CertificateError(None, "expired"), "the certificate of the client does not verify: expired"),
]


@pytest.mark.parametrize("error, message", MESSAGES)
def test_messages_name_the_values(error: NetError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("error", [error for error, _ in MESSAGES])
def test_errors_pickle(error: NetError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy).keys() == vars(error).keys()


def test_one_except_is_enough() -> None:
    assert all(isinstance(error, NetError) for error, _ in MESSAGES)
