"""The errors of this layer, by phase and by who must act.

Names are httpx's where the meaning is the same. Three questions have an answer on each of them:
which request (`request`, where there is one), which phase (`phase`), and whether sending the same
request again is harmless because the server cannot have acted on it (`safe_to_repeat`).

    HTTPError
        InvalidURL                      you: not a URL
        HTTPStatusError                 the server: said no (4xx), or failed (5xx)
        StreamError                     you: the body was read twice, too early, or too late
            StreamConsumed, StreamClosed, ResponseNotRead
        RequestError
            UnsupportedProtocol         you: neither http nor https
            ClientClosed                you: the client was closed before, or meanwhile
            DecodingError               the server: the body is not what its headers say, or no JSON
            ResponseTooLarge            the server: more than the limits you set
            TransportError
                TimeoutException        the world: too slow
                    PoolTimeout, ConnectTimeout, WriteTimeout, ReadTimeout, TotalTimeout
                NetworkError            the world: the connection failed
                    ConnectError (CertificateError), WriteError, ReadError
                ProtocolError
                    LocalProtocolError  you: what was to be sent is not HTTP
                    RemoteProtocolError the server: what it sent is not HTTP

Every message names the values. Every error pickles: a message first, the rest as attributes.
"""

# ruff: noqa: N818 - the names are httpx's, so that programs can move over

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from tulip_http._request import Request
    from tulip_http._response import Response
    from tulip_http._sync_response import SyncResponse


class HTTPError(Exception):
    """Anything that went wrong with a request; the root of this layer's errors.

    Attributes:
        request: What was asked, or None where it went wrong before there was a request.
        safe_to_repeat: The server cannot have acted on the request, or acting twice is harmless.
        phase: Where it happened: "request", "pool", "connect", "write", "read" or "response".
    """

    phase: str = "request"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.request: Request | None = None
        self.safe_to_repeat = False


@final
class InvalidURL(HTTPError, ValueError):
    """Not an absolute http or https URL, and the message says what is wrong with it."""


@final
class HTTPStatusError(HTTPError):
    """`Response.raise_for_status` found a status that says no (4xx) or that it failed (5xx).

    Attributes:
        response: The response that was asked.
    """

    phase = "response"

    def __init__(self, message: str, *, response: Response | SyncResponse | None = None) -> None:
        super().__init__(message)
        self.response = response


class StreamError(HTTPError, RuntimeError):
    """A body was used in a way a stream cannot be."""

    phase = "response"


@final
class StreamConsumed(StreamError):
    """The body was already read in pieces, and is gone."""


@final
class StreamClosed(StreamError):
    """The response was closed before its body was read to the end."""


@final
class ResponseNotRead(StreamError):
    """The body of a streamed response was asked for before it was read."""


class RequestError(HTTPError):
    """A request got no complete answer."""


@final
class UnsupportedProtocol(RequestError):
    """The URL's scheme is neither http nor https."""


@final
class ClientClosed(RequestError):
    """The client was closed, before the request or while it was under way."""


class DecodingError(RequestError):
    """The body is not in the form that its headers announce, or not the JSON that was asked for."""

    phase = "response"


@final
class ResponseTooLarge(RequestError):
    """The body is larger than the limit set for it."""

    phase = "response"


class TransportError(RequestError):
    """The exchange with the server failed."""


class TimeoutException(TransportError, TimeoutError):
    """Something took longer than its limit; the subclass says what."""


@final
class PoolTimeout(TimeoutException):
    """No connection became free in time."""

    phase = "pool"


@final
class ConnectTimeout(TimeoutException):
    """The connection was not made in time, TLS included."""

    phase = "connect"


@final
class WriteTimeout(TimeoutException):
    """The server did not take the request in time."""

    phase = "write"


@final
class ReadTimeout(TimeoutException):
    """The server was silent for too long."""

    phase = "read"


@final
class TotalTimeout(TimeoutException):
    """The call as a whole took longer than its limit; ``phase`` says how far it had come."""

    def __init__(self, message: str, *, phase: str = "request") -> None:
        super().__init__(message)
        self.phase = phase


class NetworkError(TransportError):
    """The connection failed; ``__cause__`` says how."""


class ConnectError(NetworkError):
    """No connection could be made: the name, the address, or the port does not answer."""

    phase = "connect"


@final
class CertificateError(ConnectError):
    """The server did not prove that it is who the URL says."""


@final
class WriteError(NetworkError):
    """The connection failed while the request was being sent."""

    phase = "write"


@final
class ReadError(NetworkError):
    """The connection failed while an answer was awaited."""

    phase = "read"


class ProtocolError(TransportError):
    """The rules of HTTP were broken."""


@final
class LocalProtocolError(ProtocolError):
    """What was to be sent is not HTTP; nothing was sent."""


@final
class RemoteProtocolError(ProtocolError):
    """What the server sent is not HTTP, or was cut short."""

    phase = "read"
