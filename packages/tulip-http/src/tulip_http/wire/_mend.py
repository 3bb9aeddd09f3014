"""Mend what llhttp refuses in a response's head, where RFC 9112 tells a client to, or lets it.

Two things that curl and browsers take, and that leave no doubt about where the message ends:

- A value that goes on in the next line, after a blank. A user agent must read that as one space
  (RFC 9112 section 5.2). Not in a field that says how long the body is: some read the line alone.
- The same Content-Length several times, or as a list ("2, 2"): it is one (RFC 9110 section 8.6).

This is the way of few responses; it costs the others nothing.
"""

from __future__ import annotations

import re
from typing import Final

_END: Final = rb"\r?\n\r?\n"
_INTERIM: Final = rb"(?s)HTTP/1\.[01] 1(?!01)\d\d[ \r\n].*?\r?\n\r?\n"
_BLANK: Final = (b" ", b"\t")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


def mend(head: bytes) -> bytes | None:
    """Return a head, and what follows it, in a form that llhttp takes.

    Args:
        head: What has come. Interim answers before it were read, and are left out.

    Returns:
        None where there is nothing to mend, and ``b""`` where there is and more has to come.
    """
    while (interim := re.match(_INTERIM, head)) is not None:
        head = head[interim.end() :]
    end = re.search(_END, head)
    status_line, *lines = re.split(rb"\r?\n", head[: end.start()] if end else head)
    lengths = b",".join(line for line in lines if _name(line) == b"content-length")
    if not any(line.startswith(_BLANK) for line in lines) and b"," not in lengths:
        return None
    unfolded = _unfolded(lines)
    if unfolded is None:
        return None
    if end is None:
        return b""
    return b"\r\n".join([status_line, *_with_one_length(unfolded), b"", head[end.end() :]])


def ends(head: bytes, fresh: int) -> bool:
    """Say whether the last ``fresh`` bytes may have completed a head."""
    return re.search(_END, head[-fresh - 3 :]) is not None


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


def _unfolded(lines: list[bytes]) -> list[bytes] | None:
    unfolded: list[bytes] = []
    for line in lines:
        if not line.startswith(_BLANK):
            unfolded.append(line)
        elif not unfolded or _name(unfolded[-1]) in _FRAMING:
            return None
        else:
            unfolded[-1] = unfolded[-1].rstrip() + b" " + line.strip()
    return unfolded


def _with_one_length(lines: list[bytes]) -> list[bytes]:
    found = [line for line in lines if _name(line) == b"content-length"]
    values = {value.strip() for line in found for value in line.partition(b":")[2].split(b",")}
    if len(values) != 1:
        return lines  # which one? llhttp refuses them
    return [*(line for line in lines if line not in found), b"Content-Length: " + values.pop()]
