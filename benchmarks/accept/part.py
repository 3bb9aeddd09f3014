"""Accepting: CPU time of the server process per connection accepted and closed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.echo.part import COMPETITORS
from benchmarks.harness.certificates import Certificates
from benchmarks.harness.meter import Sample
from benchmarks.harness.part import Case, Competitor, Effort, Part
from benchmarks.harness.processes import background, take_sample


@dataclass(frozen=True)
class AcceptCase(Case):
    """A case, encrypted or not."""

    tls: bool = False


CASES: Final = (
    AcceptCase("plain", "connection accepted and closed, plain", "us", "connection"),
    AcceptCase("tls", "connection accepted and closed, TLS", "us", "connection", tls=True),
)


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Make certificates; each sample starts an echo server, and the load for it."""
    with TemporaryDirectory() as folder:
        certificates = Certificates.make(Path(folder))

        def sample(case: Case, competitor: Competitor) -> Sample:
            assert isinstance(case, AcceptCase)
            key = str(certificates.server) if case.tls else None
            authority = str(certificates.authority) if case.tls else None
            with background("benchmarks.echo.server", competitor.program, key) as (pid, port):
                return take_sample("benchmarks.accept.load", pid, port, authority, effort.seconds)

        yield sample


PART: Final = Part(
    name="accept",
    title="Connections",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of the server process per connection. The echo servers again, whose clients "
    "connect, 20 at a time, say at once that nothing will come, and wait for the server to close. "
    "With TLS that includes the handshake (TLS 1.3, ECDSA P-256) and both goodbyes.",
)
