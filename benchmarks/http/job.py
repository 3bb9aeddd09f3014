"""What a client is asked to do."""

import functools
import ssl
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.certificates import client_context
from benchmarks.harness.meter import Meter

OK = 200


@dataclass
class Job:
    """Requests to make.

    Attributes:
        url: Where to.
        at_once: How many tasks, or threads, make requests.
        authority: File with the certificate to trust; ``None`` for a plain URL.
        size: Bytes of the right answer.
        meter: Says how many requests, all tasks together.
    """

    url: str
    at_once: int
    authority: str | None
    size: int
    meter: Meter

    def check(self, status: int, size: int) -> None:
        """Refuse any answer but the right one."""
        if status != OK or size != self.size:
            raise ValueError(f"status {status} with {size} bytes instead of 200 with {self.size}")

    @functools.cached_property
    def context(self) -> ssl.SSLContext | None:
        """The TLS context, for the libraries that take one."""
        return client_context(self.authority)

    def authority_pem(self) -> bytes:
        """Return the certificate to trust, for the libraries that take that."""
        assert self.authority is not None
        return Path(self.authority).read_bytes()
