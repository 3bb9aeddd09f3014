"""That the bad line of the other tests is one, and that its seed repeats it."""

from typing import Any

import pytest

from tests.http.bad_line import BadLine
from tulip_http import Client, _pool, run
from tulip_http._opening import open_transport
from tulip_http.testing import ScriptedServer
from tulip_net import Coroutine, Gen, Transport, coroutine
from tulip_sched.testing import virtual_time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(200_000)


class Recorder:
    """Passes everything on to another transport, and notes the limit of each receive."""

    def __init__(self, inner: Transport, limits: list[int]) -> None:
        self._inner = inner
        self._limits = limits

    def recv(self, limit: int) -> Coroutine[bytes]:
        self._limits.append(limit)
        return self._inner.recv(limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def limits_of_receives(monkeypatch: pytest.MonkeyPatch, seed: int | None) -> list[int]:
    """Get an answer over a line, and return the limits of the receives that it took."""
    limits: list[int] = []
    server = ScriptedServer(ANSWER)

    @coroutine
    def connect(origin: Any) -> Gen[Any]:
        return Recorder((yield from server.connect(origin)), limits)

    async def main() -> None:
        async with Client(connect=connect) as client:
            assert (await client.get("http://h/")).content == bytes(200_000)

    with monkeypatch.context() as patch, virtual_time():
        if seed is not None:
            patch.setattr(_pool, "open_transport", BadLine(open_transport, seed).open)
        run(main())
    return limits


def test_a_bad_line_is_bad_and_its_seed_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    good = limits_of_receives(monkeypatch, None)
    bad = [limits_of_receives(monkeypatch, seed) for seed in (1, 2)]
    assert min(good) > 1000
    assert all(min(limits) < 1000 for limits in bad)
    assert bad[0] != bad[1]
    assert bad == [limits_of_receives(monkeypatch, seed) for seed in (1, 2)]
