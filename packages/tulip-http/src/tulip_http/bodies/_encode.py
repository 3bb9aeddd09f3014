"""What a caller passes as a body becomes bytes, and the header that says what they are.

One of three arguments: ``content`` goes out as it is, ``data`` as a form, ``json`` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Primitive: TypeAlias = str | int | float | bool | None
ParamTypes: TypeAlias = (
    str | Mapping[str, Primitive | Sequence[Primitive]] | Iterable[tuple[str, Primitive]]
)
"""What is accepted for a query and for a form: text as it is, a mapping, or pairs."""

ContentTypes: TypeAlias = bytes | bytearray | memoryview | str
"""What is accepted as ``content``; text is sent as UTF-8."""


def encode_body(
    content: ContentTypes | None, data: ParamTypes | None, json: object
) -> tuple[bytes | None, bytes | None]:
    """Return the body, None where there is none, and its media type, None where nothing is known.

    Raises:
        TypeError: More than one of the three, or something that cannot be sent.
    """
    if content is None and data is None and json is None:
        return None, None
    if sum(argument is not None for argument in (content, data, json)) > 1:
        raise TypeError("a request has one body: content, data or json, not several of them")
    if content is not None:
        return _bytes(content), None
    if data is not None:
        return encode_pairs(data).encode("ascii"), b"application/x-www-form-urlencoded"
    from json import dumps

    text = dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(), b"application/json"


def encode_pairs(fields: ParamTypes) -> str:
    """Return a query or form, escaped.

    Text goes out as it is, with what has no place in a query escaped. Of pairs, None becomes "",
    booleans "true" and "false", and a sequence of values repeats its name.
    """
    from urllib.parse import quote, urlencode

    if isinstance(fields, str):
        return quote(fields, safe="!$&'()*+,;=:@/?%-._~[]")
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    flat = []
    for name, value in pairs:
        if isinstance(value, Sequence) and not isinstance(value, str):
            flat += [(name, _primitive(each)) for each in value]
        else:
            flat.append((name, _primitive(value)))
    return urlencode(flat)


def _primitive(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _bytes(content: ContentTypes) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise TypeError(f"content must be bytes or text, got {type(content).__name__}")
