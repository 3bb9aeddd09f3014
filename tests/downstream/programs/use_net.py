"""What a stranger does with tulip-net: serve, connect, read by the line, speak TLS.

Run with two files: a server's key and certificates, and the authority's certificate.
"""

import os
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_type

from tulip_net import (
    Address,
    AddressInfo,
    AnyCoroutine,
    BrokenError,
    BufferedReader,
    BufferedWriter,
    BusyError,
    Cancelled,
    CancelScope,
    CertificateError,
    Closable,
    ClosedError,
    ConnectError,
    Connector,
    Coroutine,
    DatagramTransport,
    DeadlockError,
    Event,
    Gen,
    HttpProxy,
    IncompleteReadError,
    LimitError,
    Listener,
    Lock,
    NamesCache,
    NetError,
    PipeEnd,
    PipeTransport,
    Portal,
    ProxyError,
    Queue,
    QueueEmpty,
    QueueFull,
    QueueShutDown,
    ResolveError,
    Resolver,
    Semaphore,
    SocketTransport,
    Socks4Proxy,
    Socks5Proxy,
    SslTransport,
    StaticNames,
    Task,
    TaskCancelledError,
    TaskGroup,
    TlsError,
    Transport,
    TruncatedError,
    WrongThreadError,
    as_completed,
    block,
    call_from_thread,
    call_in_thread,
    client_context,
    connect,
    coroutine,
    create_connection,
    create_task,
    create_transport,
    create_unix_transport,
    current_context,
    current_task,
    fail_after,
    format_address,
    getaddrinfo,
    getnameinfo,
    listen,
    listen_unix,
    map_over,
    move_on_after,
    open_datagram,
    par,
    proxy_from_url,
    recv_descriptors,
    run,
    send_descriptors,
    serve,
    server_context,
    shield,
    sleep,
    start_tls,
    wait_all,
    wait_any,
    wait_for,
    with_timeout,
)

SERVER_FILE, AUTHORITY_FILE = sys.argv[1:]


@coroutine
def shout(transport: Transport) -> Gen[None]:
    """Answer each line in capitals, until the client has said its last."""
    reader = BufferedReader(transport, limit=1000)
    while line := (yield from reader.readline()):
        yield from transport.send(line.upper())


def port_of(listener: Listener) -> int:
    """Return the port that a listener was given."""
    address = listener.addresses[0]
    assert_type(address, Address)
    assert_type(listener.descriptors, list[int])
    assert isinstance(address, tuple)
    assert_type(format_address(address), str)
    return address[1]


@coroutine
def talk_plainly() -> Gen[bytes]:
    """Serve and connect under ``yield from``."""
    listener = yield from listen("127.0.0.1")
    assert_type(listener, Listener)
    server = create_task(serve(shout, listener))
    with (yield from create_transport("localhost", port_of(listener))) as transport:
        assert_type(transport, Transport)
        yield from transport.send(b"one\ntwo\nrest")
        reader = BufferedReader(transport)
        assert_type((yield from reader.readline()), bytes)
        answer = yield from reader.readexactly(3)
        assert_type(answer, bytes)
        yield from transport.send_eof()
        assert (yield from reader.readuntil(b"\n", b"T")) == b"\nREST"[:1]
        assert (yield from reader.read(100)) == b"REST"
    listener.close()
    yield from server
    return answer


