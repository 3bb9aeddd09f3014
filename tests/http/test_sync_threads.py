"""What happens between the threads of a `SyncClient`: its loop's, and those that call it."""

import gc
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tulip_http import ClientClosed, Interim, Limits, Request, SyncClient
from tulip_http.testing import Answer, MockServer, ScriptedServer, Step

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def echo(request: Request) -> Answer:
    return Answer(body=request.content or b"")


def sent_through(client: SyncClient) -> Iterator[bytes]:
    with client.stream("POST", "http://h/", content=b"from one to the other") as response:
        yield from response.iter_bytes()


class TestBodies:
    @pytest.mark.parametrize("build", [False, True])
    def test_one_may_come_from_the_same_client(self, *, build: bool) -> None:
        with SyncClient(connect=MockServer(echo).connect) as client:
            content = sent_through(client)
            if build:
                request = client.build_request("PUT", "http://h/", content=content)
                response = client.send(request)
            else:
                response = client.put("http://h/", content=content)
            assert response.content == b"from one to the other"

    def test_one_that_comes_late_holds_nobody_up(self) -> None:
        come = threading.Event()

        def late() -> Iterator[bytes]:
            assert come.wait(10)
            yield b"late"

        with SyncClient(connect=MockServer(echo).connect, timeout=10) as client:
            found: list[bytes] = []
            thread = threading.Thread(
                target=lambda: found.append(client.put("http://h/", content=late()).content)
            )
            thread.start()
            assert client.get("http://h/").status_code == 200
            come.set()
            thread.join()
            assert found == [b"late"]

    def test_what_one_raises_comes_out(self) -> None:
        def failing() -> Iterator[bytes]:
            yield b"x"
            raise ZeroDivisionError

        with SyncClient(connect=MockServer(echo).connect) as client:
            with pytest.raises(ZeroDivisionError):
                client.put("http://h/", content=failing())
            assert client.put("http://h/", content=[b"a", b"b"]).content == b"ab"


def test_a_callback_cannot_wait_for_the_thread_it_is_called_in() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    server = ScriptedServer([Step.REQUEST, hints, OK, Step.HANG])
    with SyncClient(connect=server.connect) as client:

        def ask(_interim: Interim) -> None:
            client.get("http://h/")

        with pytest.raises(RuntimeError, match="would wait for itself"):
            client.get("http://h/", on_interim=ask)


def test_a_response_that_is_dropped_gives_its_place_to_the_next_one() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    endless: list[bytes | float | Step] = [Step.REQUEST, head, Step.HANG]
    server = ScriptedServer(endless, [Step.REQUEST, OK])
    limits = Limits(max_connections=1)
    with SyncClient(connect=server.connect, timeout=5, limits=limits) as client:
        response = client.stream("GET", "http://h/")
        found: list[bytes] = []
        thread = threading.Thread(target=lambda: found.append(client.get("http://h/").content))
        thread.start()
        while not client.stats().waiting:
            time.sleep(0.001)
        with pytest.warns(ResourceWarning, match="dropped before it was read or closed"):
            del response
        thread.join()
        assert found == [b"hi"]


def test_to_close_one_that_is_being_closed_is_left_to_its_thread() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def hold_up(_: Interim) -> None:
        entered.set()
        go_on.wait(10)

    def ask() -> None:
        with pytest.raises(ClientClosed):
            client.get("http://h/", on_interim=hold_up)

    server = ScriptedServer([Step.REQUEST, b"HTTP/1.1 103 E\r\n\r\n", Step.HANG])
    client = SyncClient(connect=server.connect)
    threads = [threading.Thread(target=ask), threading.Thread(target=client.close)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    while not client._thread._stopped:
        time.sleep(0.001)
    called: list[int] = []
    client._thread.stop(lambda: called.append(threading.get_ident()), wait=False)
    go_on.set()
    client.close()
    for thread in threads:
        thread.join(10)
    assert called == []


@pytest.mark.parametrize("cycle", [False, True])
def test_one_that_nobody_closed_is_collected_in_any_thread(*, cycle: bool) -> None:
    server = ScriptedServer([Step.REQUEST, OK, Step.HANG])
    client = SyncClient(connect=server.connect)
    assert client.get("http://h/").text == "hi"
    # What is left in a cycle is all finalized by whoever runs the garbage collector, in any order.
    left = [client, client._client._pool]
    if cycle:
        left.append(left)
    thread = client._thread._thread
    del client, left
    gc.collect()
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()


def test_what_a_signal_handler_raises_ends_the_call() -> None:
    class EnoughError(Exception):
        pass

    def enough(*_: object) -> None:
        raise EnoughError

    waits = threading.get_ident()

    def interrupt() -> None:
        while not client.stats().connections:
            time.sleep(0.001)
        # Not kill(): the kernel may give that to a thread that does not wait.
        signal.pthread_kill(waits, signal.SIGUSR1)

    server = ScriptedServer([Step.REQUEST, Step.HANG])
    before = signal.signal(signal.SIGUSR1, enough)
    try:
        with SyncClient(connect=server.connect) as client:
            other = threading.Thread(target=interrupt)
            other.start()
            with pytest.raises(EnoughError):
                client.get("http://h/")
            other.join()
            ends = time.monotonic() + 5
            while client.stats().connections and time.monotonic() < ends:
                time.sleep(0.001)
            assert client.stats().connections == 0  # it would be in use until the time limit
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_to_close_a_response_after_its_client_is_no_error() -> None:
    server = ScriptedServer([Step.REQUEST, OK[:-1], Step.HANG])
    with SyncClient(connect=server.connect) as client:
        response = client.stream("GET", "http://h/")
    response.close()
    assert response.is_closed
