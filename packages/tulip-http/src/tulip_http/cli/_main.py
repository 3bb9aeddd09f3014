"""All the URLs of a command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tulip_http._client import Client
from tulip_http.cli._fetch import Fetch
from tulip_http.cli._options import Options, parse_options
from tulip_http.cli._progress import Board, make_board
from tulip_net import Gen, coroutine, create_task, run, wait_all

if TYPE_CHECKING:
    import ssl


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what the arguments ask for, print a line for each, and return the exit status."""
    options = parse_options(arguments)
    try:
        tls = _tls(options)
    except OSError as error:
        print(f"tulip-http: cannot read --cafile {options.cafile}: {error}", file=sys.stderr)
        return 2
    try:
        return run(_fetch_all(options, tls))
    except KeyboardInterrupt:
        return 130  # what a shell reports for a program that the user has interrupted
    except OSError as error:
        # Our lines cannot be written. A reader who has gone has seen enough.
        if not isinstance(error, BrokenPipeError):
            message = f"tulip-http: cannot write to standard output: {error.strerror}"
            print(message, file=sys.stderr)
        # Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _tls(options: Options) -> ssl.SSLContext | bool:
    if options.cafile is None:
        return not options.insecure
    import ssl

    return ssl.create_default_context(cafile=str(options.cafile))


@coroutine
def _fetch_all(options: Options, tls: ssl.SSLContext | bool) -> Gen[int]:
    # Lines about bodies that go to standard output would end up between them, and bodies that come
    # at the same time inside of each other.
    to_stderr = options.output == "-"
    parallel = 1 if to_stderr else options.parallel
    board = make_board(bars=options.progress and not to_stderr)
    fetches = [Fetch(url) for url in options.urls]
    waiting = iter(fetches)
    with Client(tls=tls) as client:
        for name, value in options.headers:
            if value is None:
                client.headers.pop(name.decode("latin-1"), None)
        workers = [
            create_task(_work(waiting, client, options, board), f"worker {number}")
            for number in range(min(parallel, len(fetches)))
        ]
        yield from wait_all(workers)
    for worker in workers:
        worker.result()
    return 1 if any(fetch.failed for fetch in fetches) else 0


@coroutine
def _work(waiting: Iterator[Fetch], client: Client, options: Options, board: Board) -> Gen[None]:
    """Take one URL after the other, until none is left."""
    for fetch in waiting:
        yield from fetch.run(client, options, board)
        if options.output == "-":
            if sys.stderr is not None:  # closed before we began: print() would take stdout instead
                print(fetch.line, file=sys.stderr, flush=True)
        else:
            board.line(fetch.line)
