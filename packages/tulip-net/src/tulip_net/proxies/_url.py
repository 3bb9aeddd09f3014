"""Proxies by URL, as people write them into configurations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tulip_net._create_transport import Connector, create_transport
from tulip_net.proxies._http import HttpProxy
from tulip_net.proxies._socks4 import Socks4Proxy
from tulip_net.proxies._socks5 import Socks5Proxy

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["proxy_from_url"]

PORTS = {"http": 80, "https": 443, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
"""The schemes, and their ports. Those of SOCKS are the common ones: nothing registers them."""


def proxy_from_url(url: str, *, through: Connector | None = None) -> Connector:
    """Make a proxy from a URL such as ``socks5://user:password@proxy.example:1080``.

    Args:
        url: Its scheme is ``http``, ``https`` (an HTTP proxy spoken to over TLS), ``socks4a``,
            ``socks5`` or ``socks5h`` (the same here: it is the proxy that looks names up).
            Credentials are percent-encoded.
        through: Connects to the proxy; default: `create_transport`.

    Raises:
        ValueError: The URL is no proxy's; the message does not show its password.
    """
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # whose text may show a part of a password
        raise ValueError("a proxy's URL has a host, and perhaps a port up to 65535") from None
    port = _check(parts, port)
    host = parts.hostname or ""
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    if parts.scheme == "socks4a":
        if password is not None:
            raise ValueError("SOCKS4a has no passwords")
        return Socks4Proxy(host, port, username=username or "", through=through)
    if parts.scheme in {"socks5", "socks5h"}:
        return Socks5Proxy(host, port, username=username, password=password, through=through)
    if parts.scheme == "https":
        through = partial(create_transport, ssl=True, proxy=through)
    return HttpProxy(host, port, username=username, password=password, through=through)


def _check(parts: SplitResult, port: int | None) -> int:
    if parts.scheme not in PORTS:
        known = ", ".join(PORTS)
        raise ValueError(f"a proxy's URL begins with one of {known}, got {parts.scheme!r}")
    if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        # Not what was found: a password with a slash in it would be taken for host and path.
        raise ValueError("a proxy's URL has a host, and nothing after its port")
    return PORTS[parts.scheme] if port is None else port
