"""What a connection costs the kernel, from its acceptance to its end. Counted, not timed."""

import sys
from pathlib import Path

import pytest

from tests.net.programs.serve import CONNECTIONS
from tests.poll.tracing import system_calls

PROGRAM = Path(__file__).with_name("programs") / "serve.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
def test_a_connection_costs_nothing_but_what_happens_on_it(tmp_path: Path) -> None:
    """No call fails but the last accept, and nothing is asked that was known."""
    calls = system_calls(PROGRAM, tmp_path, begin="begin", end="end")
    waits = calls.pop("epoll_wait")
    assert waits < CONNECTIONS  # they are all ready together
    assert calls == {
        "accept4": CONNECTIONS + 1,  # the last finds nobody
        "getsockname": CONNECTIONS,  # CPython's own, for each socket object
        "ioctl": CONNECTIONS,  # non-blocking
        "recvfrom": 2 * CONNECTIONS,  # the message, and its end
        "sendto": CONNECTIONS,
        "epoll_ctl": 2 * CONNECTIONS + 1,  # each once and no more; and the listener
        "close": CONNECTIONS,
    }
