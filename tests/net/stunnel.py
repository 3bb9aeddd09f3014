"""stunnel as an opponent: it puts TLS around other people's connections, and takes it off.

Source: stunnel(8).
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.net.openssl import PATIENCE, free_port
from tests.opponents.need import program

CONFIGURATION = """\
foreground = yes
pid =
syslog = no
debug = notice
[test]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{target}
{options}
"""


@contextmanager
def stunnel(folder: Path, target: int, *options: str) -> Iterator[int]:
    """Run stunnel in front of a loopback port, for the length of the block; give its own port.

    Args:
        folder: For its configuration and its log.
        target: The port that it connects to.
        options: Lines of the configuration, such as ``"client = yes"``.
    """
    port = free_port()
    lines = "\n".join(options)
    configuration, log = folder / "stunnel.conf", folder / "stunnel.log"
    configuration.write_text(CONFIGURATION.format(port=port, target=target, options=lines))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program("stunnel", package="stunnel4"), configuration],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        # A connection to see whether it listens would go through to the target.
        deadline = time.monotonic() + PATIENCE
        while "Configuration successful" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"stunnel did not start:\n{log.read_text()}")
            time.sleep(0.005)
        yield port
    finally:
        process.kill()
        process.wait()
