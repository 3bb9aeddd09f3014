"""What a message costs the kernel: one wait, one receive, one send. Counted, not timed."""

import sys
from pathlib import Path

import pytest

from tests.poll.programs.echo import MESSAGES
from tests.poll.tracing import system_calls

PROGRAMS = Path(__file__).with_name("programs")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
def test_an_echo_costs_one_wait_one_receive_and_one_send_per_message(tmp_path: Path) -> None:
    """Registrations stay: there is no call to the kernel for them in the steady state."""
    calls = system_calls(PROGRAMS / "echo.py", tmp_path, begin="begin", end="end")
    # Both ends are the program's. The first message was sent before, the last is not echoed on.
    messages = 2 * MESSAGES
    assert calls == {"epoll_wait": messages, "recvfrom": messages, "sendto": messages - 1}
