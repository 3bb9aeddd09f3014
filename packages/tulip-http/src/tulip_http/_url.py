"""URLs by the WHATWG rules: what a browser would fetch is what is fetched here.

The rules are long and `ada_url` knows them all, but it costs 6 ms to import and 15 us to ask.
Nearly every URL a program fetches is plain already (lower-case ASCII, nothing to escape, no dot
segments), and for those the rules change nothing: they only cut the text in pieces. `_PLAIN`
accepts such URLs and nothing else, so the two ways cannot disagree; `tests/http/test_url.py`
compares them on random input. Everything else goes to `ada_url`.

Source: https://url.spec.whatwg.org/, RFC 3986.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, NoReturn, final

from tulip_http._errors import InvalidURL, UnsupportedProtocol
from tulip_http._typing import override

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# A host that the rules leave alone: an IPv4 address in its usual form, or labels whose last begins
# with a letter (else it might be a number, hence an address: "0x7f.1") and none of which may be
# Punycode ("xn--"), as that has to be checked.
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HOST: Final = (
    rf"(?:{_OCTET}\.){{3}}{_OCTET}"
    r"|(?!(?:[a-z0-9_-]+\.)*xn--)(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*"
)
# A path that the rules leave alone has no segment that begins with a dot, plain or escaped.
_PLAIN: Final = (
    rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?"
    r"((?:/(?!\.|%2[eE])[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(?:\?([A-Za-z0-9._~!$&()*+,;=:@/%?-]*))?"
    r"(?:\#([A-Za-z0-9._~!$&'()*+,;=:@/%?-]*))?"
)
_LINE_ENDS: Final = r"[\r\n\0]"


class Origin(NamedTuple):
    """What a connection is made to, and may be shared by: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @override
    def __str__(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"


@final
class URL:
    """An absolute http or https URL, taken apart. Immutable.

    Args:
        text: The URL, as a person or a page would write it: it is normalized (case of the host,
            escapes, dot segments, international names) as a browser does.

    Attributes:
        origin: Scheme, host (ASCII; an IPv6 address has no brackets) and port, never None.
        path: Begins with "/", escaped.
        query: Without its "?", escaped; None where there is none.
        fragment: Without its "#", escaped; never sent to a server.
        netloc: Host and port as the Host header wants them: the scheme's own port is left out.
        target: What goes into the request line: the path and the query.
        username: Percent-decoded, "" where there is none. So is ``password``.

    Raises:
        InvalidURL: ``text`` is not an absolute URL; the message says why.
        UnsupportedProtocol: The scheme is neither http nor https.
    """

    __slots__ = (
        "fragment",
        "netloc",
        "origin",
        "password",
        "path",
        "query",
        "target",
        "username",
    )

    origin: Origin
    path: str
    query: str | None
    fragment: str | None
    username: str
    password: str
    netloc: str
    target: str

    def __new__(cls, text: str | URL) -> URL:
        """Return the URL for ``text``; equal texts may give the same object."""
        if isinstance(text, str):
            return parse_url(text)
        if isinstance(text, URL):
            return text
        raise TypeError(f"a URL is text or a URL, got {text!r}")

    @override
    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a URL is immutable: cannot set {name!r} of {self!r}")

    @override
    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a URL is immutable: cannot delete {name!r} of {self!r}")

    @property
    def scheme(self) -> str:
        """Either "http" or "https"."""
        return self.origin.scheme

    @property
    def host(self) -> str:
        """The name or address to connect to, in ASCII, without brackets."""
        return self.origin.host

    @property
    def port(self) -> int:
        """The port to connect to, the scheme's own where the URL names none."""
        return self.origin.port

    @property
    def shown(self) -> str:
        """The URL as it may appear in messages and logs: without its password."""
        text = str(self)
        if not self.password:
            return text
        return text.replace(self._userinfo(), f"{self.username}:[secure]@", 1)

    def join(self, reference: str) -> URL:
        """Resolve a reference (a link, a Location header) found at this URL.

        Raises:
            InvalidURL: They do not make an absolute URL.
            UnsupportedProtocol: They make one that is neither http nor https.
        """
        if _plain().fullmatch(reference):
            return URL(reference)
        return _parse_by_the_rules(reference, base=str(self))

    def with_query(self, query: str | None) -> URL:
        """Return the same URL with another query (already escaped), or none."""
        text = f"{self.scheme}://{self._userinfo()}{self.netloc}{self.path}"
        text += "" if query is None else f"?{query}"
        return URL(text + ("" if self.fragment is None else f"#{self.fragment}"))

    def _userinfo(self) -> str:
        if not self.username and not self.password:
            return ""
        from urllib.parse import quote

        password = f":{quote(self.password, safe='')}" if self.password else ""
        return f"{quote(self.username, safe='')}{password}@"

    @override
    def __str__(self) -> str:
        fragment = "" if self.fragment is None else f"#{self.fragment}"
        return f"{self.scheme}://{self._userinfo()}{self.netloc}{self.target}{fragment}"

    @override
    def __repr__(self) -> str:
        """Show the URL without its password: reprs end up in logs."""
        return f"URL({self.shown!r})"

    @override
    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return str(self) == other
        return str(self) == str(other) if isinstance(other, URL) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(str(self))

    @override
    def __reduce__(self) -> tuple[type[URL], tuple[str]]:
        return URL, (str(self),)


@cache
def _plain() -> re.Pattern[str]:
    """Compile `_PLAIN`, which takes 0.6 ms, for the first URL."""
    return re.compile(_PLAIN)


@lru_cache(maxsize=1024)  # a program fetches few distinct URLs, again and again: 60 ns, not 2 us
def parse_url(text: str) -> URL:
    """Return the URL for a text, as `URL` does, with one call less."""
    plain = _plain().fullmatch(text)
    if plain is None:
        return _parse_by_the_rules(text)
    scheme, host, port, path, query, fragment = plain.groups()
    number = _DEFAULT_PORTS[scheme] if port is None else int(port)
    if number > 65535:
        raise InvalidURL(f"port {port} is out of range (0 to 65535) in URL {_shown(text)}")
    return _make(Origin(scheme, host, number), path or "/", query, fragment)


def _parse_by_the_rules(text: str, base: str | None = None) -> URL:
    import ada_url

    # The rules drop these silently, wherever they stand. A program whose URL contains a line end
    # was handed something it did not expect, most likely an attempt at a second request.
    if re.search(_LINE_ENDS, text.strip()):
        raise InvalidURL(f"a line end or NUL in URL {_shown(text)}")
    try:
        parsed = ada_url.URL(text, base)
    except (ValueError, UnicodeEncodeError) as error:
        raise InvalidURL(_reason(text)) from error
    scheme = parsed.protocol[:-1]
    if scheme not in _DEFAULT_PORTS:
        raise _unsupported(scheme, text)
    from urllib.parse import unquote

    origin = Origin(
        scheme,
        parsed.hostname.strip("[]"),
        int(parsed.port) if parsed.port else _DEFAULT_PORTS[scheme],
    )
    before_hash, hash_mark, fragment = parsed.href.partition("#")
    _, question_mark, query = before_hash.partition("?")
    return _make(
        origin,
        parsed.pathname,
        query if question_mark else None,
        fragment if hash_mark else None,
        unquote(parsed.username),
        unquote(parsed.password),
    )


def _make(
    origin: Origin,
    path: str,
    query: str | None,
    fragment: str | None,
    username: str = "",
    password: str = "",
) -> URL:
    netloc = _bracketed(origin.host)
    if origin.port != _DEFAULT_PORTS[origin.scheme]:
        netloc = f"{netloc}:{origin.port}"
    url = object.__new__(URL)
    put: Any = object.__setattr__  # past the refusal of URL.__setattr__
    put(url, "origin", origin)
    put(url, "path", path)
    put(url, "query", query)
    put(url, "fragment", fragment)
    put(url, "username", username)
    put(url, "password", password)
    put(url, "netloc", netloc)
    put(url, "target", path if query is None else f"{path}?{query}")
    return url


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def without_password(text: str) -> str:
    """Return what was given as a URL, valid or not, as it may appear in messages and logs."""
    return re.sub(r"(//[^/?#:]*):[^/?#]*@", r"\1:[secure]@", text)


def _shown(text: str) -> str:
    return repr(without_password(text))


def _unsupported(scheme: str, text: str) -> UnsupportedProtocol:
    return UnsupportedProtocol(f"scheme {scheme!r} is neither http nor https in URL {_shown(text)}")


def _reason(text: str) -> str:
    """Say what is wrong with a text that the rules refuse; `ada_url` only says that it is."""
    if not _is_unicode(text):
        return f"a lone surrogate, which is not valid in URL {_shown(text)}"
    parts = re.match(r"\s*(?:([A-Za-z][A-Za-z0-9+.-]*):)?(/*)([^/?#]*)", text)
    assert parts is not None, "every part is optional"
    scheme, slashes, authority = parts.groups()
    if scheme is None or (not slashes and scheme.lower() not in _DEFAULT_PORTS):
        return f"no scheme (such as https://) in URL {_shown(text)}"
    host, port = _split_port(authority.rpartition("@")[2])
    if not host:
        return f"no host in URL {_shown(text)}"
    if port and not (port.isascii() and port.isdigit()):
        return f"port {port!r} is not a number in URL {_shown(text)}"
    if port and int(port) > 65535:
        return f"port {port} is out of range (0 to 65535) in URL {_shown(text)}"
    if host.startswith("[") and "%" in host:
        return f"host {host!r} has a zone, which is not valid in URL {_shown(text)}"
    return f"host {host!r} is not valid in URL {_shown(text)}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split_port(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, _, rest = authority.partition("]")
        return host + "]", rest.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port
