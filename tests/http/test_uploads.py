"""Bodies that are sent as they come into being."""

import bz2
import email
import gzip
import io
import lzma
import pickle
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_server import start_server

from tests.http.running import Script, in_loop, in_virtual_time
from tulip_http import (
    Client,
    LocalProtocolError,
    Request,
    Timeout,
    WriteTimeout,
    coroutine,
    run,
    sleep,
)
from tulip_http.testing import Answer, MockServer

PIECES = [b"one ", b"", b"two ", b"three" * 100_000]
BODY = b"".join(PIECES)


async def slowly() -> AsyncIterator[bytes]:
    for piece in PIECES:
        await sleep(0)
        yield piece


def lazily() -> Iterator[bytes]:
    yield from PIECES


@in_loop
async def test_iterables_go_out_in_chunks() -> None:
    server = await start_server()
    async with Client() as client:
        for content in (PIECES, tuple(PIECES), lazily(), slowly()):
            response = await client.post(server.url("/echo"), content=content)
            head, _, body = response.content.partition(b"\n\n")
            assert b"transfer-encoding: chunked" in head
            assert body == BODY
        assert server.connections == 1
    await server.stop()


@in_loop
async def test_a_length_that_is_given_is_kept() -> None:
    server = await start_server()
    length = {"Content-Length": str(len(BODY))}
    async with Client() as client:
        response = await client.post(server.url("/echo"), content=slowly(), headers=length)
        head, _, body = response.content.partition(b"\n\n")
        assert b"transfer-encoding" not in head
        assert body == BODY
    await server.stop()


@in_loop
async def test_an_open_file_goes_out_from_where_it_stands(tmp_path: Path) -> None:
    server = await start_server()
    path = tmp_path / "body"
    path.write_bytes(BODY)
    async with Client() as client:
        with path.open("rb") as file:
            file.seek(4)
            response = await client.put(server.url("/echo"), content=file)
            head, _, body = response.content.partition(b"\n\n")
            assert f"content-length: {len(BODY) - 4}".encode() in head
            assert body == BODY[4:]
        memory = io.BytesIO(BODY)
        memory.seek(4)
        response = await client.put(server.url("/echo"), content=memory)
        head, _, body = response.content.partition(b"\n\n")
        assert f"content-length: {len(BODY) - 4}".encode() in head
        assert body == BODY[4:]
    await server.stop()


@pytest.mark.parametrize(
    "length, message",
    [("5", "more than the 5 bytes"), ("9999999", f"ended after {len(BODY)} of 9999999 bytes")],
)
@in_loop
async def test_a_length_that_is_wrong(length: str, message: str) -> None:
    server = await start_server()
    async with Client() as client:
        with pytest.raises(LocalProtocolError, match=message) as caught:
            await client.post(
                server.url("/echo"), content=lazily(), headers={"Content-Length": length}
            )
        assert caught.value.request is not None
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@pytest.mark.parametrize("form", [False, True])
def test_of_a_file_that_grows_meanwhile_goes_out_what_it_had(*, form: bool, tmp_path: Path) -> None:
    server = MockServer(lambda request: Answer(body=request.content or b""))
    path = tmp_path / "log"
    path.write_bytes(BODY)

    @coroutine
    async def main() -> bytes:
        async with Client(connect=server.connect) as client:
            with path.open("rb") as file, path.open("ab") as log:
                what: Any = {"files": {"log": file}} if form else {"content": file}
                request = client.build_request("PUT", "http://h/", **what)
                log.write(b"one more line")
                log.flush()
                return (await client.send(request)).content

    sent = run(main())
    assert BODY in sent
    assert b"one more line" not in sent


