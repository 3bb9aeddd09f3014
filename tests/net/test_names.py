"""Resolvers: names known beforehand, and names remembered."""

import socket
from collections.abc import Sequence

import pytest

from tulip_net import (
    AddressInfo,
    NamesCache,
    ResolveError,
    StaticNames,
    coroutine,
    create_connection,
    listen,
    run,
    sleep,
)
from tulip_sched.testing import virtual_time


class Counting:
    """A resolver that answers loopback for names that begin with ``a``, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @coroutine
    async def __call__(self, host: str, port: int, *, family: int) -> Sequence[AddressInfo]:
        self.asked.append(host)
        if not host.lower().startswith("a"):
            raise ResolveError(host, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]


def test_a_static_map_needs_nobody() -> None:
    async def main() -> None:
        listener = await listen("127.0.0.1")
        below = Counting()
        names = StaticNames({"DB.internal": ["127.0.0.1"]}, below)
        sock = await create_connection("db.INTERNAL", listener.port, resolver=names)
        assert sock.getpeername() == listener.addresses[0]
        sock.close()
        assert below.asked == []
        with pytest.raises(ResolveError, match="cannot resolve 'other'"):
            await create_connection("other", listener.port, resolver=names)
        assert below.asked == ["other"]
        listener.close()

    run(main())


def test_a_static_map_picks_the_addresses_of_a_family() -> None:
    names = StaticNames({"both": ["127.0.0.1", "::1"], "one": ["127.0.0.1"], "none": []})

    async def main() -> None:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            answers = await names("both", 80, family=family)
            assert [answer[4][0] for answer in answers] == [host]
        with pytest.raises(ResolveError, match=r"resolve 'one': .* no address of that family"):
            await names("one", 80, family=socket.AF_INET6)
        with pytest.raises(ResolveError, match="cannot resolve 'none'"):
            await names("none", 80)

    run(main())


def test_a_cache_asks_once_until_the_answer_is_too_old() -> None:
    async def main() -> None:
        below = Counting()
        cache = NamesCache(below, maximum_age=0.02)
        for _ in range(3):
            assert (await cache("a.example", 80))[0][4] == ("127.0.0.1", 80)
        assert below.asked == ["a.example"]
        await sleep(0.025)
        await cache("A.example", 80)
        assert len(below.asked) == 2
        cache.clear()
        await cache("a.example", 80)
        assert len(below.asked) == 3

    with virtual_time():
        run(main())


def test_a_cache_tells_families_and_ports_apart_but_not_upper_case_and_lower() -> None:
    async def main() -> None:
        below = Counting()
        cache = NamesCache(below)
        for host in ("a.example", "A.EXAMPLE"):
            for port, family in ((80, 0), (80, socket.AF_INET), (443, socket.AF_INET)):
                assert (await cache(host, port, family=family))[0][4] == ("127.0.0.1", port)
        assert below.asked == ["a.example"] * 3

    run(main())


def test_a_cache_that_keeps_nothing_and_one_whose_answers_are_renewed() -> None:
    async def main() -> None:
        for age, asked in ((0.0, ["a1", "a1"]), (9.0, ["a1"])):
            below = Counting()
            cache = NamesCache(below, maximum_age=age)
            for _ in range(2):
                await cache("a1", 80)
            assert below.asked == asked
        below = Counting()
        cache = NamesCache(below, maximum_age=9, size=2)
        for host in ("a1", "a2"):
            await cache(host, 80)
        await sleep(10)
        for host in ("a1", "a3", "a1"):  # the first is the youngest again, the second goes
            await cache(host, 80)
        assert below.asked == ["a1", "a2", "a1", "a3"]

    with virtual_time():
        run(main())


def test_a_cache_does_not_remember_failures_and_stays_small() -> None:
    async def main() -> None:
        below = Counting()
        cache = NamesCache(below, size=2)
        for _ in range(2):
            with pytest.raises(ResolveError):
                await cache("bad", 80)
        assert below.asked == ["bad", "bad"]
        for host in ("a1", "a2", "a1", "a3", "a1", "a2"):
            await cache(host, 80)
        assert below.asked[2:] == ["a1", "a2", "a3", "a2"]

    run(main())


@pytest.mark.parametrize(
    "options", [{"maximum_age": -1.0}, {"maximum_age": float("nan")}, {"size": 0}]
)
def test_a_cache_that_is_none_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a cache of"):
        NamesCache(**options)  # type: ignore[arg-type]  # the values are what is tested
