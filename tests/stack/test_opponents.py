"""The opponents do what the tests of the layers count on, seen through the standard library."""

import gzip
import http.client
import ssl
from collections.abc import Iterator

import pytest

from tests.opponents import need
from tests.opponents.certificates import Certificates
from tests.opponents.nginx import BIG_BYTES, MARK_EVERY, Nginx


@pytest.fixture
def plain(nginx: Nginx) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10)
    yield connection
    connection.close()


def get(
    connection: http.client.HTTPConnection, path: str, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_a_file_comes_with_its_length_on_a_connection_that_is_kept(
    plain: http.client.HTTPConnection,
) -> None:
    for count in ("1", "2"):
        response, body = get(plain, "/hello.txt")
        assert (response.status, body) == (200, b"hello from nginx\n")
        assert response.headers["Content-Length"] == "17"
        assert response.headers["X-Request"] == count


@pytest.mark.parametrize("path,status", [("/204", 204), ("/304", 304), ("/500", 500)])
def test_statuses(plain: http.client.HTTPConnection, path: str, status: int) -> None:
    assert get(plain, path)[0].status == status


def test_a_conditional_request_gives_304(plain: http.client.HTTPConnection) -> None:
    etag = get(plain, "/hello.txt")[0].headers["ETag"]
    response, body = get(plain, "/hello.txt", **{"If-None-Match": etag})
    assert (response.status, body) == (304, b"")


def test_chunks(plain: http.client.HTTPConnection) -> None:
    response, body = get(plain, "/chunked/medium.bin")
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert body == bytes(range(256)) * 4096


def test_a_body_until_the_end_of_the_connection(plain: http.client.HTTPConnection) -> None:
    response, body = get(plain, "/until-close/hello.txt")
    assert "Content-Length" not in response.headers
    assert "Transfer-Encoding" not in response.headers
    assert body == b"hello from nginx\n"


def test_gzip(plain: http.client.HTTPConnection) -> None:
    response, body = get(plain, "/gzip/page.html", **{"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == b"<p>A page of 100 lines.</p>\n" * 100


def test_a_connection_that_is_not_kept(plain: http.client.HTTPConnection) -> None:
    assert get(plain, "/close/hello.txt")[0].headers["Connection"] == "close"


def test_redirects(plain: http.client.HTTPConnection, nginx: Nginx) -> None:
    assert get(plain, "/redirect")[0].headers["Location"] == nginx.url("/hello.txt")
    assert get(plain, "/redirect-loop")[0].headers["Location"] == nginx.url("/redirect-loop")
    assert get(plain, "/redirect-to-tls")[0].headers["Location"] == nginx.tls_url("/hello.txt")


def test_an_upload_comes_back(plain: http.client.HTTPConnection) -> None:
    plain.request("PUT", "/uploads/test", body=b"x" * 100_000)
    assert plain.getresponse().read() == b""
    assert get(plain, "/uploads/test")[1] == b"x" * 100_000


def test_the_big_file_has_a_mark_every_mebibyte(plain: http.client.HTTPConnection) -> None:
    plain.request("GET", "/big.bin", headers={"Range": f"bytes={MARK_EVERY}-{MARK_EVERY + 7}"})
    response = plain.getresponse()
    assert response.headers["Content-Range"].endswith(f"/{BIG_BYTES}")
    assert response.read() == MARK_EVERY.to_bytes(8, "big")


def test_no_answer(nginx: Nginx) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=0.05)
    with pytest.raises(TimeoutError):
        get(connection, "/silent")
    connection.close()


@pytest.mark.slow
def test_a_late_answer(plain: http.client.HTTPConnection) -> None:
    assert get(plain, "/late/hello.txt")[0].status == 200


def test_tls_with_the_authority_of_the_run(nginx: Nginx, certificates: Certificates) -> None:
    context = certificates.client_context()
    connection = http.client.HTTPSConnection("127.0.0.1", nginx.tls_port, context=context)
    assert get(connection, "/hello.txt")[0].status == 200
    connection.close()


def test_tls_without_that_authority(nginx: Nginx) -> None:
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection("127.0.0.1", nginx.tls_port, context=context)
    with pytest.raises(ssl.SSLCertVerificationError):
        get(connection, "/hello.txt")
    connection.close()


@pytest.mark.parametrize("ci,outcome", [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_opponent(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="apt-get install no-such-package"):
        need.program("no-such-program", package="no-such-package")
    with pytest.raises(outcome, match="pip install no-such-library"):
        need.library("no_such_library", requirement="no-such-library")
