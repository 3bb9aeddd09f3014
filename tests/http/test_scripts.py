"""Requests without a client and without a coroutine."""

import pytest

import tulip_http
from tests.opponents.certificates import Certificates
from tests.opponents.nginx import Nginx
from tulip_http import CertificateError, ConnectError, Limits, ResponseTooLarge, run


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_each_function_sends_its_own_method(nginx: Nginx, method: str) -> None:
    call = getattr(tulip_http, method)
    response = call(nginx.url("/request"), headers={"X-Test": "yes"}, timeout=5)
    assert response.status_code == 200
    if method != "head":
        assert response.text == f"{method.upper()} /request yes"


def test_what_came_is_iterated_over_without_coroutines(nginx: Nginx) -> None:
    response = tulip_http.get(nginx.url("/page.html"))
    assert len(list(response.iter_lines())) == 100
    assert "".join(response.iter_text()) == response.text
    assert b"".join(response.iter_bytes(100)) == response.content


def test_a_stream_is_read_in_pieces_or_left(nginx: Nginx) -> None:
    with tulip_http.stream("GET", nginx.url("/medium.bin"), timeout=5) as response:
        assert response.status_code == 200
        assert sum(map(len, response.iter_bytes())) == 1 << 20
    with tulip_http.stream("GET", nginx.url("/big.bin")) as response:
        assert next(response.iter_bytes())


def test_whom_to_trust_and_how_much_to_take(nginx: Nginx, certificates: Certificates) -> None:
    url = nginx.tls_url("/hello.txt")
    for tls in (False, certificates.client_context()):
        assert tulip_http.get(url, tls=tls).text == "hello from nginx\n"
        with tulip_http.stream("GET", url, tls=tls) as response:
            assert response.read() == b"hello from nginx\n"
    with pytest.raises(CertificateError):
        tulip_http.get(url)
    with pytest.raises(ResponseTooLarge):
        tulip_http.get(nginx.url("/hello.txt"), limits=Limits(max_body=5))


def test_errors_come_out() -> None:
    with pytest.raises(ConnectError):
        tulip_http.get("http://127.0.0.1:1/")


def test_not_inside_of_run(nginx: Nginx) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="inside"):
            tulip_http.get(nginx.url("/hello.txt"))

    run(main())
