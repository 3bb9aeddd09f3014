"""TLS: a context to verify with, and a transport over any other.

In reading order: `_context` (whom to trust), `_failures` (OpenSSL's errors in our words), `_turns`
(one task at a time), `_carrier` (between OpenSSL's memory and the transport below), `_receiving`,
`_facts` (what is known of a connection), `_transport` (`SslTransport`), `_start` (the handshake).

The standard library's `ssl` costs 7 ms to import, so it is loaded with the first context.
"""

from tulip_net.tls._context import client_context, server_context
from tulip_net.tls._start import start_tls
from tulip_net.tls._transport import SslTransport

__all__ = ["SslTransport", "client_context", "server_context", "start_tls"]
