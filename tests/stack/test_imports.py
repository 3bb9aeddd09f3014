"""What an import does not load: the time that it takes, held without a clock."""

import subprocess
import sys

import pytest

from tests.stack.workspace import LAYERS

LEFT_OUT = {
    "ada_url",
    "argparse",
    "ast",
    "asyncio",
    "base64",
    "concurrent.futures",
    "dataclasses",
    "datetime",
    "email",
    "http.client",
    "importlib.metadata",
    "importlib.util",
    "inspect",
    "ipaddress",
    "json",
    "logging",
    "mimetypes",
    "pathlib",
    "platform",
    "random",
    "ssl",
    "subprocess",
    "tempfile",
    "traceback",
    "truststore",
    "urllib.parse",
}

PROGRAM = """
import sys
before = set(sys.modules)
import {module}
print(*set(sys.modules) - before)
"""


@pytest.mark.parametrize("layer", LAYERS)
def test_importing_a_package_does_not_load_what_few_programs_need(layer: str) -> None:
    """Programs that start often, a command line for one, pay for every module each time.

    The costly ones, in ms where `tulip_http` took 65 with them: `dataclasses` 7 (it brings
    `inspect`), `ssl` 7, `logging` 5 (it brings `traceback`; `concurrent.futures` brings it),
    `pathlib` with `urllib.parse` and `ipaddress` 3, `truststore` 2. Each is loaded where it is
    first used. The others on the list are here because one line at the top of a file would be
    enough to bring them in.
    """
    # Its limits and timeouts are records with defaults, which is what dataclasses are for: 5 ms.
    allowed = {"ast", "dataclasses", "inspect"} if layer == "http" else set()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=f"tulip_{layer}")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert f"tulip_{layer}" in loaded
    assert not (loaded & LEFT_OUT) - allowed
