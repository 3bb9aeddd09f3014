"""Header fields: several values to a name, any case, in the order and case they came in.

They are kept as the pairs of bytes that go over the wire. An index by lower-case name is built at
the first look-up, and the block of bytes that is sent is built once and shared by copies: most
responses are asked for one or two fields, and most requests send the client's own fields unchanged.

Source: RFC 9110 section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Final, TypeAlias, final

from tulip_http._errors import LocalProtocolError
from tulip_http._typing import override

# RFC 9110 section 5.6.2: the characters of a token.
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110 section 5.5: these three end a line or a string in some reader on the way, so a value
# that contains one can begin a field, or a request, of its own.
_FORBIDDEN: Final = re.compile(rb"[\r\n\0]")
_SECRET: Final = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})

_Pairs: TypeAlias = Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
HeaderTypes: TypeAlias = "Headers | Mapping[str, str] | Mapping[bytes, bytes] | _Pairs"
"""What is accepted wherever headers are given."""


@final
class Headers(MutableMapping[str, str]):
    """Header fields, as a mapping from a name in any case to its value.

    A name that occurs several times has all its values, joined by ``", "``, under
    ``headers[name]``, and separately in `get_list`. (``Set-Cookie`` cannot be joined: dates in it
    contain commas. Use `get_list`.) Text is sent as Latin-1, and read as UTF-8 where it is that,
    else as Latin-1.

    Args:
        fields: A mapping, pairs, or other headers; text or bytes.

    Raises:
        LocalProtocolError: A name is not a token, or a value contains CR, LF, NUL, or a character
            beyond Latin-1 (pass bytes to choose an encoding yourself).
    """

    __slots__ = ("_block", "_index", "_pairs")

    def __init__(self, fields: HeaderTypes | None = None) -> None:
        self._index: dict[bytes, list[bytes]] | None = None
        self._block: bytes | None = None
        if isinstance(fields, Headers):
            self._pairs: list[tuple[bytes, bytes]] = fields._pairs
            return
        pairs = fields.items() if isinstance(fields, Mapping) else fields or ()
        self._pairs = [(_name(name), _value(name, value)) for name, value in pairs]

    @classmethod
    def from_wire(cls, pairs: list[tuple[bytes, bytes]]) -> Headers:
        """Wrap pairs that a parser has checked; the list is taken over, not copied."""
        headers = cls.__new__(cls)
        headers._pairs = pairs
        headers._index = None
        headers._block = None
        return headers

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """A copy of the pairs, as bytes, in order."""
        return self._pairs.copy()

    def get_list(self, name: str) -> list[str]:
        """Return each value of ``name`` separately; empty where there is none."""
        return [_text(value) for value in self._values(name)]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return all pairs in order, a name as often as it occurs."""
        return [(name.decode("ascii"), _text(value)) for name, value in self._pairs]

    def add(self, name: str | bytes, value: str | bytes) -> None:
        """Append a field, and keep those of the same name.

        Raises:
            LocalProtocolError: As for the class.
        """
        self._pairs = [*self._pairs, (_name(name), _value(name, value))]
        self._changed()

    def copy(self) -> Headers:
        """Return headers of their own with the same fields."""
        # All three are replaced, never changed in place, so copies can share them: what a client
        # sends with each request is looked through and put together once.
        headers = Headers.__new__(Headers)
        headers._pairs = self._pairs
        headers._index = self._index or self._indexed()
        headers._block = self._block or self.block()
        return headers

    def block(self) -> bytes:
        """Return the fields as they are sent, each with its line end, without the empty line."""
        if self._block is None:
            self._block = b"".join([b"%b: %b\r\n" % pair for pair in self._pairs])
        return self._block

    def has(self, name: bytes) -> bool:
        """Say whether there is a field with this name, given in lower case."""
        index = self._index
        return name in (self._indexed() if index is None else index)

    def lack(self, names: frozenset[bytes]) -> bool:
        """Say whether there is no field with one of these names, given in lower case."""
        index = self._index
        return names.isdisjoint(self._indexed() if index is None else index)

    @override
    def __getitem__(self, name: str) -> str:
        values = self._values(name)
        if not values:
            raise KeyError(name)
        return _text(values[0]) if len(values) == 1 else ", ".join(map(_text, values))

    @override
    def __setitem__(self, name: str, value: str | bytes) -> None:
        """Replace all fields of this name by one, in the place of the first."""
        pair = (_name(name), _value(name, value))
        key = pair[0].lower()
        kept = [other for other in self._pairs if other[0].lower() != key]
        at = next((i for i, other in enumerate(self._pairs) if other[0].lower() == key), len(kept))
        kept.insert(at, pair)
        self._pairs = kept
        self._changed()

    @override
    def __delitem__(self, name: str) -> None:
        key = _name(name).lower()
        kept = [pair for pair in self._pairs if pair[0].lower() != key]
        if len(kept) == len(self._pairs):
            raise KeyError(name)
        self._pairs = kept
        self._changed()

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._values(name))

    @override
    def __iter__(self) -> Iterator[str]:
        """Yield each distinct name once, in the case of its first occurrence."""
        seen = set()
        for name, _ in self._pairs:
            if name.lower() not in seen:
                seen.add(name.lower())
                yield name.decode("ascii")

    @override
    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    @override
    def __eq__(self, other: object) -> bool:
        """Compare with headers, a mapping, or pairs: names in any case, values as text.

        Text and bytes are the same if they read the same, whatever the encoding they came in; the
        values of one name must have one order. What is no headers is unequal.
        """
        if isinstance(other, Headers):
            return self._pairs == other._pairs or _read(self._pairs) == _read(other._pairs)
        # To compare must not take anything from an iterator.
        if isinstance(other, (str, bytes, Iterator)) or not isinstance(other, Iterable):
            return NotImplemented
        try:
            theirs = _read(other.items() if isinstance(other, Mapping) else other)
        except (TypeError, ValueError):
            return NotImplemented
        return _read(self._pairs) == theirs

    __hash__ = None  # type: ignore[assignment]  # mutable

    @override
    def __repr__(self) -> str:
        """Show the fields, without credentials: reprs end up in logs."""
        shown = [
            (name.decode("ascii"), "[secure]" if name.lower() in _SECRET else _text(value))
            for name, value in self._pairs
        ]
        return f"Headers({shown!r})"

    @override
    def __reduce__(self) -> tuple[type[Headers], tuple[list[tuple[bytes, bytes]]]]:
        return Headers, (self._pairs,)

    def _values(self, name: str) -> list[bytes]:
        try:
            return self._indexed().get(name.encode("ascii").lower(), [])
        except UnicodeEncodeError:
            return []

    def _indexed(self) -> dict[bytes, list[bytes]]:
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self._pairs:
                index.setdefault(name.lower(), []).append(value)
        return index

    def _changed(self) -> None:
        self._index = self._block = None


