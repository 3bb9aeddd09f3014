"""Requests without a client and without a coroutine, for scripts: ``tulip_http.get(url)``.

Each call runs an event loop of its own, makes one request on one connection, and leaves nothing. A
program that makes several requests is better off with a `Client`, which keeps connections, inside
`run`, which lets requests run beside each other.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tulip_http._client import Client
from tulip_http._methods import RequestOptions
from tulip_http._sync import ClientOptions, SyncClient
from tulip_http._sync_response import SyncResponse
from tulip_net import Gen, coroutine, run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tulip_http._limits import Limits
    from tulip_http._opening import TlsTypes
    from tulip_http._response import Response
    from tulip_http._url import URL


class ScriptOptions(RequestOptions, total=False):
    """What a request without a client can be given.

    Attributes:
        tls: As for `Client`: False verifies nothing.
        limits: As for `Client`.
    """

    tls: TlsTypes
    limits: Limits


def request(method: str, url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a request, wait for the whole answer, and return it; see `Client.request`.

    Args:
        method: Any token.
        url: Absolute.
        options: As for `Client.request`; and ``tls`` and ``limits``, as for `Client`.

    Raises:
        RuntimeError: Called inside of `run`: use a `Client` there.
        HTTPError: As `Client.request`.
    """
    return SyncResponse(run(_once(method, url, options)))


def get(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a GET request; see `request`."""
    return request("GET", url, **options)


def head(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a HEAD request; see `request`."""
    return request("HEAD", url, **options)


def post(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a POST request; see `request`."""
    return request("POST", url, **options)


def put(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a PUT request; see `request`."""
    return request("PUT", url, **options)


def patch(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a PATCH request; see `request`."""
    return request("PATCH", url, **options)


def delete(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send a DELETE request; see `request`."""
    return request("DELETE", url, **options)


def options(url: URL | str, **options: Unpack[ScriptOptions]) -> SyncResponse:
    """Send an OPTIONS request; see `request`."""
    return request("OPTIONS", url, **options)


@contextmanager
def stream(
    method: str, url: URL | str, **options: Unpack[ScriptOptions]
) -> Generator[SyncResponse]:
    """Send a request and read the body of the answer piece by piece; see `SyncClient.stream`.

    Use it as ``with tulip_http.stream("GET", url) as response``.
    """
    given, rest = _client_options(options)
    with SyncClient(**given) as client, client.stream(method, url, **rest) as response:
        yield response


@coroutine
def _once(method: str, url: URL | str, options: ScriptOptions) -> Gen[Response]:
    given, rest = _client_options(options)
    with Client(**given) as client:
        return (yield from client.request(method, url, **rest))


def _client_options(options: ScriptOptions) -> tuple[ClientOptions, RequestOptions]:
    """Return what is for the client, and what is for the request."""
    given = ClientOptions()
    if "tls" in options:
        given["tls"] = options.pop("tls")
    if "limits" in options:
        given["limits"] = options.pop("limits")
    return given, options
