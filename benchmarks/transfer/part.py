"""Transfers: CPU time to send or to receive a gigabyte."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.harness.certificates import Certificates
from benchmarks.harness.meter import Sample
from benchmarks.harness.part import Case, Competitor, Effort, Part
from benchmarks.harness.processes import background, take_sample

MEBIBYTES: Final = 1024


@dataclass(frozen=True)
class TransferCase(Case):
    """A case with its direction.

    Attributes:
        sends: Whether the process under test sends; else it receives.
        tls: Whether the connection is encrypted.
    """

    sends: bool = False
    tls: bool = False


CASES: Final = tuple(
    TransferCase(
        f"{'send' if sends else 'receive'}_{'tls' if tls else 'plain'}",
        f"{'sending' if sends else 'receiving'}, {'TLS' if tls else 'plain'}",
        "us",
        "MiB",
        False,
        sends,
        tls,
    )
    for tls in (False, True)
    for sends in (True, False)
)

COMPETITORS: Final = (
    Competitor("blocking sockets", "benchmarks.transfer.blocking", floor=True),
    Competitor("tulip", "benchmarks.transfer.on_tulip", "tulip-net", ours=True),
    Competitor("asyncio streams", "benchmarks.transfer.on_asyncio"),
    Competitor("uvloop streams", "benchmarks.transfer.on_uvloop", "uvloop"),
    Competitor("trio", "benchmarks.transfer.on_trio", "trio"),
    Competitor("curio", "benchmarks.transfer.on_curio", "curio"),
    Competitor("anyio", "benchmarks.transfer.on_anyio", "anyio"),
)


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Make certificates; each sample starts a server, and the peer that takes the time."""
    amount = max(1, round(MEBIBYTES * effort.scale))
    with TemporaryDirectory() as folder:
        certificates = Certificates.make(Path(folder))

        def sample(case: Case, competitor: Competitor) -> Sample:
            assert isinstance(case, TransferCase)
            program = f"{competitor.program}:{'send' if case.sends else 'receive'}"
            key = str(certificates.server) if case.tls else None
            authority = str(certificates.authority) if case.tls else None
            with background("benchmarks.echo.server", program, key) as (pid, port):
                return take_sample(
                    "benchmarks.transfer.peer", pid, port, authority, case.sends, amount
                )

        yield sample


PART: Final = Part(
    name="transfer",
    title="Large transfers",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of the process under test per MiB, over one connection, a gibibyte at once, in "
    "pieces of at most 256 KiB. The other side is a blocking socket on the other core; wall time "
    "is that of the slower side.",
)
