"""Requests without a client and without a coroutine, for scripts: ``tulip_http.get(url)``.

Each call runs an event loop of its own, makes one request on one connection, and leaves nothing. A
program that makes several requests is better off with a `Client`, which keeps connections, inside
`run`, which lets requests run beside each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tulip_http._client import Client
from tulip_net import Gen, coroutine, run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tulip_http._client import RequestOptions
    from tulip_http._response import Response
    from tulip_http._url import URL


def request(method: str, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a request, wait for the whole answer, and return it; see `Client.request`.

    Raises:
        RuntimeError: Called inside of `run`: use a `Client` there.
        HTTPError: As `Client.request`.
    """
    return run(_once(method, url, options))


def get(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a GET request; see `request`."""
    return request("GET", url, **options)


def head(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a HEAD request; see `request`."""
    return request("HEAD", url, **options)


def post(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a POST request; see `request`."""
    return request("POST", url, **options)


def put(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a PUT request; see `request`."""
    return request("PUT", url, **options)


def patch(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a PATCH request; see `request`."""
    return request("PATCH", url, **options)


def delete(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send a DELETE request; see `request`."""
    return request("DELETE", url, **options)


def options(url: URL | str, **options: Unpack[RequestOptions]) -> Response:
    """Send an OPTIONS request; see `request`."""
    return request("OPTIONS", url, **options)


@coroutine
def _once(method: str, url: URL | str, options: RequestOptions) -> Gen[Response]:
    with Client() as client:
        return (yield from client.request(method, url, **options))
