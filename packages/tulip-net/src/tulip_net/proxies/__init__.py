"""Proxies: connectors made from connectors.

In reading order: `_conversation` (how any proxy is spoken to, with the protocol apart from the
I/O), `_http` (CONNECT), `_socks5`, `_socks4`, `_url` (all of them by a URL).
"""

from tulip_net.proxies._http import HttpProxy
from tulip_net.proxies._socks4 import Socks4Proxy
from tulip_net.proxies._socks5 import Socks5Proxy
from tulip_net.proxies._url import proxy_from_url

__all__ = ["HttpProxy", "Socks4Proxy", "Socks5Proxy", "proxy_from_url"]
