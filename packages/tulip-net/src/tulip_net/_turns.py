"""When those who receive let the others run, though there is more to receive.

A receive that need not wait switches no task. But a peer that sends as fast as we take it would
keep all other tasks, the timers and the other connections waiting for as long as it likes: beside
one that sent zeros over loopback a timer came four seconds late. So the others have a turn after
about a mebibyte of receives that found all they had asked for.
"""

from typing import Final

__all__ = ["CALL", "TURN"]

TURN: Final = 1024 * 1024
"""Bytes. A turn costs a round of the loop, some 3 % of receiving so many."""

CALL: Final = 2048
"""Bytes that the call itself counts for, or small receives would be far too many."""
