"""Servers in memory, for tests of programs that use `tulip_http.Client`. Public API.

A client is given one as ``Client(connect=server.connect)``; everything else is as in earnest: the
pool, the timeouts, and every byte of HTTP. No descriptor is used, so that time can be virtual
(`tulip_sched.testing`).

In reading order: `_answer` (what a server says), `_mock` (a function from request to answer),
`_recording` (what was said before, again), `_script` (bytes, at the right or the wrong moment).
"""

from tulip_http.testing._answer import Answer
from tulip_http.testing._mock import Handler, MockServer
from tulip_http.testing._recording import Recording
from tulip_http.testing._script import ScriptedServer, Step

__all__ = ["Answer", "Handler", "MockServer", "Recording", "ScriptedServer", "Step"]
