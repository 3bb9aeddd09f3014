"""The logger of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["logger"]


def logger() -> logging.Logger:
    """Return the logger ``tulip_net``. Its module costs 5 ms, and only servers need it."""
    import logging

    return logging.getLogger("tulip_net")
