"""HTTP/1.1 on the client's side, without I/O: a request becomes bytes.

Source: RFC 9112 sections 3 (request line), 5 (fields), 7.1 (chunks).
"""

from functools import lru_cache


def serialize_head(method: str, target: str, host: str | None, fields: bytes) -> bytes:
    """Return the bytes of a request's head.

    Args:
        method: A token, checked by `Request`.
        target: Path and query, escaped.
        host: Value of the Host field, or None where ``fields`` has one. It comes first, as RFC 9110
            section 7.2 asks.
        fields: The other fields, each with its line end.
    """
    return _first_lines(method, target, host) + fields + b"\r\n"


@lru_cache(maxsize=1024)  # the same URL is asked for again and again: 0.1 us, not 0.2
def _first_lines(method: str, target: str, host: str | None) -> bytes:
    line = f"{method} {target} HTTP/1.1\r\n"
    return (line if host is None else f"{line}Host: {host}\r\n").encode("latin-1")


def serialize_chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body (RFC 9112 section 7.1); ``data`` must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def serialize_last_chunk(trailers: bytes = b"") -> bytes:
    """Return what ends a chunked body: trailer fields, each with its line end, or none."""
    return b"0\r\n%b\r\n" % trailers
