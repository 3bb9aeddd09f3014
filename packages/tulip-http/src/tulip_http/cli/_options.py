"""What can be asked for on the command line; letters mean what they mean to curl."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from tulip_http._typing import override

DESCRIPTION: Final = "Fetch URLs, all at the same time, and print a line about each."
EPILOG: Final = (
    "Exit status: 0 when every URL gave a complete answer, 1 when one did not, 2 when the command "
    "line makes no sense. Progress bars appear on a terminal, for what takes long, if tqdm is "
    "installed: pip install 'tulip-http[cli]'."
)


@final
@dataclass(frozen=True, slots=True)
class Options:
    """The command line, understood.

    Attributes:
        headers: As the bytes that were typed, whatever they mean; without a value: not to be sent.
        seconds: Most that a URL may take, None for no limit beyond the client's own.
        output: Where the bodies go: a file, "-" for standard output, None to drop them.
    """

    urls: list[str]
    method: str
    headers: list[tuple[bytes, bytes | None]]
    seconds: float | None
    parallel: int
    output: str | None
    fail: bool
    insecure: bool
    cafile: Path | None
    progress: bool


def parse_options(arguments: Sequence[str] | None) -> Options:
    """Return what the arguments say; print why they make no sense, and exit, if they do not."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.output not in {None, "-"} and len(given.urls) > 1:
        parser.error(f"--output {given.output} is one file, and there are {len(given.urls)} URLs")
    return Options(
        urls=given.urls,
        method=given.request or ("HEAD" if given.head else "GET"),
        headers=given.header,
        seconds=given.timeout,
        parallel=given.parallel,
        output=given.output,
        fail=given.fail,
        insecure=given.insecure,
        cafile=given.cafile,
        progress=not given.no_progress,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tulip-http", description=DESCRIPTION, epilog=EPILOG)
    add = parser.add_argument
    add("urls", nargs="+", metavar="URL", help="what to fetch, such as https://example.org/")
    add("-o", "--output", metavar="FILE", help="write the body there; - for standard output")
    add("-I", "--head", action="store_true", help="ask for the head only, with HEAD")
    add("-X", "--request", metavar="METHOD", help="another method than GET")
    add(
        "-H",
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help="send this header field, too; 'NAME:' leaves one out that would be sent, and "
        "'NAME;' sends one without a value; can be given several times",
    )
    add(
        "-m",
        "--timeout",
        "--max-time",
        type=_positive,
        metavar="SECONDS",
        help="give a URL up after this long (else only after 30 s of silence)",
    )
    add(
        "-f",
        "--fail",
        action="store_true",
        help="count status 400 and above as failed, and drop the body",
    )
    add("-k", "--insecure", action="store_true", help="do not verify certificates")
    add(
        "--cafile",
        "--cacert",
        type=Path,
        metavar="FILE",
        help="trust the certificates in this PEM file, instead of the system's",
    )
    add(
        "--parallel",
        type=_count,
        default=50,
        metavar="N",
        help="how many at the same time (default: %(default)s; with -o - one after the other)",
    )
    add("--no-progress", action="store_true", help="show no progress bars")
    add("-V", "--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def _header(text: str) -> tuple[bytes, bytes | None]:
    name, colon, value = text.partition(":")
    if not colon and text.endswith(";"):
        return os.fsencode(text[:-1].strip()), b""
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} has no colon between name and value")
    # The bytes that were typed, as curl sends them: text would become Latin-1.
    return os.fsencode(name.strip()), os.fsencode(value.strip()) or None


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0 seconds")
    return seconds


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


class _Version(argparse.Action):
    """Looks the version up only when asked: that takes longer than most fetches."""

    @override
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del namespace, values, option_string  # argparse hands them over, and --version needs none
        from importlib.metadata import version

        print(f"tulip-http {version('tulip-http')}")
        parser.exit()
