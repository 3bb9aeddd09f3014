"""No exception of another library comes through: what is wrong is said by an error of this tree.

What comes out as it is: a `TypeError` for an argument that cannot be meant, and whatever the
caller's own code raises (a body's iterator, a file, a hook).
"""

import encodings.aliases
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.running import Script, in_loop
from tulip_http import (
    Client,
    ConnectError,
    DecodingError,
    Gen,
    InvalidURL,
    LocalProtocolError,
    Request,
    RequestParts,
    Response,
    Transport,
    coroutine,
    run,
)
from tulip_http.bodies._text import text_decoder
from tulip_http.testing import Answer, MockServer


def answered(body: bytes, content_type: str = "application/json") -> Response:
    """Return the response to a GET, as the client makes it."""

    async def main() -> Response:
        server = MockServer(lambda _: Answer(200, body, {"Content-Type": content_type}))
        async with Client(connect=server.connect) as client:
            return await client.get("http://h/x")

    return run(main())


class TestJson:
    @pytest.mark.parametrize(
        "body, message",
        [
            (b"", "is empty"),
            (b"<html>", "Expecting value: line 1 column 1"),
            (b'{"a": 1', "Expecting ',' delimiter"),
            (b'"\xff"', "can't decode byte 0xff"),
            (b"\xff\xfe\x00", "truncated data"),
            (b"[" * 100_000, "nested too deeply"),
            (b"9" * 5000, "4300 digits"),
        ],
    )
    def test_what_is_none(self, body: bytes, message: str) -> None:
        """It is an error of ours, and the one that users of httpx and requests catch."""
        response = answered(body)
        with pytest.raises(DecodingError, match=message) as caught:
            response.json()
        error = caught.value
        assert error.request is response.request
        assert error.phase == "response"
        assert str(error).startswith("the body of the answer to GET http://h/x is not JSON")
        assert isinstance(error, json.JSONDecodeError)
        assert isinstance(error, ValueError)

    def test_the_error_is_whole_in_another_process(self) -> None:
        with pytest.raises(DecodingError) as caught:
            answered(b'{"a":\n x}').json()
        copy = pickle.loads(pickle.dumps(caught.value))
        assert str(copy) == str(caught.value)
        assert (copy.doc, copy.pos, copy.lineno, copy.colno) == ('{"a":\n x}', 7, 2, 2)
        assert copy.request.url == "http://h/x"

    def test_a_value(self) -> None:
        assert answered('{"ü": 1.5}'.encode()).json() == {"ü": 1.5}
        assert answered("[1]".encode("utf-16")).json() == [1]

    def test_options_are_those_of_the_standard_library(self) -> None:
        assert answered(b"[1.50]").json(parse_float=str) == ["1.50"]


class TestText:
    @pytest.mark.parametrize("charset", sorted({*encodings.aliases.aliases.values(), "idna"}))
    def test_whatever_charset_is_announced(self, charset: str) -> None:
        """Python has codecs that are no character sets: hex, zlib, rot13, idna, undefined."""
        body = b"a\\xff\xff\n-x-\nend"

        async def read(response: Response) -> str:
            return "".join([text async for text in response.iter_text()])

        async def lines(response: Response) -> list[str]:
            return [line async for line in response.iter_lines()]

        response = answered(body, f"text/plain; charset={charset}")
        assert run(read(answered(body, f"text/plain; charset={charset}"))) == response.text
        assert run(lines(answered(body, f"text/plain; charset={charset}")))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-16-be"])
    def test_marks_of_the_order_of_bytes_are_looked_at_however_they_come(
        self, encoding: str
    ) -> None:
        announced = encoding.removesuffix("-be")
        decoder = text_decoder(announced)
        data = "\ufeffäö".encode(encoding)
        pieces = [decoder.decode(data[i : i + 1]) for i in range(len(data))]
        assert "".join([*pieces, decoder.decode(b"", final=True)]) == data.decode(announced)

    @pytest.mark.parametrize("charset", ["iso2022_jp", "iso2022_kr", "iso2022_jp_2004"])
    @given(parts=st.lists(st.sampled_from([b"\x1b", b"$", b"(", b"B", b"x", b"\n", b"\x0e"])))
    def test_escapes_without_end(self, charset: str, parts: list[bytes]) -> None:
        """Python's decoders of pieces raise an error where those of the whole do not."""
        decoder = text_decoder(charset)
        pieces = [decoder.decode(part) for part in [*parts, b"a\nb\n", b"end"]]
        text = "".join([*pieces, decoder.decode(b"", final=True)])
        assert text.endswith("end") or b"\x0e" in parts or b"$" in parts
        whole = answered(b"".join([*parts, b"a\nb\n", b"end"]), f"text/plain; charset={charset}")
        assert whole.text == text  # nothing is lost of it

    @pytest.mark.parametrize("charset", ["hex", "zip", "rot13", "undefined", "unicode_escape"])
    def test_what_is_no_charset_is_not_believed(self, charset: str) -> None:
        response = answered(b"00", f"text/plain; charset={charset}")
        assert (response.encoding, response.text) == ("utf-8", "00")

    @pytest.mark.parametrize(
        "value",
        [
            "charset",
            "x; charset=",
            'x; charset="',
            "x; charset*=a'b'c%",
            "x; charset*0*=%ff''",
            ";charset=\xa0",
            "x; charset=;charset*0=;charset*=",
            "x; charset=" + "a" * 50_000,
        ],
    )
    def test_a_content_type_that_is_none(self, value: str) -> None:
        assert answered(b"x", value).text == "x"

    @pytest.mark.parametrize("name", ["nonsense", "hex"])
    def test_the_callers_own_choice_must_be_one(self, name: str) -> None:
        with pytest.raises(LookupError):
            answered(b"x").encoding = name


