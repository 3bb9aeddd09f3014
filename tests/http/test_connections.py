"""What happens on a connection besides a request and its answer; servers in memory, no waiting."""

import contextlib
import gc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from embedded_server import Certificates, start_server
from hypothesis import given
from hypothesis import strategies as st

from tests.http.running import in_loop, in_virtual_time
from tulip_http import (
    Client,
    ClientClosed,
    Headers,
    HTTPError,
    Interim,
    Limits,
    LocalProtocolError,
    PoolTimeout,
    ReadTimeout,
    RemoteProtocolError,
    Request,
    Response,
    StreamError,
    Timeout,
    call_in_thread,
    create_task,
    move_on_after,
    run,
    sleep,
    wait_all,
)
from tulip_http._connection import Connection
from tulip_http._deadlines import Deadlines
from tulip_http._pace import Pace
from tulip_http.testing import Answer, MockServer, Recording, ScriptedServer, Step
from tulip_http.wire._http1 import ResponseParser
from tulip_http.wire._plain import PlainReader
from tulip_net import BufferedReader, Event, Transport, listen, serve
from tulip_poll import EventLoop
from tulip_sched.testing import VirtualClock, virtual_time

PARTS_OF_A_CONNECTION = {Connection, Deadlines, ResponseParser, PlainReader}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REQUEST, HANG = Step.REQUEST, Step.HANG


def on(server: ScriptedServer | MockServer, **options: object) -> Client:
    return Client(connect=server.connect, **options)  # type: ignore[arg-type]  # any of them


