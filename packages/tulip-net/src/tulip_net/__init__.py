"""Sockets and TLS: transports, buffered reading, connecting, serving; and child processes.

What this layer promises:

- One small protocol, `Transport`, for every stream of bytes; the same code runs on a socket, on
  TLS, and on TLS inside TLS.
- A cancelled receive takes no byte off the stream; a cancelled send tells how much did not go.
- One task per direction. A second one gets `BusyError` at once, and the first is unharmed.
- Certificates are verified unless you say otherwise, against the operating system's trust store;
  a TLS stream that is cut short is an error, not an end.
- A connection that was not made leaves no socket behind, and says what was tried, and why it
  failed.
- A program that was run leaves no process behind, cancelled or not.

What it refuses to do: retry, reconnect, and hide where a message ends.

From the layer below it re-exports what its users cannot do without: the coroutine decorator and
type, `run`, tasks, waiting, time limits, cancellation, threads and back, what tasks share (events,
locks, queues, semaphores), and the errors of misuse.

Reading order: `_errors`, `_address`, `_seconds` (limits that a caller gives), `_closable`
(``with``), `_transport` (the protocol), `_gather` (several buffers as one), `_send_file`,
`_receive_into`, `_turns` (of the others), `_options` (of sockets), `_socket_sending`, `_socket`,
`_buffered` (reader), `_buffered_writer`, ``tls/``, `_lookups` (threads for names), `_resolve` (from
a name to addresses), `_names` (a cache, a map), `_connect` (Happy Eyeballs), `_create_transport`,
``proxies/``, `_log`, `_listener`, `_listen`, `_serve`, `_unix` (sockets in the file system),
`_descriptors` (passed over those), `_nonblocking` (open files), `_pipe`, `_process` (a child),
`_open_process`, `_run_process` (to its end), `_datagram`, `_open_datagram`; and apart, for tests,
``testing/``.
"""

from tulip_net._address import Address, AddressInfo, format_address
from tulip_net._buffered import BufferedReader
from tulip_net._buffered_writer import BufferedWriter
from tulip_net._closable import Closable
from tulip_net._connect import connect, create_connection
from tulip_net._create_transport import Connector, create_transport
from tulip_net._datagram import DatagramTransport
from tulip_net._descriptors import recv_descriptors, send_descriptors
from tulip_net._errors import (
    BrokenError,
    CertificateError,
    ConnectError,
    IncompleteReadError,
    LimitError,
    NetError,
    ProxyError,
    ResolveError,
    TlsError,
    TruncatedError,
)
from tulip_net._listen import listen
from tulip_net._listener import Listener
from tulip_net._names import NamesCache, StaticNames
from tulip_net._open_datagram import open_datagram
from tulip_net._open_process import ProcessOptions, Stdio, open_process
from tulip_net._pipe import PipeEnd, PipeTransport
from tulip_net._process import Command, Process
from tulip_net._resolve import Resolver, getaddrinfo, getnameinfo
from tulip_net._run_process import run_process
from tulip_net._serve import serve
from tulip_net._socket import SocketTransport
from tulip_net._transport import Transport
from tulip_net._unix import create_unix_transport, listen_unix
from tulip_net.proxies import HttpProxy, Socks4Proxy, Socks5Proxy, proxy_from_url
from tulip_net.tls import SslTransport, client_context, server_context, start_tls
from tulip_sched import (
    AnyCoroutine,
    BusyError,
    Cancelled,
    CancelScope,
    ClosedError,
    Coroutine,
    DeadlockError,
    Event,
    Gen,
    Lock,
    Portal,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    Semaphore,
    Task,
    TaskCancelledError,
    TaskGroup,
    WrongThreadError,
    as_completed,
    block,
    call_from_thread,
    call_in_thread,
    coroutine,
    create_task,
    current_context,
    current_task,
    fail_after,
    map_over,
    move_on_after,
    par,
    run,
    shield,
    sleep,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)

__all__ = [
    "Address",
    "AddressInfo",
    "AnyCoroutine",
    "BrokenError",
    "BufferedReader",
    "BufferedWriter",
    "BusyError",
    "CancelScope",
    "Cancelled",
    "CertificateError",
    "Closable",
    "ClosedError",
    "Command",
    "ConnectError",
    "Connector",
    "Coroutine",
    "DatagramTransport",
    "DeadlockError",
    "Event",
    "Gen",
    "HttpProxy",
    "IncompleteReadError",
    "LimitError",
    "Listener",
    "Lock",
    "NamesCache",
    "NetError",
    "PipeEnd",
    "PipeTransport",
    "Portal",
    "Process",
    "ProcessOptions",
    "ProxyError",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "ResolveError",
    "Resolver",
    "Semaphore",
    "SocketTransport",
    "Socks4Proxy",
    "Socks5Proxy",
    "SslTransport",
    "StaticNames",
    "Stdio",
    "Task",
    "TaskCancelledError",
    "TaskGroup",
    "TlsError",
    "Transport",
    "TruncatedError",
    "WrongThreadError",
    "as_completed",
    "block",
    "call_from_thread",
    "call_in_thread",
    "client_context",
    "connect",
    "coroutine",
    "create_connection",
    "create_task",
    "create_transport",
    "create_unix_transport",
    "current_context",
    "current_task",
    "fail_after",
    "format_address",
    "getaddrinfo",
    "getnameinfo",
    "listen",
    "listen_unix",
    "map_over",
    "move_on_after",
    "open_datagram",
    "open_process",
    "par",
    "proxy_from_url",
    "recv_descriptors",
    "run",
    "run_process",
    "send_descriptors",
    "serve",
    "server_context",
    "shield",
    "sleep",
    "start_tls",
    "wait_all",
    "wait_any",
    "wait_for",
    "with_timeout",
]
