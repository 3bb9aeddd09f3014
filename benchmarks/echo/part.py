"""Echo: CPU time of the server process per message."""

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


@dataclass(frozen=True)
class EchoCase(Case):
    """A case with its load.

    Attributes:
        connections: Open at once, with a message under way on each.
        size: Bytes of a message.
        tls: Whether the connections are encrypted.
    """

    connections: int = 0
    size: int = 1024
    tls: bool = False


def _case(connections: int, size: int, *, tls: bool) -> EchoCase:
    kind = "tls" if tls else "plain"
    name = f"{kind}_{connections}" + ("" if size == 1024 else f"_{size}")
    bytes_ = f"{size} B" if size < 1024 else f"{size // 1024} KiB"
    plural = "connection" if connections == 1 else "connections"
    title = f"{bytes_} echo, {'TLS' if tls else 'plain'}, {connections} {plural}"
    return EchoCase(name, title, "us", "message", False, connections, size, tls)


CASES: Final = tuple(
    _case(connections, size, tls=tls)
    for tls in (False, True)
    for connections, size in ((1, 1024), (100, 1024), (1000, 1024), (100, 64), (100, 65536))
)

COMPETITORS: Final = (
    Competitor("bare loop", "benchmarks.echo.bare:serve", floor=True),
    Competitor("tulip", "benchmarks.echo.on_tulip:serve", "tulip-net", ours=True),
    Competitor("tulip, await", "benchmarks.echo.on_tulip:serve_await", "tulip-net", ours=True),
    Competitor("asyncio streams", "benchmarks.echo.on_asyncio:serve_streams"),
    Competitor("asyncio protocols", "benchmarks.echo.on_asyncio:serve_protocols"),
    Competitor("uvloop streams", "benchmarks.echo.on_uvloop:serve_streams", "uvloop"),
    Competitor("uvloop protocols", "benchmarks.echo.on_uvloop:serve_protocols", "uvloop"),
    Competitor("trio", "benchmarks.echo.on_trio:serve", "trio"),
    Competitor("curio", "benchmarks.echo.on_curio:serve", "curio"),
    Competitor("anyio", "benchmarks.echo.on_anyio:serve", "anyio"),
    Competitor("anyio on uvloop", "benchmarks.echo.on_anyio:serve_on_uvloop", "anyio"),
)


@contextmanager
def staged(effort: Effort) -> Iterator[Callable[[Case, Competitor], Sample]]:
    """Make certificates; each sample starts a server, and the load for it."""
    with TemporaryDirectory() as folder:
        certificates = Certificates.make(Path(folder))

        def sample(case: Case, competitor: Competitor) -> Sample:
            assert isinstance(case, EchoCase)
            key = str(certificates.server) if case.tls else None
            authority = str(certificates.authority) if case.tls else None
            with background("benchmarks.echo.server", competitor.program, key) as (pid, port):
                return take_sample(
                    "benchmarks.echo.load",
                    pid,
                    port,
                    authority,
                    case.connections,
                    case.size,
                    effort.seconds,
                )

        yield sample


PART: Final = Part(
    name="echo",
    title="Echo servers",
    cases=CASES,
    competitors=COMPETITORS,
    staged=staged,
    about="CPU time of the server process per message received and sent back. Each connection has "
    "one message under way: the load goes round the connections, takes the answer of each, "
    "compares every byte, and sends the next. The bare loop is a Python loop over epoll, without "
    "any library.",
)
