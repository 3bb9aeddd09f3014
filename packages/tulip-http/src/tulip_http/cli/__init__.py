"""The command line: ``tulip-http URL...`` fetches all of them at the same time.

In reading order: `_options` (what can be asked for), `_progress` (bars for what takes long),
`_fetch` (one URL, and its line), `_main` (all of them).
"""

from tulip_http.cli._main import main

__all__ = ["main"]
