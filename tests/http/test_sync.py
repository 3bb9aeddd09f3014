"""The client for programs without coroutines."""

import threading
import time

import pytest

from tests.opponents.nginx import Nginx
from tulip_http import ClientClosed, ConnectError, Limits, SyncClient, run
from tulip_http.testing import Answer, MockServer, ScriptedServer, Step


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_each_method_keeps_its_connection(nginx: Nginx, method: str) -> None:
    with SyncClient(headers={"X-Test": "yes"}, timeout=5) as client:
        for _ in range(3):
            response = getattr(client, method)(nginx.url("/request"))
            if method != "head":
                assert response.text == f"{method.upper()} /request yes"
        stats = client.stats()
        assert (stats.opened, stats.exchanges, stats.idle, stats.waiting) == (1, 3, 1, 0)


def test_streams(nginx: Nginx) -> None:
    with SyncClient() as client:
        with client.stream("GET", nginx.url("/medium.bin")) as response:
            assert response.status_code == 200
            assert int(response.headers["content-length"]) == 1 << 20
            assert sum(map(len, response.raise_for_status().iter_bytes())) == 1 << 20
        with client.stream("GET", nginx.url("/page.html")) as response:
            assert len(list(response.iter_lines())) == 100
        with client.stream("GET", nginx.url("/page.html")) as response:
            assert "".join(response.iter_text()).count("<p>") == 100
        with client.stream("GET", nginx.url("/gzip/page.html")) as response:
            assert b"".join(response.iter_raw()).startswith(b"\x1f\x8b")
        with client.stream("GET", nginx.url("/hello.txt")) as response:
            assert response.read() == b"hello from nginx\n"
        with client.stream("GET", nginx.url("/big.bin")) as response:
            assert next(response.iter_bytes())


def test_errors_come_out() -> None:
    with SyncClient() as client:
        with pytest.raises(ConnectError):
            client.get("http://127.0.0.1:1/")
        request = client._client.build_request("GET", "http://127.0.0.1:1/")
        with pytest.raises(ConnectError):
            client.send(request)
    with pytest.raises(ClientClosed):
        client.get("http://127.0.0.1:1/")


def test_threads_share_it_and_its_limits() -> None:
    server = MockServer(lambda request: Answer(body=request.target.encode()))
    found: list[str] = []
    with SyncClient(limits=Limits(max_connections=2), connect=server.connect) as client:

        def work(number: int) -> None:
            found.extend(client.get(f"http://h/{number}/{turn}").text for turn in range(10))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == sorted(f"/{a}/{b}" for a in range(4) for b in range(10))
    assert server.connections <= 2


def test_inside_of_a_run(nginx: Nginx) -> None:
    """It holds the run up, but works: its loop is another thread's."""

    async def main() -> str:
        with SyncClient() as client:
            return client.get(nginx.url("/hello.txt")).text

    assert run(main()) == "hello from nginx\n"


def test_one_that_nobody_closed_leaves_nothing(nginx: Nginx) -> None:
    assert SyncClient().get(nginx.url("/hello.txt")).status_code == 200
    SyncClient().close()


def test_closing_ends_what_another_thread_waits_for() -> None:
    outcomes: list[type[BaseException]] = []
    server = ScriptedServer([Step.REQUEST, Step.HANG])
    client = SyncClient(connect=server.connect)

    def work() -> None:
        try:
            client.get("http://h/")
        except ClientClosed as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not (server.received and server.received[0]):
        time.sleep(0.001)
    client.close()
    thread.join()
    assert outcomes == [ClientClosed]
