"""Say what is wrong with a response head that llhttp refused.

llhttp gives a reason ("Invalid character in Content-Length") and no value. A person needs the
value, so the head is read again here, slowly, for the faults that occur in the wild.
"""

from __future__ import annotations

import re
from typing import Final

_SHOWN: Final = 120  # bytes of a value that fit a line of a log
_STATUS_LINE: Final = rb"HTTP/1\.[01] \d{3}(?: [^\r\n]*)?"

# RFC 8446 section 5.1: an alert or a handshake, of any version.
_TLS: Final = rb"[\x15\x16]\x03[\x00-\x04]"


def explain(head: bytes, reason: str) -> str:
    """Return a message that names the offending line.

    Args:
        head: What has come of the head; empty where the fault is in the body.
        reason: llhttp's own words.
    """
    if not head:
        return f"the response body is not valid: {reason}"
    lines = re.split(rb"\r?\n", head.lstrip(b"\r\n"))
    if re.match(_TLS, head):
        return f"the server speaks TLS, so that its URL begins with https: {_shown(head)} came"
    if not re.fullmatch(_STATUS_LINE, lines[0]):
        return f"the status line {_shown(lines[0])} is not HTTP/1: {reason}"
    fields = lines[1 : lines.index(b"", 1)] if b"" in lines[1:] else lines[1:]
    fault = _content_length_fault(fields) or _field_fault(fields)
    return f"{fault or 'the response head is not valid'}: {reason}"


def _field_fault(fields: list[bytes]) -> str | None:
    for field in fields:
        name, colon, value = field.partition(b":")
        if field[:1] in {b" ", b"\t"}:
            return f"the header line {_shown(field)} continues the line before it"
        if not colon:
            return f"the header line {_shown(field)} has no colon"
        if not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            return f"the header name {_shown(name)} is not a token"
        if re.search(rb"[\0-\x08\x0a-\x1f\x7f]", value):
            return f"the header {_shown(field)} contains a control character"
    return None


def _content_length_fault(fields: list[bytes]) -> str | None:
    found = [f.partition(b":") for f in fields]
    lengths = [value.strip() for name, _, value in found if name.lower() == b"content-length"]
    for length in lengths:
        if not re.fullmatch(rb"[0-9]+", length):
            return f"Content-Length {_shown(length)} is not a length"
    if len(lengths) > 1:
        return f"Content-Length is given {len(lengths)} times: {_shown(b', '.join(lengths))}"
    codings = [name for name, _, _ in found if name.lower() == b"transfer-encoding"]
    if lengths and codings:
        return f"Content-Length {_shown(lengths[0])} conflicts with Transfer-Encoding"
    return None


def _shown(value: bytes) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + b"...")
