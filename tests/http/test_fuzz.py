"""Valid answers, mutated and cut: a response, or an error of ours; never a hang or a wrong state.

``TULIP_FUZZ=100000`` tries that many, by default as many as CI has time for.
"""

import contextlib
import gzip
import os
import zlib
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.odd_responses import TABLE
from tulip_http import Client, HTTPError, Limits, Response, run, sleep
from tulip_http.bodies._decode import _zstd_module, accepted_codings
from tulip_http.testing import ScriptedServer, Step
from tulip_sched.testing import virtual_time

EXAMPLES = int(os.environ.get("TULIP_FUZZ", "200"))
TEXT = "a line of text, ünd another\r\n" * 40
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


def bodies() -> dict[str, bytes]:
    """Return the text in each coding that is known here."""
    plain = TEXT.encode()
    packed = gzip.compress(plain, mtime=0)
    found = {"identity": plain, "gzip": packed, "deflate": zlib.compress(plain)}
    found["gzip, deflate"] = zlib.compress(packed)
    if "br" in accepted_codings():
        found["br"] = import_module("brotli").compress(plain)
    if "zstd" in accepted_codings():
        found["zstd"] = _zstd_module().compress(plain) * 2
    return found


def answers() -> list[bytes]:
    """Return answers of every shape."""
    found = [odd.data for odd in TABLE if len(odd.data) < 1000]
    for coding, body in bodies().items():
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n".encode()
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:half], body[half:]))
        kind = b"Content-Type: text/plain; charset=utf-16\r\n"
        found += [
            head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nA: b\r\n\r\n",
            b"HTTP/1.1 103 E\r\nA: b\r\n c\r\n\r\n" + head + kind + b"\r\n" + body,
        ]
    return found


ANSWERS = st.sampled_from(answers())
BITS = st.binary(min_size=1, max_size=3) | st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"0", b"-1", b"\xff", b"\r\n "),
        *(b"\r\n\r\n", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"chunked"),
        *(b"HTTP/1.1 ", b"Connection: close\r\n", b"Content-Encoding: gzip\r\n", b"9" * 20),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw an answer with some of it taken out, put in, doubled, or overwritten."""
    data = draw(ANSWERS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 20)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:at] + data[end:]
            case 1:
                data = data[:at] + draw(BITS) + data[at:]
            case 2:
                data = data[:end] + data[at:]
            case _:
                data = data[:at] + draw(BITS) + data[end:]
    return data


async def look_at(response: Response) -> None:
    """Use all of a response that is there."""
    assert isinstance(response.text, str)
    with contextlib.suppress(HTTPError):
        response.json()
    assert repr(response)
    assert len(dict(response.headers)) == len(response.headers)
    assert response.trailers is not None
    assert response.reason_phrase is not None


async def take(client: Client, how: int) -> None:
    """Ask, and take the body in one of the ways there are."""
    if how == 0:
        await look_at(await client.get("http://h/"))
        return
    async with client.stream("GET", "http://h/") as response:
        match how:
            case 1:
                await response.read()
                await look_at(response)
            case 2:
                assert all([piece async for piece in response.iter_bytes()])
            case 3:
                assert all([piece async for piece in response.iter_raw()])
            case 4:
                assert all([piece async for piece in response.iter_text()])
            case 5:
                assert "\n" not in "".join([line async for line in response.iter_lines()])
            case _:
                await response.read_chunk()


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    mutated(),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from([1, 7, 100, 65536]),
    st.integers(0, 3000),
)
def test_a_mutated_answer(data: bytes, how: int, closes: bool, piece: int, end: int) -> None:
    """Time would jump to a timeout, were anything waited for that does not come."""
    last: list[Step] = [] if closes else [Step.HANG]
    sent = data[:end] if closes else data
    server = ScriptedServer([Step.REQUEST, sent, *last], GOOD, piece=piece)
    limits = Limits(max_body=100_000, max_ratio=50)

    async def main() -> None:
        async with Client(connect=server.connect, limits=limits, timeout=60) as client:
            with contextlib.suppress(HTTPError):
                await take(client, how)
            await sleep(1)  # what is drained in the background has ended
            stats = client.stats()
            assert stats.connections == stats.idle
            if stats.idle == 0:
                assert (await client.get("http://h/")).text == "good"

    with virtual_time():
        run(main())