async def talk_over_tls() -> str | None:
    """Serve and connect over TLS, under ``await``."""
    listener = await listen("127.0.0.1")
    strict = server_context(
        SERVER_FILE,
        alpn=("h2",),
        client_authority=AUTHORITY_FILE,
        names={"*.example": server_context(Path(SERVER_FILE))},
    )
    other = await listen(["127.0.0.1"], reuse_port=True)
    server = create_task(serve(shout, listener, other, ssl=strict))
    assert client_context() is client_context()
    trusting = client_context(alpn=("h2",), authority=AUTHORITY_FILE, certificate=SERVER_FILE)
    assert_type(trusting, ssl.SSLContext)
    transport = await create_transport("127.0.0.1", port_of(listener), ssl=trusting)
    assert isinstance(transport, SslTransport)
    assert_type(transport.inner, Transport)
    version = transport.version
    assert_type(version, str | None)
    assert transport.alpn_protocol == "h2"
    assert_type(transport.peer_certificate, bytes | None)
    assert_type(transport.peer_names, tuple[tuple[str, str], ...])
    assert_type(transport.peer_subject, tuple[tuple[str, str], ...])
    assert_type(transport.cipher, tuple[str, str, int] | None)
    assert_type(transport.session_reused, bool)
    await transport.send(b"secret\n")
    assert_type(await transport.recv(100), bytes)
    assert_type(transport.session, ssl.SSLSession | None)
    await transport.aclose()
    listener.close()
    other.close()
    await server
    return version


