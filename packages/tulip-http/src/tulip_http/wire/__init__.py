"""Protocols without I/O: bytes in, events out, and the other way around.

In reading order: `_serialize` (a request), `_http1` (parse a response), `_plain` (most responses,
read at one go), `_head` (what a response begins with), `_mend` (a head that can be understood
although llhttp refused it), `_explain` (what was wrong with a response that was refused).
"""
