"""TLS: a context to verify with, and two ways to run it behind one class.

In reading order: `_context` (whom to trust), `_failures` (OpenSSL's errors in our words),
`_transport` (what both ways share: `SslTransport`), `_on_descriptor` (OpenSSL reads and writes the
socket itself: a quarter less CPU), `_over_transport` (through memory, over anything), `_start`
(the choice, and the handshake).

The standard library's `ssl` costs 7 ms to import, so it is loaded with the first context; the two
ways are, with the first handshake.
"""

from tulip_net.tls._context import client_context, server_context
from tulip_net.tls._start import start_tls
from tulip_net.tls._transport import SslTransport

__all__ = ["SslTransport", "client_context", "server_context", "start_tls"]