class TestExpect:
    @in_loop
    async def test_the_body_waits_for_the_servers_word(self) -> None:
        seen: list[Interim] = []
        server = ScriptedServer(
            [REQUEST, 0.0, b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", 0.0, 0.0, 0.0, OK, HANG]
        )
        with on(server) as client:
            response = await client.put(
                "http://h/",
                content=b"body",
                headers={"Expect": "100-continue"},
                on_interim=seen.append,
            )
        assert response.text == "hi"
        assert server.received[0].endswith(b"\r\n\r\nbody")
        assert [(each.status_code, each.headers["x"]) for each in seen] == [(100, "y")]
        assert repr(seen[0]) == "<Interim 100>"

    @in_loop
    async def test_a_refusal_spares_the_body(self) -> None:
        refusal = b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"
        server = ScriptedServer([REQUEST, refusal, HANG])
        with on(server) as client:
            response = await client.put(
                "http://h/", content=iter([b"body"]), headers={"Expect": "100-continue"}
            )
            assert response.status_code == 417
            assert server.received[0].endswith(b"\r\n\r\n")
            assert client.stats().connections == 0  # whether it expects the body, nobody knows

    @pytest.mark.parametrize("rest", [OK, b"nonsense\r\n", b"HTTP/1.1 413 No\r\n\r\n"])
    @in_loop
    async def test_an_answer_right_behind_the_servers_word(self, rest: bytes) -> None:
        """The body's task is stopped before its first turn: nobody's failure, nothing is left."""
        server = ScriptedServer([REQUEST, b"HTTP/1.1 100 Continue\r\n\r\n" + rest])
        with on(server) as client:
            with contextlib.suppress(RemoteProtocolError):
                await client.put("http://h/", content=b"body", headers={"Expect": "100-continue"})
            assert client.stats().connections == 0

    def test_a_server_that_does_not_know_it_gets_the_body_after_a_second(self) -> None:
        async def main() -> None:
            body = b"body\r\n\r\n"  # which ends as a head does, so that the script can wait for it
            server = ScriptedServer([REQUEST, REQUEST, OK])
            with on(server) as client:
                response = await client.post(
                    "http://h/", content=body, headers={"Expect": "100-continue"}
                )
                assert server.received[0].endswith(b"\r\n\r\n" + body)
                assert response.timings.total == pytest.approx(1.0)

        with virtual_time():
            run(main())


@in_loop
async def test_early_hints_go_to_the_hook() -> None:
    seen: list[int] = []
    hints = b"HTTP/1.1 102 Busy\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n"
    with on(ScriptedServer(hints + OK, [REQUEST, hints, REQUEST])) as client:
        response = await client.get("http://h/", on_interim=lambda i: seen.append(i.status_code))
    assert (response.status_code, seen) == (200, [102, 103])


class TestTrailers:
    def test_out(self) -> None:
        server = ScriptedServer([REQUEST, 0.1, OK])
        checksum = 0

        def body() -> Iterator[bytes]:
            nonlocal checksum
            for piece in (b"one", b"two"):
                checksum = zlib.crc32(piece, checksum)
                yield piece

        async def main() -> None:
            with on(server) as client:
                trailers = lambda: {"X-Sum": f"{checksum:x}"}  # noqa: E731 - asked for in the end
                await client.post("http://h/", content=body(), trailers=trailers)

        with virtual_time():
            run(main())
        assert server.received[0].endswith(b"3\r\ntwo\r\n0\r\nX-Sum: %x\r\n\r\n" % checksum)

    def test_known_ones_are_announced(self) -> None:
        request = Request("POST", "http://h/", content=[b"x"], trailers={"A": "1", "B": "2"})
        assert request.headers["trailer"] == "A, B"
        assert request.trailer_block() == b"A: 1\r\nB: 2\r\n"

    @pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host"])
    def test_what_frames_a_message_comes_before_it(self, name: str) -> None:
        with pytest.raises(LocalProtocolError, match="means nothing after a body"):
            Request("POST", "http://h/", content=[b"x"], trailers={name: "1"})

    def test_only_after_chunks(self) -> None:
        with pytest.raises(LocalProtocolError, match="goes out in chunks"):
            Request("POST", "http://h/", content=b"x", trailers={"A": "1"})


class TestTarget:
    @pytest.mark.parametrize(
        "url, target",
        [
            ("http://h/a%2fb/../c?X-Sig=%7e%2B/=", "/a%2fb/../c?X-Sig=%7e%2B/="),
            ("http://h?q='", "/?q='"),
            ("http://h", "/"),
            ("http://u:p@h/x#frag", "/x"),
        ],
    )
    def test_verbatim(self, url: str, target: str) -> None:
        assert Request("GET", url, verbatim=True).target == target

    @pytest.mark.parametrize("url", ["http://h/a b", "http://h/ü", "http://h/\x7f"])
    def test_what_would_break_the_request_line_is_refused(self, url: str) -> None:
        with pytest.raises(LocalProtocolError, match="visible ASCII"):
            Request("GET", url, verbatim=True)

    def test_nothing_is_added_to_what_was_signed(self) -> None:
        with pytest.raises(TypeError, match="params cannot be added"):
            Request("GET", "http://h/", params={"a": 1}, verbatim=True)

    @in_loop
    async def test_any_other(self) -> None:
        server = ScriptedServer(OK)
        with on(server) as client:
            await client.options("http://h/", target="*")
        assert server.received[0].startswith(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n")
        with pytest.raises(LocalProtocolError):
            Request("OPTIONS", "http://h/", target="* HTTP/1.1\r\nX: y")


class TestUpgrade:
    SWITCH = b"HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nwelcome"

    @in_loop
    async def test_the_connection_is_handed_over(self) -> None:
        server = ScriptedServer([REQUEST, self.SWITCH, 0.0, b" and more", HANG])
        headers = {"Upgrade": "echo", "Connection": "upgrade"}
        with on(server) as client:
            async with client.stream("GET", "http://h/", headers=headers) as response:
                assert response.status_code == 101
                transport = response.detach()
                with pytest.raises(StreamError):
                    response.detach()
            assert client.stats().connections == 0
            assert await transport.recv(3) == b"wel"
            buffer = bytearray(9)
            assert await transport.recv_into(buffer) == 4
            assert buffer.startswith(b"come")
            assert await transport.recv(100) == b" and more"
            await transport.send(b"bye")
            assert transport.unsent == 0
            await transport.aclose()
        transport.close()

    @in_loop
    async def test_a_tunnel(self) -> None:
        server = ScriptedServer([REQUEST, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", HANG])
        with on(server) as client:
            with await client.stream("CONNECT", "http://h/", target="other:443") as response:
                transport = response.detach()
            assert server.received[0].startswith(b"CONNECT other:443 HTTP/1.1\r\n")
            transport.close()

    @in_loop
    async def test_nobody_takes_it(self) -> None:
        headers = {"Upgrade": "echo", "Connection": "upgrade"}
        with on(ScriptedServer(self.SWITCH)) as client:
            async with client.stream("GET", "http://h/", headers=headers) as response:
                assert await response.read_chunk() == b""
            with pytest.raises(RemoteProtocolError, match=r"detach\(\)"):
                await client.get("http://h/", headers=headers)
            for method in ("GET", "HEAD"):
                with pytest.raises(RemoteProtocolError, match="nobody asked for"):
                    await client.request(method, "http://h/")
            assert client.stats().connections == 0
        with on(ScriptedServer(OK)) as client:
            async with client.stream("GET", "http://h/", headers=headers) as response:
                with pytest.raises(StreamError, match="left the connection with HTTP"):
                    response.detach()


class TestKeeping:
    KEPT = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2, max=9\r\nContent-Length: 2\r\n\r\nhi"

    def test_no_longer_than_the_server_says(self) -> None:
        async def main() -> None:
            server = ScriptedServer([REQUEST, self.KEPT] * 9)
            with on(server) as client:
                for pause, opened in [(1.7, 1), (1.7, 1), (1.9, 1), (0, 2)]:
                    await client.get("http://h/")
                    assert client.stats().opened == opened
                    await sleep(pause)

        with virtual_time():
            run(main())

    @pytest.mark.parametrize("streamed", [False, True])
    def test_the_time_limits_of_a_request_end_with_it(self, streamed: bool) -> None:
        """They once set an alarm; it must not close the connection that lies idle since."""

        async def main() -> None:
            server = ScriptedServer([REQUEST, OK, 1.0] * 2)
            with on(server, timeout=Timeout(read=2, total=3)) as client:
                for _ in range(2):
                    if streamed:
                        async with client.stream("GET", "http://h/") as response:
                            await response.read_chunk()
                    else:
                        await client.get("http://h/")
                    await sleep(4)
                assert client.stats().opened == 1

        with virtual_time():
            run(main())

    def test_those_who_wait_do_not_keep_it_beyond_its_age(self) -> None:
        async def main() -> None:
            server = ScriptedServer([REQUEST, 3.0, OK] * 9)
            limits = Limits(max_age_seconds=5, max_connections=1)
            with on(server, limits=limits) as client:
                await wait_all([create_task(client.get("http://h/")) for _ in range(4)])
                assert client.stats().opened == 2
                assert client.stats().connections == 0

        with virtual_time():
            run(main())

    @in_loop
    async def test_not_after_a_request_that_said_it_is_the_last(self) -> None:
        with on(MockServer(lambda _: Answer())) as client:
            for connection, kept in (("keep-alive", 1), ("close", 0), ("x, Close", 0)):
                await client.get("http://h/", headers={"Connection": connection})
                assert client.stats().connections == kept
                async with client.stream("GET", "http://h/", headers={"Connection": connection}):
                    pass
                assert client.stats().idle == kept

    def test_no_longer_than_its_age(self) -> None:
        async def main() -> None:
            server = ScriptedServer([REQUEST, OK] * 9)
            with on(server, limits=Limits(max_age_seconds=5)) as client:
                for opened in (1, 1, 2, 2):
                    await client.get("http://h/")
                    assert client.stats().opened == opened
                    await sleep(3)

        with virtual_time():
            run(main())

    def test_idle_ones_are_closed_in_time_whatever_the_clock_shows(self) -> None:
        """A sum of floats is not always the difference: the sweeper once came back forever."""

        async def main() -> None:
            with on(ScriptedServer(OK), limits=Limits(idle_seconds=0.05)) as client:
                await client.get("http://h/")
                await sleep(0.06)
                assert client.stats().connections == 0

        random = Random(1)
        for _ in range(50):
            with virtual_time(VirtualClock(random.random())):
                run(main())


def test_time_limits_cost_no_timer_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[float] = []
    real = EventLoop.call_at

    def call_at(
        loop: EventLoop, when: float, callback: Callable[..., object], *args: object
    ) -> Any:
        timers.append(when)
        return real(loop, when, callback, *args)

    async def main() -> None:
        with on(MockServer(lambda _: Answer(body=bytes(100_000)))) as client:
            for number in range(100):
                await client.get("http://h/")
                async with client.stream("GET", "http://h/") as response:
                    await response.read()
                if number == 0:
                    timers.clear()
        assert client.stats().opened == 1

    monkeypatch.setattr(EventLoop, "call_at", call_at)
    with virtual_time():
        run(main())
    assert len(timers) <= 2


class TestSpeed:
    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    def fetch(self, steps: list[bytes | float], pause: float = 0) -> int:
        async def main() -> int:
            limits = Limits(min_speed=10, slow_seconds=10)
            size = 0
            with on(ScriptedServer([REQUEST, self.HEAD, *steps, HANG]), limits=limits) as client:
                async with client.stream("GET", "http://h/") as response:
                    async for piece in response.iter_bytes():
                        size += len(piece)
                        await sleep(pause)
            return size

        with virtual_time():
            return run(main())

    def test_fast_enough(self) -> None:
        assert self.fetch([b"x" * 100, 4.0] * 10) == 1000

    def test_a_drip_is_too_slow(self) -> None:
        with pytest.raises(ReadTimeout, match="less than 10 bytes per second for 10 s"):
            self.fetch([b"x", 1.0] * 1000)

    @given(st.floats(0, 1e6), st.floats(0.001, 1e4), st.integers(0, 10**6), st.floats(0.01, 1e4))
    def test_when_the_time_is_up_too_little_has_come(
        self, now: float, seconds: float, size: int, first: float
    ) -> None:
        pace = Pace(10, seconds)
        pace.wait(now)
        pace.come(size, now + first)
        assert pace.over(pace.wait(now + first))

    def test_what_the_caller_takes_does_not_count(self) -> None:
        assert self.fetch([b"x" * 10, 0.5] * 100, pause=30) == 1000


class TestGivingUp:
    """A short rest is read in the background, and the connection stays."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"

    @pytest.mark.parametrize(
        "rest, kept",
        [
            (b"Content-Length: 9\r\n\r\nshort", True),
            (b"Content-Length: 9\r\n\r\nall of it", True),
            (b"Content-Length: 100000000\r\n\r\nlong", False),
            (b"Transfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n", False),
            (b"Connection: close\r\nContent-Length: 9\r\n\r\nlast", False),
        ],
    )
    def test_a_stream(self, rest: bytes, kept: bool) -> None:
        async def main() -> None:
            answer = b"HTTP/1.1 200 OK\r\n" + rest
            missing = b"" if b"all" in rest else b"rest"
            server = ScriptedServer([REQUEST, answer, 0.01, missing, REQUEST, OK], OK)
            with on(server) as client:
                async with client.stream("GET", "http://h/"):
                    pass
                await sleep(0.05)
                assert client.stats().idle == (1 if kept else 0)
                assert (await client.get("http://h/")).text == "hi"
                assert len(server.received) == (1 if kept else 2)

        with virtual_time():
            run(main())

    def test_a_long_rest_is_not_read_although_it_comes_at_once(self) -> None:
        async def main() -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
            server = ScriptedServer([REQUEST, head, bytes(1_000_000), REQUEST, OK], OK)
            with on(server) as client:
                async with client.stream("GET", "http://h/"):
                    pass
                assert client.stats().connections == 0

        with virtual_time():
            run(main())

    def test_nor_is_one_to_a_request_that_is_still_on_its_way(self) -> None:
        """The program is not asked for more of a body whose answer it does not want."""
        asked = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal asked
            for _ in range(9):
                asked += 1
                yield b"piece"
                await sleep(0.02)

        async def main() -> None:
            server = ScriptedServer([REQUEST, self.HEAD, HANG])
            with on(server) as client:
                async with client.stream("POST", "http://h/", content=pieces()):
                    await sleep(0.03)
                assert client.stats().connections == 0
                before = asked
                await sleep(0.2)
                assert asked == before < 9

        with virtual_time():
            run(main())

    @pytest.mark.parametrize("where", ["after the run", "in another run"])
    def test_nor_is_one_that_nobody_can_wait_for_any_more(self, where: str) -> None:
        server = ScriptedServer([REQUEST, self.HEAD, HANG])
        client = on(server, timeout=None)

        async def main() -> Response:
            return await client.stream("GET", "http://h/")

        async def give_up() -> None:
            response.close()
            assert client.stats().connections == 0

        with virtual_time():
            response = run(main())
            if where == "after the run":
                response.close()
                assert client.stats().connections == 0
        with virtual_time():
            run(give_up())
        client.close()

    def test_a_cancelled_request(self) -> None:
        async def main() -> None:
            begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"
            server = ScriptedServer([REQUEST, begun, 0.1, b"rest", REQUEST, OK])
            with on(server, limits=Limits(max_connections=1)) as client:
                with move_on_after(0.05):
                    await client.get("http://h/")
                assert (await client.get("http://h/")).text == "hi"
                assert client.stats().opened == 1

        with virtual_time():
            run(main())

    def test_a_rest_that_does_not_come_costs_no_place_for_long(self) -> None:
        async def main() -> None:
            begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"
            server = ScriptedServer([REQUEST, begun, HANG], OK)
            with on(server, limits=Limits(max_connections=1)) as client:
                with move_on_after(0.05):
                    await client.get("http://h/")
                assert (await client.get("http://h/", timeout=0.5)).text == "hi"

        with virtual_time():
            run(main())


class TestLine:
    @pytest.mark.parametrize("fields", [{}, {"Connection": "close"}], ids=["kept", "closed"])
    def test_who_may_not_be_served_holds_nobody_up_and_is_not_forgotten(
        self, fields: dict[str, str]
    ) -> None:
        """One host has all the connections it may have; others go first, and then it goes on."""
        seconds = {"a": 10, "b": 1, "c": 1}

        async def handler(request: Request) -> Answer:
            await sleep(seconds[request.url.host])
            return Answer(headers=fields)

        async def main() -> list[tuple[str, float]]:
            ended: list[tuple[str, float]] = []

            async def ask(host: str) -> None:
                response = await client.get(f"http://{host}/", timeout=100)
                ended.append((host, response.timings.total))

            limits = Limits(max_connections=2, max_per_host=1)
            with on(MockServer(handler), limits=limits) as client:
                await wait_all([create_task(ask(host)) for host in "acab"])
            return ended

        with virtual_time():
            assert run(main()) == [("c", 1), ("b", 2), ("a", 10), ("a", 20)]

    def test_one_alarm_sends_home_whom_it_must(self) -> None:
        async def main() -> list[str]:
            ended: list[str] = []

            async def ask(name: str, seconds: float) -> None:
                try:
                    await client.get("http://h/", timeout=Timeout(pool=seconds))
                    ended.append(f"{name} served")
                except PoolTimeout:
                    ended.append(f"{name} late")

            server = ScriptedServer([REQUEST, 5.0, OK, REQUEST, 5.0, OK])
            with on(server, limits=Limits(max_connections=1)) as client:
                tasks = [create_task(ask(*each)) for each in [("a", 1), ("b", 9), ("c", 2)]]
                tasks += [create_task(ask("d", 0.5)), create_task(ask("e", 7))]
                await sleep(0)
                assert client.stats().waiting == 4
                await wait_all(tasks)
            return ended

        with virtual_time():
            assert run(main()) == ["d late", "c late", "a served", "e late", "b served"]

    def test_room_that_was_granted_is_given_back_where_the_client_is_closed_meanwhile(self) -> None:
        async def main() -> None:
            server = ScriptedServer([REQUEST, b"HTTP/1.1 200 OK\r\n\r\n", HANG])
            client = on(server, limits=Limits(max_connections=1))
            response = await client.stream("GET", "http://h/")
            task = create_task(client.get("http://other/"))
            await sleep(0.1)
            response.close()
            client.close()
            await task.wait()
            assert isinstance(task.exception(), ClientClosed)
            assert client.stats().connections == 0

        with virtual_time():
            run(main())


class TestBetweenTwoRequests:
    """What comes while nobody has asked anything is not the answer to the next request."""

    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
    @pytest.mark.parametrize("surplus", [OK, b""], ids=["an answer", "the end"])
    def test_it_ends_the_connection_however_soon(self, tls: bool, surplus: bytes) -> None:
        certificates = Certificates()
        connections = 0
        heads = 0
        over = Event()

        async def serve_one(transport: Transport) -> None:
            nonlocal connections, heads
            connections += 1
            reader = BufferedReader(transport)
            while await reader.readuntil(b"\r\n\r\n"):
                heads += 1
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
                await transport.send(head + b"%d" % connections)
                if connections == 1:
                    await sleep(0.01)
                    over.set()  # the client, which is next, hears of it when the rest is done
                    if not surplus:
                        return
                    await transport.send(surplus)

        async def main() -> None:
            with await listen("127.0.0.1") as listener:
                context = certificates.server_context() if tls else None
                server = create_task(serve(serve_one, listener, ssl=context, grace=0))
                url = f"http{'s' if tls else ''}://localhost:{listener.port}/"
                async with Client(tls=certificates.client_context()) as client:
                    assert (await client.get(url)).content == b"1"
                    await over.wait()
                    await sleep(0.01)
                    assert (await client.get(url)).content == b"2"
                    assert (await client.get(url)).content == b"2"
                    assert client.stats().opened == 2
            await server
            assert heads == 3

        run(main())


class TestAsking:
    """What a response tells about its connection."""

    @in_loop
    async def test_over_tls(self) -> None:
        certificates = Certificates()
        server = await start_server(certificates.server_context())
        async with Client(tls=certificates.client_context()) as client:
            first = await client.get(server.url("/quick"))
            second = await client.get(server.url("/quick"))
        assert first.connection is second.connection
        assert first.connection.peer_address[0] == "127.0.0.1"  # type: ignore[index]
        assert first.connection.tls_version == "TLSv1.3"
        assert first.connection.certificate is not None
        timings = first.timings
        assert timings.tls > 0
        assert timings.connect > 0
        assert 0 < timings.sent <= timings.first_byte <= timings.total
        assert second.timings.tls == second.timings.connect == second.timings.name == 0
        await server.stop()


class TestForms:
    @in_loop
    async def test_files(self, tmp_path: Path) -> None:
        server = MockServer(lambda _: Answer())
        path = tmp_path / 'odd "name".txt'
        path.write_bytes(b"from disk")
        with on(server) as client, path.open("rb") as file:
            fields: dict[str, str | bool | list[str | None]]
            fields = {"a": "1", "b": ["2", None], "c": True}
            await client.post(
                "http://h/",
                data=fields,
                files=[
                    ("disk", file),
                    ("text", ("x.json", "{}")),
                    ("bare", b"bytes"),
                    ("typed", (None, b"value", "text/x")),
                ],
            )
        (request,) = server.requests
        body = request.content
        assert body is not None
        media_type, _, boundary = request.headers["content-type"].partition("; boundary=")
        assert media_type == "multipart/form-data"
        parts = body.split(f"--{boundary}".encode())
        assert parts[-1] == b"--\r\n"
        assert [part[2:-2].replace(b"\r\n", b"|") for part in parts[1:-1]] == [
            b'Content-Disposition: form-data; name="a"||1',
            b'Content-Disposition: form-data; name="b"||2',
            b'Content-Disposition: form-data; name="b"||',
            b'Content-Disposition: form-data; name="c"||true',
            (
                b'Content-Disposition: form-data; name="disk"; filename="odd %22name%22.txt"|'
                b"Content-Type: text/plain||from disk"
            ),
            (
                b'Content-Disposition: form-data; name="text"; filename="x.json"|'
                b"Content-Type: application/json||{}"
            ),
            (
                b'Content-Disposition: form-data; name="bare"; filename="bare"|'
                b"Content-Type: application/octet-stream||bytes"
            ),
            b'Content-Disposition: form-data; name="typed"|Content-Type: text/x||value',
        ]

    def test_the_length_is_known_where_it_can_be(self) -> None:
        request = Request("POST", "http://h/", files={"f": b"x"})
        assert request.stream is not None
        assert request.headers["content-length"] == str(request.stream.length)

    def test_names_cannot_begin_a_part(self) -> None:
        request = Request("POST", "http://h/", files={'a"\r\nX: y': ("n\r\n", b"x", "t\r\nu")})
        assert request.stream is not None
        form = request.stream._source
        assert b"\r\nX" not in form._parts[0].head  # type: ignore[union-attr]
        assert form._parts[0].head.count(b"\r\n") == 4  # type: ignore[union-attr]

    @given(
        st.lists(st.tuples(st.text(max_size=9), st.text() | st.binary())),
        st.lists(
            st.tuples(st.text(max_size=9), st.tuples(st.text(), st.binary(), st.text())), min_size=1
        ),
    )
    def test_whatever_names_and_values(
        self, data: list[tuple[str, str | bytes]], files: list[tuple[str, tuple[str, bytes, str]]]
    ) -> None:
        """Each part is where it belongs: no name, and no content, begins another."""
        request = Request("POST", "http://h/", data=data, files=files)

        async def body() -> bytes:
            assert request.stream is not None
            return b"".join([piece async for piece in request.stream.pieces()])

        sent = run(body())
        assert request.headers["content-length"] == str(len(sent))
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        _, *parts, last = sent.split(b"--" + boundary)
        assert last == b"--\r\n"
        heads, contents = zip(*(part.split(b"\r\n\r\n", 1) for part in parts), strict=True)
        values = [*(value for _, value in data), *(file[1] for _, file in files)]
        assert [each[:-2] for each in contents] == [
            value.encode() if isinstance(value, str) else value for value in values
        ]
        assert [head.count(b"\r\n") for head in heads] == [1] * len(data) + [2] * len(files)
        assert [head.count(b'"') for head in heads[: len(data)]] == [2] * len(data)

    def test_no_files_are_no_form_with_files(self) -> None:
        request = Request("POST", "http://h/", data={"a": "b"}, files={})
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert Request("POST", "http://h/", files=[]).headers["content-length"] == "0"

    def test_one_body(self) -> None:
        for other in ({"json": 1}, {"content": b"x"}):
            with pytest.raises(TypeError, match="one body"):
                Request("POST", "http://h/", files={"f": b"x"}, **other)
        with pytest.raises(TypeError, match="not text"):
            Request("POST", "http://h/", files={"f": b"x"}, data="text")
        with pytest.raises(TypeError, match="must be bytes, text or an open file"):
            Request("POST", "http://h/", files={"f": 5})  # type: ignore[arg-type]


class TestTools:
    @in_loop
    async def test_a_mock_may_be_a_coroutine(self) -> None:
        async def handler(request: Request) -> Answer:
            await sleep(0)
            fields = Headers({"X-Method": request.method})
            return Answer(299, request.content or b"", fields)

        server = MockServer(handler)
        with on(server) as client:
            response = await client.put("http://h/a?b", content=[b"in ", b"chunks"])
            assert (response.status_code, response.text) == (299, "in chunks")
            assert response.headers["x-method"] == "PUT"
            assert (await client.head("http://h/")).content == b""
        assert str(server.requests[0].url) == "http://h/a?b"
        assert server.connections == 1

    @in_virtual_time
    async def test_a_mock_leaves_it_to_the_client_to_give_up(self) -> None:
        async def slow(_request: Request) -> Answer:
            await sleep(5)
            return Answer()

        with on(MockServer(slow)) as client:
            with pytest.raises(TimeoutError):
                await client.get("http://h/", timeout=1)
            await sleep(10)

    @pytest.mark.parametrize("method", ["FOO", "PROPFIND", "CONNECT", "GET"])
    @in_loop
    async def test_a_mock_gets_any_method(self, method: str) -> None:
        server = MockServer(lambda request: Answer(403, request.method.encode()))
        with on(server) as client:
            target = "other:1" if method == "CONNECT" else None
            for _ in range(2):
                response = await client.request(method, "http://h/", target=target)
                assert response.text == method
        assert [request.method for request in server.requests] == [method] * 2

    @in_loop
    async def test_a_mock_does_not_switch_to_another_protocol(self) -> None:
        server = MockServer(lambda request: Answer(426, request.headers["upgrade"].encode()))
        with on(server) as client:
            headers = {"Connection": "upgrade", "Upgrade": "echo"}
            for _ in range(2):
                assert (await client.get("http://h/", headers=headers)).text == "echo"

    @pytest.mark.parametrize("size", [1, 200_000])
    @in_virtual_time
    async def test_a_mock_says_that_the_body_may_come(self, size: int) -> None:
        server = MockServer(lambda request: Answer(body=request.content or b""))
        seen: list[Interim] = []
        with on(server) as client:
            headers = {"Expect": "100-continue"}
            for _ in range(2):
                response = await client.post(
                    "http://h/", content=bytes(size), headers=headers, on_interim=seen.append
                )
                assert response.content == bytes(size)
                assert response.timings.total < 0.5
        assert [interim.status_code for interim in seen] == [100, 100]

    @in_loop
    async def test_a_recording(self, tmp_path: Path) -> None:
        counted = iter(range(9))
        recording = Recording()
        with on(MockServer(lambda _: Answer(body=b"%d" % next(counted)))) as client:
            for _ in range(2):
                recording.add(await client.get("http://h/x"))
        recording.save(tmp_path / "recording.json")
        loaded = Recording.load(tmp_path / "recording.json")
        with Client(connect=loaded.connect) as client:
            assert [(await client.get("http://h/x")).text for _ in range(3)] == ["0", "1", "1"]

    @in_loop
    async def test_a_recording_has_what_a_server_sees_of_a_url(self, tmp_path: Path) -> None:
        url = "http://me:secret@h:81/x?y#z"
        recording = Recording()
        with on(MockServer(lambda _: Answer(body=b"it"))) as client:
            recording.add(await client.get(url))
        recording.save(tmp_path / "recording.json")
        assert "secret" not in (tmp_path / "recording.json").read_text()
        given = Recording([("GET", url, Answer(body=b"it"))])
        for again in (Recording.load(tmp_path / "recording.json"), given):
            with Client(connect=again.connect) as client:
                assert (await client.get(url)).text == "it"

    def test_what_was_not_recorded_fails_the_run(self) -> None:
        async def main() -> None:
            with Client(connect=Recording().connect) as client, pytest.raises(HTTPError):
                await client.get("http://h/x")

        with pytest.raises(ExceptionGroup) as caught:
            run(main())
        assert caught.group_contains(LookupError, match="nothing was recorded for GET http://h/x")

    def test_a_script_is_needed(self) -> None:
        with pytest.raises(ValueError, match="needs a script"):
            ScriptedServer()


@pytest.mark.parametrize("method,safe", [("POST", False), ("GET", True)])
def test_a_client_closed_during_a_request_names_it_and_whether_it_can_be_repeated(
    method: str, safe: bool
) -> None:
    async def main() -> ClientClosed:
        begun: list[Request] = []

        async def never(request: Request) -> Answer:
            begun.append(request)
            await sleep(3600)
            return Answer()

        client = on(MockServer(never))
        task = create_task(client.request(method, "http://a.example/x"))
        while not begun:
            await sleep(0)
        client.close()
        await task.wait()
        error = task.exception()
        assert isinstance(error, ClientClosed)
        return error

    with virtual_time():
        error = run(main())
    assert str(error).startswith(f"{method} http://a.example/x: ")
    assert error.request is not None
    assert error.safe_to_repeat is safe


@in_loop
async def test_a_connection_that_is_closed_leaves_no_cycles() -> None:
    """Where each request has a connection of its own, the garbage collector would be busy."""
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    with on(ScriptedServer([REQUEST, closing, REQUEST, closing])) as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(2):
                assert (await client.get("http://h/")).text == "hi"
            left = [each for each in gc.get_objects() if type(each) in PARTS_OF_A_CONNECTION]
        finally:
            gc.enable()
    assert client.stats().opened == 2
    assert left == []


@in_loop
async def test_a_client_that_nobody_closed_may_be_collected_in_another_thread() -> None:
    client = Client(connect=ScriptedServer([REQUEST, OK, Step.HANG]).connect)
    assert (await client.get("http://h/")).text == "hi"
    connections = list(client._pool._connections)
    assert connections[0].usable
    left = [client]
    del client
    await call_in_thread(left.clear)
    await sleep(0)
    assert not connections[0].usable


@in_loop
async def test_what_a_crawler_has_seen_costs_nothing() -> None:
    """The pool keeps no books on an origin without a connection."""
    limits = Limits(max_connections=10, max_idle=5, idle_seconds=1000)
    with on(MockServer(lambda _: Answer()), limits=limits) as client:
        for number in range(400):
            await client.get(f"http://host{number}/")
        pool = client._pool
        assert client.stats().connections == client.stats().idle == 5
        assert len(pool._idle) == len(pool._open) == len(pool._resting) == 5
