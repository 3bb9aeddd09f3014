"""Tools for tests of programs that use transports. Public API, like the rest.

In reading order: `_memory` (two transports joined by memory), `_faults` (a transport that is slow
and unreliable, by a seed), `_exchange` (small steps), `_check` (what a check is), `_conformance`,
`_closing`, `_moments` and `_sending` (what every transport must do), `_endurance` (what it must do
for a long time).
"""

from tulip_net.testing._check import Check, MakePair
from tulip_net.testing._conformance import HALF_CLOSE_CHECKS, TRANSPORT_CHECKS
from tulip_net.testing._endurance import ENDURANCE_CHECKS
from tulip_net.testing._faults import FaultyTransport
from tulip_net.testing._memory import MemoryTransport, memory_pair

__all__ = [
    "ENDURANCE_CHECKS",
    "HALF_CLOSE_CHECKS",
    "TRANSPORT_CHECKS",
    "Check",
    "FaultyTransport",
    "MakePair",
    "MemoryTransport",
    "memory_pair",
]
