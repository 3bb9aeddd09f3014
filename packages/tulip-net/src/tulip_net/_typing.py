"""Names that type checkers know on every Python, and Python itself only from 3.12 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):
        """Mark a method that replaces one of a base class; `typing.override` from 3.12 on."""
        return method


__all__ = ["override"]
