"""``python -m tulip_http.cli`` is the same as ``tulip-http``."""

import sys

from tulip_http.cli import main

sys.exit(main())
