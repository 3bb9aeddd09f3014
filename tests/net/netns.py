"""Two network namespaces joined by a cable, in which a test may do to a network what it likes.

A namespace belongs to a thread, and a socket to the namespace in which it was made: so a test runs
in a thread that has entered one, and no other process is needed. Nothing outside is touched, and
the addresses exist only inside.

Source: network_namespaces(7), setns(2), ip-netns(8), veth(4).
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.opponents.need import missing, program

T = TypeVar("T")

TABLE = """\
table inet test {{
  chain input {{
    type filter hook input priority 0; policy accept
    {rule}
  }}
}}
"""

CLONE_NEWNET = 0x40000000
"""From linux/sched.h."""

NEAR_4, FAR_4 = "10.77.0.1", "10.77.0.2"
NEAR_6, FAR_6 = "fd77::1", "fd77::2"
HARDWARE = {NEAR_6: "02:00:00:00:00:01", FAR_6: "02:00:00:00:00:02"}


@dataclass(frozen=True)
class Namespace:
    """One namespace, by its name."""

    name: str

    def command(self, *arguments: str, stdin: str | None = None) -> None:
        """Run ``ip`` or ``tc`` (with ``-n``) or another program inside; fail with what it says."""
        first, *rest = arguments
        if first in {"ip", "tc"}:
            line = [*tool(first), "-n", self.name, *rest]
        else:
            line = [*tool("nsenter"), f"--net=/run/netns/{self.name}", *tool(first), *rest]
        checked(line, stdin)

    def filter(self, rule: str) -> None:
        """Have nftables apply one rule to each packet that comes in."""
        self.command("nft", "-f", "-", stdin=TABLE.format(rule=rule))

    def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread inside this namespace; return what it returns."""

        def inside() -> T:
            enter(self.name)
            return function()

        with ThreadPoolExecutor(1) as executor:
            return executor.submit(inside).result()


def enter(name: str) -> None:
    """Move this thread into a namespace; `os.setns` exists only from Python 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


@contextmanager
def two_namespaces() -> Iterator[tuple[Namespace, Namespace]]:
    """Make a near and a far namespace with a cable between them; remove both in the end.

    The near one has the addresses `NEAR_4` and `NEAR_6`, the far one `FAR_4` and `FAR_6`.
    """
    near, far = (Namespace(f"tulip-{os.getpid()}-{side}") for side in ("near", "far"))
    refuse_without_rights()
    try:
        for each in (near, far):
            checked([*tool("ip"), "netns", "add", each.name])
        near.command(
            "ip", "link", "add", "cable", "type", "veth", "peer", "cable", "netns", far.name
        )
        plug_in(near, NEAR_4, NEAR_6, neighbor=FAR_6)
        plug_in(far, FAR_4, FAR_6, neighbor=NEAR_6)
        yield near, far
    finally:
        for each in (near, far):
            subprocess.run([*tool("ip"), "netns", "delete", each.name], check=False)


def plug_in(side: Namespace, address_4: str, address_6: str, *, neighbor: str) -> None:
    """Give one end of the cable its addresses, so that both work from the first moment."""
    side.command("ip", "link", "set", "cable", "address", HARDWARE[address_6])
    side.command("ip", "address", "add", f"{address_4}/24", "dev", "cable")
    # RFC 4862 section 5.4 would wait a second for somebody who has the same address, and a
    # question for a neighbour (RFC 4861) that comes too early is repeated only after another.
    side.command("ip", "address", "add", f"{address_6}/64", "dev", "cable", "nodad")
    for link in ("lo", "cable"):
        side.command("ip", "link", "set", link, "up")
    known = ("lladdr", HARDWARE[neighbor], "dev", "cable", "nud", "permanent")
    side.command("ip", "neighbor", "add", neighbor, *known)


def refuse_without_rights() -> None:
    """Skip the test where namespaces cannot be made; in CI that fails, unless we are not root."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for name, package in (("ip", "iproute2"), ("nft", "nftables")):
        program(name, package=package)
    probe = f"tulip-{os.getpid()}-probe"
    made = subprocess.run(
        [*tool("ip"), "netns", "add", probe], capture_output=True, text=True, check=False
    )
    subprocess.run([*tool("ip"), "netns", "delete", probe], capture_output=True, check=False)
    if made.returncode:
        missing(f"root may not make network namespaces here: {made.stderr.strip()}")


PACKAGES = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "nsenter": "util-linux"}


def tool(name: str) -> list[str]:
    """Return the beginning of a command line."""
    return [str(program(name, package=PACKAGES[name]))]


def checked(line: list[str], stdin: str | None = None) -> None:
    done = subprocess.run(line, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(line)}: {done.stderr}"
