"""What a caller passes as a body becomes bytes, and the header that says what they are.

One of three arguments: ``content`` goes out as it is, ``data`` as a form, ``json`` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from tulip_http._errors import LocalProtocolError

Primitive: TypeAlias = str | bytes | int | float | bool | None
ParamTypes: TypeAlias = (
    str | Mapping[str, Primitive | Sequence[Primitive]] | Iterable[tuple[str, Primitive]]
)
"""What is accepted for a query and for a form: text as it is, a mapping, or pairs."""

DataTypes: TypeAlias = ParamTypes | bytes
"""What is accepted as ``data``: a form, or one that is encoded already, which goes out as it is."""

ContentTypes: TypeAlias = bytes | bytearray | memoryview | str
"""What is accepted as ``content``; text is sent as UTF-8."""


_HINT: Final = "a body that is sent as it is (a file, an iterable) is content"


def encode_body(
    content: ContentTypes | None, data: DataTypes | None, json: object
) -> tuple[bytes | None, bytes | None]:
    """Return the body, None where there is none, and its media type, None where nothing is known.

    Raises:
        TypeError: More than one of the three, or something that cannot be sent.
        LocalProtocolError: Text that is not Unicode.
    """
    if content is None and data is None and json is None:
        return None, None
    if sum(argument is not None for argument in (content, data, json)) > 1:
        raise TypeError("a request has one body: content, data or json, not several of them")
    if content is not None:
        return _bytes(content), None
    if data is not None:
        # Text is what curl -d and requests take for a form that is ready: nothing is escaped.
        body = _bytes(data) if isinstance(data, (str, bytes)) else encode_pairs(data).encode()
        return body, b"application/x-www-form-urlencoded"
    from json import dumps

    text = dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return encoded(text), b"application/json"


def encode_pairs(fields: ParamTypes) -> str:
    """Return a query or form, escaped.

    Text goes out as it is, with what has no place in a query escaped. Of pairs, None becomes "",
    booleans "true" and "false", bytes are taken for text, and several values repeat their name.

    Raises:
        TypeError: They are neither text, nor a mapping, nor pairs; or a value is a mapping.
        LocalProtocolError: Text that is not Unicode.
    """
    from urllib.parse import quote, urlencode

    try:
        if isinstance(fields, str):
            return quote(fields, safe="!$&'()*+,;=:@/?%-._~[]")
        return urlencode(flat_pairs(fields))
    except UnicodeEncodeError as error:
        raise _not_unicode(error) from error


def flat_pairs(fields: object) -> list[tuple[str, str | bytes]]:
    """Return a pair for each value of a mapping or of pairs.

    Raises:
        TypeError: As for `encode_pairs`.
    """
    pairs: object = fields.items() if isinstance(fields, Mapping) else fields
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise TypeError(f"fields are a mapping or pairs, got {fields!r}: {_HINT}")
    flat = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"fields are a mapping or pairs, got {pair!r} for a pair: {_HINT}")
        flat += [(_text(pair[0]), _primitive(value)) for value in _values(*pair)]
    return flat


def _values(name: object, value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        raise TypeError(f"a field has one value or several, got a mapping for {name!r}")
    return value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]


def _primitive(value: object) -> str | bytes:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, bytes) else _text(value)


def _text(value: object) -> str:
    # Of an enumeration of text, its value: str() of it is its name, for which nobody asks.
    return str.__str__(value) if isinstance(value, str) else str(value)


def _bytes(content: ContentTypes) -> bytes:
    if isinstance(content, str):
        return encoded(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise TypeError(f"content must be bytes or text, got {type(content).__name__}")


def encoded(text: str, errors: str = "strict") -> bytes:
    """Return text as UTF-8.

    Raises:
        LocalProtocolError: It is not Unicode.
    """
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        raise _not_unicode(error) from error


def _not_unicode(error: UnicodeEncodeError) -> LocalProtocolError:
    return LocalProtocolError(f"{error.object!r} cannot be sent: {error.reason}")
