"""Content codings: undone piece by piece, in bounded memory, and attacks ended in time."""

import gzip
import importlib.util
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.running import Script, in_loop
from tests.opponents.nginx import Nginx
from tulip_http import Client, DecodingError, Limits, ResponseTooLarge
from tulip_http.bodies import _decode
from tulip_http.bodies._decode import BodyDecoder, accepted_codings, decode_whole, decoder_for
from tulip_http.bodies._pieces import Pieces

TEXT = b"a line of text, again and again\n" * 500 + random.Random(1).randbytes(20_000)


def bare_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def brotli(data: bytes) -> bytes:
    module = pytest.importorskip("brotli", reason="install it with `pip install brotli`")
    compressed: bytes = module.compress(data, quality=4)
    return compressed


def zstd(data: bytes) -> bytes:
    module = pytest.importorskip("backports.zstd", reason="`pip install backports.zstd`")
    compressed: bytes = module.compress(data)
    return compressed


Encode = Callable[[bytes], bytes]
CODINGS: dict[str, tuple[str, Encode]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "members": ("gzip", lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:])),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "br": ("br", brotli),
    "zstd": ("zstd", zstd),
    "frames": ("zstd", lambda data: zstd(data[:999]) + zstd(data[999:])),
    "two": ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    "three": ("gzip, gzip, gzip", lambda data: gzip.compress(gzip.compress(gzip.compress(data)))),
}


def decoder(coding: str, max_ratio: float | None = 1100) -> BodyDecoder:
    found = decoder_for([coding.encode()], max_ratio)
    assert found is not None
    return found


def decode(pieces: Iterable[bytes], coding: str) -> bytes:
    found = decoder(coding)
    decoded = b""
    for piece in pieces:
        found.feed(piece)
        while data := found.take():
            decoded += data
    found.finish()
    return decoded


@pytest.mark.parametrize("coding, encode", CODINGS.values(), ids=CODINGS)
class TestCoding:
    @pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
    def test_in_pieces(self, coding: str, encode: Encode, size: int) -> None:
        body = encode(TEXT)
        assert decode((body[i : i + size] for i in range(0, len(body), size)), coding) == TEXT
        assert decode([encode(b"")], coding) == b""

    def test_whole(self, coding: str, encode: Encode) -> None:
        assert decode_whole(encode(TEXT), decoder(coding), len(TEXT)) == TEXT
        with pytest.raises(ResponseTooLarge, match=f"larger than {len(TEXT) - 1} bytes"):
            decode_whole(encode(TEXT), decoder(coding), len(TEXT) - 1)

    def test_cut_short(self, coding: str, encode: Encode) -> None:
        body = encode(TEXT)
        with pytest.raises(DecodingError, match="ends too early"):
            decode_whole(body[:-10], decoder(coding), None)

    def test_more_after_the_end(self, coding: str, encode: Encode) -> None:
        """curl refuses it, too."""
        for pieces in ([encode(TEXT), b"garbage"], [encode(TEXT) + b"garbage"]):
            with pytest.raises(DecodingError):
                decode(pieces, coding)

    def test_garbage(self, coding: str, encode: Encode) -> None:
        with pytest.raises(DecodingError, match=r"cannot be decoded|ends too early"):
            decode_whole(b"this is not compressed at all, is it?", decoder(coding), None)

    @pytest.mark.slow
    def test_a_bomb_is_decoded_in_bounded_memory_and_not_to_its_end(
        self, coding: str, encode: Encode
    ) -> None:
        bomb = encode(bytes(64 << 20))
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLarge, match="max_body"):
                decode_whole(bomb, decoder(coding, None), 4 << 20)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()
        with pytest.raises(ResponseTooLarge, match="max_ratio"):
            decode_whole(bomb, decoder(coding, 20), None)


