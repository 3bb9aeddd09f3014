"""Requests without a client and without a coroutine."""

import pytest

import tulip_http
from tests.opponents.nginx import Nginx
from tulip_http import ConnectError, run


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_each_method(nginx: Nginx, method: str) -> None:
    call = getattr(tulip_http, method)
    response = call(nginx.url("/request"), headers={"X-Test": "yes"}, timeout=5)
    assert response.status_code == 200
    if method != "head":
        assert response.text == f"{method.upper()} /request yes"


def test_errors_come_out() -> None:
    with pytest.raises(ConnectError):
        tulip_http.get("http://127.0.0.1:1/")


def test_not_inside_of_run(nginx: Nginx) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="inside"):
            tulip_http.get(nginx.url("/hello.txt"))

    run(main())
