"""An HTTP client: `Client`, its requests and responses, and their errors.

What this layer promises:

- A request never takes longer than its timeouts, which are on by default, and an answer never takes
  more memory than its limits.
- What a caller passes cannot begin a second request: line ends in URLs, methods and headers are
  refused before anything is sent.
- What a server sends is either HTTP or an error that names what was wrong with it.
- A request that is cancelled or fails leaves no descriptor, no task, and no place in the pool.
- One tree of errors, under `HTTPError`; each carries its request.

What it refuses to do: guess where a message ends, repeat a request that may have had an effect,
verify no certificates unless told so.

From the layer below it re-exports what its users cannot do without: the coroutine decorator and
type, `run`, tasks, waiting, time limits, cancellation, and a queue and a semaphore for crawlers.

Reading order: `_errors`, `_url`, `_headers`, ``bodies/``, `_request`, `_timeouts`, `_limits`,
``wire/`` (HTTP/1.1 without I/O), `_info`, `_body`, `_response`, `_alarm`, `_pace`, `_deadlines`,
`_failures`, `_json`, `_upload`, `_sending`, `_receiving`, `_upgraded`, `_connection`, `_opening`,
`_line`, `_forked`, `_pool`, `_methods`, `_client`, `_loop_thread`, `_sync_response`, `_sync`,
`_scripts`, ``cli/``; and apart, for tests, ``testing/``.
"""

from tulip_http._client import Client, ResponseStream
from tulip_http._errors import (
    CertificateError,
    ClientClosed,
    ConnectError,
    ConnectTimeout,
    DecodingError,
    HTTPError,
    HTTPStatusError,
    InvalidURL,
    LocalProtocolError,
    NetworkError,
    PoolTimeout,
    ProtocolError,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    RequestError,
    ResponseNotRead,
    ResponseTooLarge,
    StreamClosed,
    StreamConsumed,
    StreamError,
    TimeoutException,
    TotalTimeout,
    TransportError,
    UnsupportedProtocol,
    WriteError,
    WriteTimeout,
)
from tulip_http._headers import Headers
from tulip_http._info import ConnectionInfo, Stats, Timings
from tulip_http._limits import Limits
from tulip_http._methods import RequestOptions, RequestParts
from tulip_http._request import Interim, Request
from tulip_http._response import Response
from tulip_http._scripts import (
    ScriptOptions,
    delete,
    get,
    head,
    options,
    patch,
    post,
    put,
    request,
    stream,
)
from tulip_http._sync import ClientOptions, SyncClient
from tulip_http._sync_response import SyncResponse
from tulip_http._timeouts import Timeout
from tulip_http._url import URL, Origin
from tulip_net import (
    AnyCoroutine,
    Cancelled,
    CancelScope,
    Coroutine,
    Gen,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    Semaphore,
    Task,
    TaskCancelledError,
    TaskGroup,
    Transport,
    as_completed,
    call_in_thread,
    coroutine,
    create_task,
    fail_after,
    move_on_after,
    run,
    shield,
    sleep,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)

__all__ = [
    "URL",
    "AnyCoroutine",
    "CancelScope",
    "Cancelled",
    "CertificateError",
    "Client",
    "ClientClosed",
    "ClientOptions",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionInfo",
    "Coroutine",
    "DecodingError",
    "Gen",
    "HTTPError",
    "HTTPStatusError",
    "Headers",
    "Interim",
    "InvalidURL",
    "Limits",
    "LocalProtocolError",
    "NetworkError",
    "Origin",
    "PoolTimeout",
    "ProtocolError",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "Request",
    "RequestError",
    "RequestOptions",
    "RequestParts",
    "Response",
    "ResponseNotRead",
    "ResponseStream",
    "ResponseTooLarge",
    "ScriptOptions",
    "Semaphore",
    "Stats",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "SyncClient",
    "SyncResponse",
    "Task",
    "TaskCancelledError",
    "TaskGroup",
    "Timeout",
    "TimeoutException",
    "Timings",
    "TotalTimeout",
    "Transport",
    "TransportError",
    "UnsupportedProtocol",
    "WriteError",
    "WriteTimeout",
    "as_completed",
    "call_in_thread",
    "coroutine",
    "create_task",
    "delete",
    "fail_after",
    "get",
    "head",
    "move_on_after",
    "options",
    "patch",
    "post",
    "put",
    "request",
    "run",
    "shield",
    "sleep",
    "stream",
    "wait_all",
    "wait_any",
    "wait_for",
    "with_timeout",
]
