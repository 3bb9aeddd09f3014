"""The same echo under both keywords, in two threads with two loops at the same time."""

import threading

import pytest

from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    Gen,
    Transport,
    coroutine,
    create_task,
    create_transport,
    listen,
    run,
    serve,
)

ROUNDS = 50


@coroutine
def echo_in_a_generator(transport: Transport) -> Gen[None]:
    while data := (yield from transport.recv(65536)):
        yield from transport.send(data)


async def echo_in_a_coroutine(transport: Transport) -> None:
    while data := await transport.recv(65536):
        await transport.send(data)


@coroutine
def in_a_generator(certificates: Certificates | None) -> Gen[int]:
    listener = yield from listen("127.0.0.1")
    context = certificates.server_context() if certificates else None
    server = create_task(serve(echo_in_a_generator, listener, ssl=context))
    transport = yield from create_transport(
        "127.0.0.1", listener.port, ssl=certificates.client_context() if certificates else None
    )
    reader, total = BufferedReader(transport), 0
    for number in range(ROUNDS):
        yield from transport.send(b"%d\n" % number)
        total += int((yield from reader.readline()))
    yield from transport.aclose()
    listener.close()
    yield from server
    return total


async def in_a_coroutine(certificates: Certificates | None) -> int:
    listener = await listen("127.0.0.1")
    context = certificates.server_context() if certificates else None
    server = create_task(serve(echo_in_a_coroutine, listener, ssl=context))
    transport = await create_transport(
        "127.0.0.1", listener.port, ssl=certificates.client_context() if certificates else None
    )
    reader, total = BufferedReader(transport), 0
    for number in range(ROUNDS):
        await transport.send(b"%d\n" % number)
        total += int(await reader.readline())
    await transport.aclose()
    listener.close()
    await server
    return total


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("main", [in_a_generator, in_a_coroutine])
def test_a_server_and_a_client_in_either_style(
    main: object, tls: bool, certificates: Certificates
) -> None:
    call = in_a_generator if main is in_a_generator else in_a_coroutine
    assert run(call(certificates if tls else None)) == sum(range(ROUNDS))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_two_threads_with_a_loop_each(tls: bool, certificates: Certificates) -> None:
    results: dict[str, int] = {}
    start = threading.Barrier(2)

    def thread(name: str) -> None:
        start.wait()
        call = in_a_generator if name == "generator" else in_a_coroutine
        results[name] = run(call(certificates if tls else None))

    threads = [threading.Thread(target=thread, args=(n,)) for n in ("generator", "coroutine")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == dict.fromkeys(("generator", "coroutine"), sum(range(ROUNDS)))