class Counting:
    """A stream that counts what it is given."""

    given = 0

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def decompress(self, data: bytes, most: int) -> bytes:
        Counting.given += len(data)
        decompressed: bytes = self._stream.decompress(data, most)
        return decompressed

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@pytest.mark.parametrize(
    "coding, body, times",
    [
        ("gzip", gzip.compress(b"") * 20_000, 60),
        ("gzip", gzip.compress(TEXT) * 50, 3),
        ("gzip", gzip.compress(random.Random(2).randbytes(1 << 20)), 3),
        ("zstd", b"\x28\xb5\x2f\xfd\x20\0\1\0\0" * 20_000, 120),
    ],
    ids=["empty members", "members", "no gain", "empty frames"],
)
@pytest.mark.parametrize("piece", [1 << 30, 1 << 18, 1 << 12])
def test_the_work_is_in_proportion_to_the_body(
    coding: str, body: bytes, times: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream copies what it does not use: of a whole body, for each member, that is endless."""
    accepted_codings()
    if coding == "zstd":
        module = _decode._zstd_module() or pytest.skip("`pip install backports.zstd`")
        wrapped = SimpleNamespace(ZstdDecompressor=lambda: Counting(module.ZstdDecompressor()))
        monkeypatch.setattr(_decode, "_zstd_module", lambda: wrapped)
    else:
        real = zlib.decompressobj
        wrapped = SimpleNamespace(decompressobj=lambda window: Counting(real(window)))
        monkeypatch.setattr(_decode, "zlib", wrapped)
    Counting.given = 0
    decode((body[at : at + piece] for at in range(0, len(body), piece)), coding)
    assert Counting.given < times * len(body)


def test_no_decoder_where_nothing_is_encoded() -> None:
    assert decoder_for([], None) is None
    assert decoder_for([b"identity, ", b"Identity"], None) is None


def test_unknown_and_too_many_codings() -> None:
    for coding in ("compress", "gzip, compress", "compress, gzip"):
        with pytest.raises(DecodingError, match="'compress', which cannot be decoded"):
            decode([gzip.compress(TEXT)], coding)
        assert decode([], coding) == b""
    with pytest.raises(DecodingError, match="4 codings"):
        decode([b"x"], "gzip, gzip, gzip, gzip")


def outcome(pieces: Iterable[bytes], coding: str) -> bytes | None:
    """What a body decodes to; None where that is refused."""
    try:
        return decode([piece for piece in pieces if piece], coding)
    except DecodingError:
        return None


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_arbitrary_bytes_give_an_error_or_a_body(data: bytes, coding: str) -> None:
    if coding == "br" and importlib.util.find_spec("brotli") is None:
        return
    if coding == "zstd" and "zstd" not in accepted_codings():
        return
    # The same, wherever the pieces end.
    outcomes = [outcome(pieces, coding) for pieces in ([data], [data[:50], data[50:]])]
    assert outcomes[0] == outcomes[1]


def answer(body: bytes, coding: str = "gzip") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@in_loop
async def test_the_client_decodes() -> None:
    async with Script(answer(gzip.compress(TEXT))) as server, Client() as client:
        assert (await client.get(server.url())).content == TEXT
        async with client.stream("GET", server.url()) as response:
            assert b"".join([chunk async for chunk in response.iter_bytes()]) == TEXT
        asked = server.requests[0]
        assert f"Accept-Encoding: {accepted_codings()}\r\n".encode() in asked


@in_loop
async def test_the_client_names_what_cannot_be_decoded() -> None:
    for body, coding in ((b"nonsense", "gzip"), (gzip.compress(TEXT)[:-4], "gzip"), (b"x", "lzw")):
        async with Script(answer(body, coding)) as server, Client() as client:
            with pytest.raises(DecodingError) as caught:
                await client.get(server.url())
            assert caught.value.request is not None
            with pytest.raises(DecodingError) as caught:
                async with client.stream("GET", server.url()) as response:
                    await response.read()
            assert caught.value.request is not None


@in_loop
async def test_the_client_survives_a_bomb() -> None:
    bomb = gzip.compress(bytes(20 << 20))
    limits = Limits(max_body=1 << 20)
    async with Script(answer(bomb)) as server, Client(limits=limits) as client:
        with pytest.raises(ResponseTooLarge, match="decoded body is larger than 1048576 bytes"):
            await client.get(server.url())
        async with client.stream("GET", server.url()) as response:
            sizes = [len(chunk) async for chunk in response.iter_bytes()]
        assert sum(sizes) == 20 << 20
        assert max(sizes) <= 1 << 18


@in_loop
async def test_a_line_without_an_end_is_bounded() -> None:
    limits = Limits(max_body=1 << 20)
    body = gzip.compress(b"short\n" + bytes(20 << 20) + b"\n")
    async with Script(answer(body)) as server, Client(limits=limits) as client:
        tracemalloc.start()
        try:
            async with client.stream("GET", server.url()) as response:
                lines = response.iter_lines()
                assert await anext(lines) == "short"
                with pytest.raises(ResponseTooLarge, match="a line of the body is larger than"):
                    await anext(lines)
                assert response.is_closed
            assert tracemalloc.get_traced_memory()[1] < 5 << 20
        finally:
            tracemalloc.stop()


@in_loop
async def test_many_short_lines_have_no_bound() -> None:
    limits = Limits(max_body=1000)
    body = gzip.compress(b"line\r\n" * 10_000)
    async with (
        Script(answer(body)) as server,
        Client(limits=limits) as client,
        client.stream("GET", server.url()) as response,
    ):
        assert [line async for line in response.iter_lines()] == ["line"] * 10_000


@in_loop
async def test_head_has_nothing_to_decode() -> None:
    async with Script(answer(b"")) as server, Client() as client:
        assert (await client.head(server.url())).content == b""
        assert (await client.get(server.url())).content == b""


@pytest.mark.parametrize("coding", ["lzw", "gzip, lzw", "gzip, gzip, gzip, gzip"])
@in_loop
async def test_what_cannot_be_decoded_need_not_be(coding: str) -> None:
    nothing = answer(b"", coding)
    unchanged = nothing.replace(b"200 OK", b"304 Not Modified")
    texts = [nothing, nothing, unchanged, answer(b"packed", coding)]
    async with Script(texts) as server, Client() as client:
        assert (await client.head(server.url())).status_code == 200
        assert (await client.get(server.url())).content == b""
        assert (await client.get(server.url())).status_code == 304
        async with client.stream("GET", server.url()) as response:
            assert [piece async for piece in response.iter_raw()] == [b"packed"]
        assert len(server.requests) == 1


@in_loop
async def test_nginx_compresses(nginx: Nginx) -> None:
    async with Client() as client:
        response = await client.get(nginx.url("/gzip/page.html"))
        assert response.headers["content-encoding"] == "gzip"
        assert response.content == (nginx.site / "page.html").read_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_one_size_whatever_they_are_cut_from(seed: int) -> None:
    luck = random.Random(seed)
    data = luck.randbytes(luck.choice([0, 1, 500, 3000]))
    size = luck.choice([1, 7, 64, 500, 4096])
    pieces = Pieces(size)
    cut: list[bytes] = []
    at = 0
    while at < len(data):
        step = luck.choice([1, 6, 7, 8, 63, 500, 2000])
        cut.extend(pieces.cut(data[at : at + step]))
        assert sum(map(len, cut)) == min(at + step, len(data)) // size * size  # none is held back
        at += step
    cut.extend(pieces.rest())
    assert b"".join(cut) == data
    assert {len(piece) for piece in cut[:-1]} <= {size}