class Account(Closable):
    """Something of our own that can be closed."""

    def __init__(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False


async def leave_blocks() -> bool:
    """Have each thing closed at the end of its block, with the type that it had before."""
    async with Account() as account:
        assert_type(account, Account)
    with await listen("127.0.0.1") as listener:
        assert_type(listener, Listener)
        async with await create_transport("127.0.0.1", port_of(listener)) as ours:
            assert_type(ours, Transport)
            with await listener.accept() as theirs:
                assert_type(theirs, SocketTransport)
    return account.open or listener.closed is False


async def connect_step_by_step() -> int:
    """Look a name up, connect a socket, and wrap it."""
    listener = await listen("127.0.0.1")
    answers = await getaddrinfo("127.0.0.1", port_of(listener), family=socket.AF_INET)
    numeric = await getnameinfo(answers[0][4], flags=socket.NI_NUMERICHOST)
    assert_type(numeric, tuple[str, str])
    assert_type(answers, list[AddressInfo])
    family, kind, protocol, _, address = answers[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    await connect(sock, address)
    ours = SocketTransport(sock)
    theirs = await listener.accept()
    assert_type(theirs, SocketTransport)
    await ours.send(memoryview(b"da"), bytearray(b"ta"))
    assert_type(ours.send_nowait(b""), int)
    assert_type(ours.disturbed, bool)
    with tempfile.TemporaryFile() as file:
        file.write(b"from a file")
        assert_type(await ours.send_file(file, 5, count=0), int)
    buffer = bytearray(10)
    count = await theirs.recv_into(buffer)
    assert_type(count, int)
    with move_on_after(0.01):
        assert_type(await start_tls(ours, server_hostname="localhost"), SslTransport)
    for each in (ours, theirs, listener):
        each.close()
    return count


@coroutine
def find_elsewhere(host: str, port: int, *, family: int) -> Gen[Sequence[AddressInfo]]:
    """Look names up in a table of our own."""
    assert host == "our.name"
    return (yield from getaddrinfo("127.0.0.1", port, family=family))


@coroutine
def connect_by_our_own_names() -> Gen[None]:
    """Use another resolver."""
    resolver: Resolver = find_elsewhere
    listener = yield from listen("127.0.0.1")
    sock = yield from create_connection("our.name", port_of(listener), resolver=resolver)
    assert_type(sock, socket.socket)
    sock.close()
    known: Resolver = NamesCache(StaticNames({"our.other.name": ["127.0.0.1"]}, resolver))
    sock = yield from create_connection("our.other.name", port_of(listener), resolver=known)
    sock.close()
    listener.close()


async def connect_through_proxies() -> None:
    """Chain proxies; nobody listens where the first of them should be."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        first: Connector = HttpProxy("127.0.0.1", port, username="me", password="secret")
        second = Socks5Proxy("second.example", 1080, through=first)
        third = Socks4Proxy("third.example", 1080, through=second)
        last = proxy_from_url("socks5://me:secret@last.example", through=third)
        try:
            assert_type(await create_transport("a.example", 443, proxy=last), Transport)
        except ProxyError as error:
            assert_type(error.proxy, str)
            assert_type(error.code, int | None)


async def write_in_small_pieces() -> bytes:
    """Collect what is written, and send it over a socket in the file system."""
    with tempfile.TemporaryDirectory() as folder:
        listener = await listen_unix(f"{folder}/socket", mode=0o600)
        ours = await create_unix_transport(f"{folder}/socket")
        assert_type(ours, SocketTransport)
        theirs = await listener.accept()
        writer = BufferedWriter(ours)
        for piece in (b"one", bytearray(b"two")):
            writer.write(piece)
        assert_type(writer.buffered, int)
        await writer.flush()
        received = await theirs.recv(100)
        for each in (ours, theirs, listener):
            each.close()
        return received


async def use_datagrams_pipes_and_descriptors() -> bytes:
    """Send a datagram; pass the end of a pipe over a Unix socket, and read from it."""
    async with await open_datagram(local_address=("127.0.0.1", 0)) as never_used:
        assert_type(never_used, DatagramTransport)
    server = await open_datagram(local_address=("127.0.0.1", 0))
    assert_type(server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536), None)
    assert_type(server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), int)
    assert_type(server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8), bytes)
    assert_type(server, DatagramTransport)
    client = await open_datagram(peer_address=("127.0.0.1", server.port))
    await client.send(b"datagram")
    data, sender = await server.recv_from()
    assert_type(sender, Address)
    await server.send_to(data, sender)
    assert_type(await client.recv(), bytes)
    reading, writing = os.pipe()
    end: PipeEnd = writing
    pipe: Transport = PipeTransport(send=end)
    ours, theirs = (SocketTransport(sock) for sock in pair())
    await send_descriptors(ours, [reading])
    os.close(reading)
    received, descriptors = await recv_descriptors(theirs)
    assert_type(received, bytes)
    assert_type(descriptors, list[int])
    await pipe.send(b"through ", b"a pipe")
    other = PipeTransport(descriptors[0])
    answer = await other.recv(100)
    for each in (server, client, pipe, other, ours, theirs):
        each.close()
    return answer


@coroutine
def meet_the_errors() -> Gen[None]:
    """Have each failure of the network named."""
    ours, theirs = (SocketTransport(sock) for sock in pair())
    yield from ours.send(b"no line end")
    try:
        yield from BufferedReader(theirs, limit=5).readline()
    except LimitError as error:
        assert_type(error.partial, bytes)
        assert_type(error.limit, int)
    waiting = create_task(theirs.recv(1))
    yield from sleep(0)
    assert isinstance((yield from failure_of(theirs.recv(1))), BusyError)
    ours.close()
    yield from waiting
    assert isinstance((yield from failure_of(ours.recv(1))), ClosedError)
    try:
        yield from BufferedReader(theirs).readexactly(5)
    except IncompleteReadError as error:
        assert_type(error.partial, bytes)
    theirs.close()
    lost = yield from failure_of(create_transport("no-such-name.invalid", 80))
    assert isinstance(lost, ResolveError)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        nobody = yield from failure_of(create_transport("127.0.0.1", port))
    assert isinstance(nobody, ConnectError)
    for kind in (BrokenError, TlsError, CertificateError, TruncatedError):
        assert issubclass(kind, NetError)
    assert issubclass(WrongThreadError, RuntimeError)


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that do not block."""
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    return left, right


@coroutine
def failure_of(coro: Coroutine[object]) -> Gen[Exception]:
    """Return what a coroutine raises."""
    try:
        yield from coro
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("it did not fail")


@coroutine
def use_what_lies_below() -> Gen[list[int]]:
    """Use what this layer passes on from the one below: no second import is needed."""

    @coroutine
    def one(number: int) -> Gen[int]:
        yield from sleep(0)
        return number

    numbers = yield from map_over(one, [1, 2])
    assert_type((yield from par(one(3), call_in_thread(str, 4))), tuple[int, str])
    assert_type((yield from with_timeout(60, one(5))), int)
    tasks: list[Task[int]] = [create_task(one(number)) for number in (6, 7)]
    for waiting in (wait_any(tasks), wait_for(1, tasks), wait_all(tasks)):
        assert_type((yield from waiting), set[Task[int]])
    for step in as_completed(tasks):
        numbers.append((yield from step).result())

    @coroutine
    def body(group: TaskGroup) -> Gen[None]:
        group.start_soon(one(8))
        with fail_after(60), shield() as scope:
            assert_type(scope, CancelScope)
            yield from sleep(0)

    yield from TaskGroup().run(body)
    handle = current_context().eventloop.call_soon(current_task().unblock)
    block(handle.cancel)
    yield
    endless: AnyCoroutine[None] = sleep(3600)
    task = create_task(endless)
    yield from sleep(0)
    task.cancel()
    yield from task.wait()
    assert isinstance(task.exception(), TaskCancelledError)
    assert not issubclass(Cancelled, Exception)
    return numbers


def fill_a_queue() -> None:
    """Put and take without waiting, and be told when that cannot be."""
    queue: Queue[int] = Queue(1)
    queue.put_nowait(1)
    try:
        queue.put_nowait(2)
    except QueueFull:
        assert_type(queue.get_nowait(), int)
    try:
        queue.get_nowait()
    except QueueEmpty as error:
        assert_type(error, QueueEmpty)


async def share_between_tasks() -> list[int]:
    """Hand numbers from one task to another, one at a time, and back from a thread."""
    queue: Queue[int] = Queue(1)
    lock, slots, started = Lock(), Semaphore(1), Event()
    seen: list[int] = []
    fill_a_queue()

    async def consume() -> None:
        started.set()
        try:
            while True:
                async with lock, slots:
                    seen.append(await queue.get())
        except QueueShutDown:
            pass

    task = create_task(consume())
    await started.wait()
    for number in range(2):
        await queue.put(number)
    await call_in_thread(call_from_thread, queue.put, 2)
    with Portal() as portal:
        await call_in_thread(portal.call, queue.put, 3)
    queue.shutdown()
    await task
    assert issubclass(DeadlockError, RuntimeError)
    return seen


@coroutine
def refused(transport: Transport, listener: Listener) -> Gen[None]:
    """Each of these lines is a mistake that the type checker finds."""
    transport.send(b"never sent")  # type: ignore[unused-awaitable]
    transport.aclose()  # type: ignore[unused-awaitable]
    yield from transport.send("text")  # type: ignore[arg-type]
    yield from transport.close()  # type: ignore[misc, func-returns-value]
    yield from transport.recv()  # type: ignore[call-arg]
    yield from create_transport("localhost", "80")  # type: ignore[arg-type]
    yield from serve(len, listener)  # type: ignore[arg-type]
    line: str = yield from BufferedReader(transport).readline()  # type: ignore[assignment]
    handler: Callable[[Transport], AnyCoroutine[object]] = shout
    print(line, handler)


if __name__ == "__main__":
    assert run(talk_plainly()) == b"TWO"
    assert run(talk_over_tls()) == "TLSv1.3"
    assert run(connect_step_by_step()) == 4
    assert run(leave_blocks()) is False
    run(connect_by_our_own_names())
    run(connect_through_proxies())
    assert run(write_in_small_pieces()) == b"onetwo"
    assert run(use_datagrams_pipes_and_descriptors()) == b"through a pipe"
    run(meet_the_errors())
    assert run(share_between_tasks()) == [0, 1, 2, 3]
    assert run(use_what_lies_below()) == [1, 2, 6, 7]