class TestWhatIsAsked:
    @pytest.mark.parametrize(
        "parts",
        [
            RequestParts(content="\ud800"),
            RequestParts(json={"a": "\ud800"}),
            RequestParts(data={"a": "\ud800"}),
            RequestParts(params={"\ud800": 1}),
            RequestParts(params="\ud800"),
            RequestParts(headers={"A": "\ud800"}),
            RequestParts(headers={"\ud800": "a"}),
            RequestParts(target="\ud800"),
            RequestParts(files={"\ud800": b"x"}),
            RequestParts(files={"f": "\ud800"}),
            RequestParts(files={"f": b"x"}, data={"a": "\ud800"}),
        ],
    )
    def test_text_that_no_encoding_has(self, parts: RequestParts) -> None:
        with pytest.raises(LocalProtocolError):
            Request("POST", "http://h/", **parts)

    def test_a_filename_goes_out_as_the_file_system_has_it(self) -> None:
        request = Request("POST", "http://h/", files={"f": ("\udcff.bin", b"x")})
        assert request.stream is not None
        assert b'filename="\xff.bin"' in request.stream._source._parts[0].head  # type: ignore[union-attr]

    @pytest.mark.parametrize("url", ["http://a..b/", "http://.example/", "https://-/", "http://*/"])
    @in_loop
    async def test_names_that_cannot_be_looked_up(self, url: str) -> None:
        async with Client(timeout=5) as client:
            with pytest.raises((ConnectError, InvalidURL)):
                await client.get(url)

    @pytest.mark.parametrize("url", [5, None, b"http://h/", Path("/x")])
    def test_a_url_is_text(self, url: object) -> None:
        with pytest.raises(TypeError, match="a URL is text"):
            Client().build_request("GET", url)  # type: ignore[arg-type]


class TestConnecting:
    @pytest.mark.parametrize(
        "error", [OSError(5, "broken"), TimeoutError("mine"), ConnectionResetError()]
    )
    @in_loop
    async def test_errors_of_an_own_way_to_connect(self, error: OSError) -> None:
        @coroutine
        def connect(_origin: object) -> Gen[Transport]:
            yield from ()
            raise error

        async with Client(connect=connect) as client:
            with pytest.raises(ConnectError) as caught:
                await client.get("http://h/")
            assert caught.value.__cause__ is error
            assert caught.value.request is not None
            assert client.stats().connections == 0

    @pytest.mark.parametrize("tls", ["ca.pem", 1, None])
    def test_tls_is_a_context_or_a_boolean(self, tls: object) -> None:
        with pytest.raises(TypeError, match="tls is True, False or an SSLContext"):
            Client(tls=tls)  # type: ignore[arg-type]


class TestTheCallersOwn:
    """These are not translated: the caller knows best what they mean."""

    @in_loop
    async def test_a_file_that_fails(self, tmp_path: Path) -> None:
        class Broken:
            def read(self, _size: int) -> bytes:
                raise OSError(5, "the disk is broken")

        async with Script(b"", hang=True) as server, Client() as client:
            with pytest.raises(OSError, match="the disk is broken"):
                await client.post(server.url(), content=Broken())
            with pytest.raises(OSError, match="the disk is broken"):
                await client.post(server.url(), files={"f": Broken()})
            assert client.stats().connections == 0

    @in_loop
    async def test_a_hook_that_fails(self) -> None:
        def hook(_interim: object) -> None:
            raise ZeroDivisionError

        script = b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
        async with Script(script) as server, Client() as client:
            with pytest.raises(ZeroDivisionError):
                await client.get(server.url(), on_interim=hook)
            assert client.stats().connections == 0