def _name(name: str | bytes) -> bytes:
    raw = name.encode("latin-1", "replace") if isinstance(name, str) else bytes(name)
    if not _TOKEN.fullmatch(raw):
        raise LocalProtocolError(f"header name {name!r} is not a token (RFC 9110 section 5.6.2)")
    return raw


def _value(name: str | bytes, value: str | bytes) -> bytes:
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"header {name!r} must be text or bytes, got {value!r}")
    try:
        raw = value.encode("latin-1") if isinstance(value, str) else value
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"header {name!r} is not Latin-1: {value!r}") from error
    if _FORBIDDEN.search(raw):
        raise LocalProtocolError(f"header {name!r} contains CR, LF or NUL: {value!r}")
    return raw.strip(b" \t")


def _read(pairs: Iterable[tuple[object, object]]) -> dict[bytes, list[str]]:
    """Return each name's values as one reads them; raises where these are no pairs of text."""
    texts: dict[bytes, list[str]] = {}
    for name, value in pairs:
        raw = name.encode("ascii") if isinstance(name, str) else name
        if not isinstance(raw, bytes) or not isinstance(value, (str, bytes)):
            raise TypeError(f"neither text nor bytes: {name!r}, {value!r}")
        text = value.strip(" \t") if isinstance(value, str) else _text(value)
        texts.setdefault(raw.lower(), []).append(text)
    return texts


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return text.strip(" \t")  # llhttp leaves the blanks at the end of a value
