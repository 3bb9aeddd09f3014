"""What a stranger does to test a protocol without a network: memory, and bad luck by a seed.

Run with two files that it does not need.
"""

from typing import assert_type

from tulip_net import BufferedReader, Gen, Transport, coroutine, run
from tulip_net.testing import (
    ENDURANCE_CHECKS,
    HALF_CLOSE_CHECKS,
    TRANSPORT_CHECKS,
    Check,
    FaultyTransport,
    MakePair,
    MemoryTransport,
    memory_pair,
)


@coroutine
def talk_in_memory() -> Gen[bytes]:
    """Use two transports that no kernel knows."""
    ours, theirs = memory_pair()
    assert_type(ours, MemoryTransport)
    shaky: Transport = FaultyTransport(ours, seed=1)
    yield from shaky.send(b"a line\n")
    line = yield from BufferedReader(theirs).readline()
    shaky.close()
    theirs.close()
    return line


@coroutine
def make() -> Gen[tuple[Transport, Transport]]:
    """Make what is to be checked."""
    yield from ()
    return memory_pair()


if __name__ == "__main__":
    assert run(talk_in_memory()) == b"a line\n"
    maker: MakePair = make
    checks: list[Check] = [*TRANSPORT_CHECKS, *HALF_CLOSE_CHECKS]
    for check in checks:
        run(check(maker))
    lasting: tuple[Check, ...] = ENDURANCE_CHECKS
    assert_type(lasting[0], Check)