def test_a_file_that_only_says_that_it_is_empty_has_no_length(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc here")
    with Path("/proc/self/status").open("rb") as file:
        assert Request("PUT", "http://h/", content=file).headers["transfer-encoding"] == "chunked"
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as file:
        assert Request("PUT", "http://h/", content=file).headers["content-length"] == "0"


@pytest.mark.parametrize(
    "given",
    [
        "multipart/form-data",
        "multipart/related; type=a;",
        "Multipart/Form-Data; Boundary=mine",
        'multipart/mixed; boundary="two words"; x=y',
        "text/plain; boundary=no",
        None,
    ],
)
@in_loop
async def test_a_form_and_its_media_type_have_one_boundary(given: str | None) -> None:
    server = MockServer(lambda request: Answer(body=request.content or b""))
    headers = {} if given is None else {"Content-Type": given}
    async with Client(connect=server.connect) as client:
        body = (await client.post("http://h/", files={"f": b"x"}, headers=headers)).content
    (told,) = server.requests[0].headers.get_list("content-type")
    if given is not None and given.startswith("text/"):
        assert told == given  # whoever says so may know better
        return
    message = email.message_from_bytes(f"Content-Type: {told}\r\n\r\n".encode() + body)
    assert [part.get_payload(decode=True) for part in message.walk()] == [None, b"x"]
    assert given is None or told.startswith(given.rstrip(";"))


@pytest.mark.parametrize("boundary", ["ü", '""', "x" * 71, '"a "', "a{b"])
def test_a_boundary_that_cannot_be_one(boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    with pytest.raises(LocalProtocolError, match="cannot be a boundary"):
        Request("POST", "http://h/", files={"f": b"x"}, headers=headers)


@pytest.mark.parametrize("size", [1, 4])
def test_a_file_for_a_form_is_two_things_or_three(size: int) -> None:
    files: Any = {"f": ("name", b"content", "text/plain", {"X-A": "b"})[:size]}
    with pytest.raises(TypeError, match=rf"file 'f' is .*, not {size} things"):
        Request("POST", "http://h/", files=files)


def test_a_length_that_is_none() -> None:
    with pytest.raises(LocalProtocolError, match="'-1' is not a length"):
        Request("POST", "http://h/", content=lazily(), headers={"Content-Length": "-1"})


@pytest.mark.parametrize("module", [bz2, gzip, lzma])
def test_a_file_that_is_unpacked_as_it_is_read_has_no_length(module: Any, tmp_path: Path) -> None:
    """That of the file on disk is another one."""
    path = tmp_path / "packed"
    path.write_bytes(module.compress(BODY))
    server = MockServer(lambda request: Answer(body=request.content or b""))

    @coroutine
    async def main() -> bytes:
        async with Client(connect=server.connect) as client:
            with module.open(path) as file:
                return (await client.put("http://h/", content=file)).content

    assert run(main()) == BODY


def test_a_device_has_no_length() -> None:
    with Path("/dev/zero").open("rb") as file:
        request = Request("PUT", "http://h/", content=file)
    assert request.headers["transfer-encoding"] == "chunked"


@in_loop
async def test_what_a_body_raises_comes_out() -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 1000
        raise ZeroDivisionError("in the middle of the body")

    server = await start_server()
    async with Client() as client:
        with pytest.raises(ZeroDivisionError, match="in the middle"):
            await client.post(server.url("/echo"), content=failing())
        with pytest.raises(TypeError, match="a piece of content must be bytes, got str"):
            await client.post(server.url("/echo"), content=["text"])  # type: ignore[list-item]
        assert (await client.get(server.url("/quick"))).text == "hello\n"
    await server.stop()


@in_loop
async def test_a_stream_is_sent_once() -> None:
    """A kept connection that was closed meanwhile is no reason to send half of it again."""
    server = await start_server()
    async with Client() as client:
        request = client.build_request("PUT", server.url("/echo"), content=lazily())
        assert not request.repeatable
        assert request.idempotent
        await client.send(request)
        with pytest.raises(LocalProtocolError, match="can be sent only once"):
            await client.send(request)
        await client.get(server.url("/last"))
        assert (await client.put(server.url("/echo"), content=lazily())).status_code == 200
    await server.stop()
    assert pickle.loads(pickle.dumps(request)).stream is None


@in_virtual_time
async def test_an_early_answer_ends_the_upload() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n"
    async with Script(refusal, hang=True) as server, Client(timeout=2) as client:
        response = await client.post(server.url(), content=endless())
        assert (response.status_code, response.text) == (413, "no\n")


@in_virtual_time
async def test_a_body_that_takes_long_is_not_the_servers_silence() -> None:
    async def late() -> AsyncIterator[bytes]:
        for _ in range(4):
            await sleep(0.1)
            yield b"x"

    server = await start_server()
    async with Client(timeout=Timeout(read=0.3, write=2)) as client:
        assert (await client.post(server.url("/echo"), content=late())).status_code == 200
    await server.stop()


def test_a_dropped_response_gives_its_connection_back() -> None:
    async def main() -> None:
        server = await start_server()
        async with Client() as client:
            response = await client.stream("GET", server.url("/large"))
            assert response.status_code == 200
            with pytest.warns(ResourceWarning, match="dropped before it was read or closed"):
                del response
            assert (await client.get(server.url("/quick"))).text == "hello\n"
        await server.stop()

    run(main())


@in_virtual_time
async def test_a_caller_may_take_its_time_between_pieces() -> None:
    server = await start_server()
    client = Client(timeout=Timeout(read=0.3, total=0.5))
    async with client, client.stream("GET", server.url("/large?bytes=3000000")) as response:
        await sleep(0.6)
        size = 0
        while chunk := await response.read_chunk():
            size += len(chunk)
            if size > 2_500_000:
                await sleep(0.02)
        assert size == 3_000_000
    await server.stop()


@in_virtual_time
async def test_reading_whole_takes_no_longer_than_the_total() -> None:
    server = await start_server()
    client = Client(timeout=Timeout(total=0.1))
    async with client, client.stream("GET", server.url("/large?seconds=60")) as response:
        with pytest.raises(TimeoutError, match=r"longer than 0\.1 s in all"):
            await response.read()
    await server.stop()


@in_virtual_time
async def test_a_server_that_stops_listening_to_a_stream() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        async with Client(timeout=Timeout(write=0.1)) as client:
            with pytest.raises(WriteTimeout, match=r"took nothing for 0\.1 s"):
                await client.post(url, content=endless())
