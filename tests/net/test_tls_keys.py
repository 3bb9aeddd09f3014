"""New keys in the middle of a connection, which OpenSSL's programs ask for at a letter.

Source: RFC 8446 section 4.6.3 (key update); RFC 5246 section 7.4.1.1 (renegotiation).
"""

import ssl
import subprocess
from typing import final

import pytest

from tests.net.openssl import free_port, openssl
from tests.net.pairs import memory
from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    ConnectError,
    Event,
    Gen,
    SocketTransport,
    Transport,
    call_in_thread,
    coroutine,
    create_connection,
    create_task,
    listen,
    run,
    sleep,
    start_tls,
    with_timeout,
)

PATIENCE = 10.0
DATA = bytes(range(97, 113)) * 500_000 + b"\n"


def command(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    process.stdin.flush()


@final
class Relay:
    """Between the two; what goes to OpenSSL's program waits while ``flowing`` is not set.

    Attributes:
        came: How often something came from the program.
    """

    def __init__(self, ours: Transport, theirs: Transport) -> None:
        self.flowing = Event()
        self.flowing.set()
        self.came = 0
        self.ends = ours, theirs
        self.tasks = [create_task(self._there()), create_task(self._back())]

    @coroutine
    def _there(self) -> Gen[None]:
        ours, theirs = self.ends
        while data := (yield from ours.recv(65536)):
            yield from self.flowing.wait()
            yield from theirs.send(data)
        yield from theirs.send_eof()

    @coroutine
    def _back(self) -> Gen[None]:
        ours, theirs = self.ends
        while data := (yield from theirs.recv(65536)):
            yield from ours.send(data)
            self.came += 1
        yield from ours.send_eof()

    @coroutine
    def command(self, process: subprocess.Popen[bytes], line: bytes) -> Gen[None]:
        """Give the program a line that it has something to send at, and wait until that came.

        What it reads at a time is one command to it, however many lines.
        """
        before = self.came
        command(process, line)
        while self.came == before:
            yield from sleep(0.001)

    @coroutine
    def stop(self) -> Gen[None]:
        for task in self.tasks:
            task.cancel()
            yield from task.wait()
        for end in self.ends:
            end.close()


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_peer_that_takes_no_answers_is_made_to_wait(
    certificates: Certificates, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests are answered one by one: it could fill our memory with what it does not take."""
    monkeypatch.setattr("tulip_net.tls._carrier.BEHIND", 30)  # bytes: more than one answer

    @coroutine
    def main() -> Gen[None]:
        listener = yield from listen("127.0.0.1")
        address = f"127.0.0.1:{listener.port}"
        with openssl("s_client", "-connect", address, "-tls1_3") as client:
            relay, below = yield from relayed((yield from listener.accept()), in_memory)
            context = certificates.server_context()
            transport = yield from start_tls(below, context, server_side=True)
            reader = BufferedReader(transport)
            relay.flowing.clear()
            sending = create_task(transport.send(DATA))
            said = create_task(call_in_thread(said_until, client, b"the end"))
            lines: list[bytes] = []
            receiving = create_task(receive_lines(reader, lines))
            for word in (b"1", b"2", b"3"):
                yield from relay.command(client, b"K")
                yield from relay.command(client, word)
            yield from sleep(0.02)
            assert not sending.done()
            assert len(lines) < 3
            relay.flowing.set()
            yield from with_timeout(PATIENCE, receiving)
            assert lines == [b"1\n", b"2\n", b"3\n"]
            yield from with_timeout(PATIENCE, sending)
            yield from transport.send(b"the end\n")
            yield from with_timeout(PATIENCE, said)
            transport.close()
            yield from relay.stop()
        listener.close()

    run(main())


@coroutine
def receive_lines(reader: BufferedReader, lines: list[bytes]) -> Gen[None]:
    while len(lines) < 3:
        lines.append((yield from reader.readline()))


@coroutine
def relayed(theirs: Transport, in_memory: bool) -> Gen[tuple[Relay, Transport]]:
    """Return a relay to ``theirs``, and what is on our side of it."""
    if in_memory:
        below, ours = yield from memory()
    else:
        inner = yield from listen("127.0.0.1")
        below = SocketTransport((yield from create_connection("127.0.0.1", inner.port)))
        ours = yield from inner.accept()
        inner.close()
    return Relay(ours, theirs), below


@pytest.mark.parametrize("in_memory", [False, True])
def test_keys_are_changed_while_the_peer_takes_nothing(
    certificates: Certificates, in_memory: bool
) -> None:
    """The receiver goes on, though its answer cannot go out, and every byte arrives in its turn."""
    context = certificates.server_context()

    @coroutine
    def main() -> Gen[None]:
        listener = yield from listen("127.0.0.1")
        address = f"127.0.0.1:{listener.port}"
        with openssl("s_client", "-connect", address, "-tls1_3") as client:
            relay, below = yield from relayed((yield from listener.accept()), in_memory)
            transport = yield from start_tls(below, context, server_side=True)
            reader = BufferedReader(transport)
            relay.flowing.clear()
            sending = create_task(transport.send(DATA))
            said = create_task(call_in_thread(said_until, client, b"the end"))
            for word in (b"one", b"two", b"three"):
                yield from relay.command(client, b"K")
                yield from relay.command(client, word)
                assert (yield from with_timeout(PATIENCE, reader.readline())) == word + b"\n"
            assert not sending.done()
            relay.flowing.set()
            yield from with_timeout(PATIENCE, sending)
            yield from transport.send(b"the end\n")
            assert DATA in (yield from with_timeout(PATIENCE, said))
            transport.close()
            yield from relay.stop()
        listener.close()

    run(main())


def said_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """Return what it says up to the line with these words."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return b"".join(said)
    raise AssertionError(b"".join(said)[-1000:])


@pytest.mark.parametrize("receiving", [False, True])
def test_a_context_of_ones_own_may_allow_renegotiation(
    certificates: Certificates, receiving: bool
) -> None:
    """A send under way takes part in it, whether or not another task receives."""

    @coroutine
    def main() -> Gen[None]:
        port = free_port()
        options = ("-accept", f"127.0.0.1:{port}", "-cert", certificates.server_file)
        with openssl("s_server", *options, "-tls1_2") as server:
            transport = yield from connected(port, certificates)
            said = create_task(call_in_thread(said_until, server, b"the end"))
            reader = BufferedReader(transport)
            line = create_task(reader.readline()) if receiving else None
            sending = create_task(transport.send(DATA * 3))
            for _ in range(3):
                yield from sleep(0.01)
                command(server, b"r")
            yield from with_timeout(PATIENCE, sending)
            command(server, b"said")
            if line is None:
                line = create_task(reader.readline())
            assert (yield from with_timeout(PATIENCE, line)) == b"said\n"
            yield from transport.send(b"the end\n")
            text = yield from with_timeout(PATIENCE, said)
            assert text.count(b"abcdefghijklmnop") >= len(DATA) // 16 * 3 - 30
            transport.close()

    run(main())


def test_a_send_takes_up_a_renegotiation(certificates: Certificates) -> None:
    """Data came with the request, and nobody receives any more: it is the sender who answers."""

    @coroutine
    def main() -> Gen[None]:
        port = free_port()
        options = ("-accept", f"127.0.0.1:{port}", "-cert", certificates.server_file)
        with openssl("s_server", *options, "-tls1_2") as server:
            relay, below = yield from relayed((yield from connected_plain(port)), False)
            transport = yield from start_tls(below, lenient(certificates), server_hostname=NAME)
            said = create_task(call_in_thread(said_until, server, b"the end"))
            yield from relay.command(server, b"r")
            yield from relay.command(server, b"said")
            assert (yield from with_timeout(PATIENCE, transport.recv(100))) == b"said\n"
            yield from with_timeout(PATIENCE, transport.send(b"the end\n"))
            yield from with_timeout(PATIENCE, said)
            transport.close()
            yield from relay.stop()

    run(main())


def test_an_end_in_the_middle_of_a_renegotiation(certificates: Certificates) -> None:
    """OpenSSL then refuses to end our side: there is nothing to say, and the peer is waited for."""

    @coroutine
    def main() -> Gen[None]:
        port = free_port()
        options = ("-accept", f"127.0.0.1:{port}", "-cert", certificates.server_file)
        with openssl("s_server", *options, "-tls1_2") as server:
            relay, below = yield from relayed((yield from connected_plain(port)), False)
            transport = yield from start_tls(below, lenient(certificates), server_hostname=NAME)
            relay.flowing.clear()  # it gets no answer
            yield from relay.command(server, b"r")
            yield from relay.command(server, b"said")
            assert (yield from with_timeout(PATIENCE, transport.recv(100))) == b"said\n"
            closing = create_task(transport.aclose())
            yield from sleep(0.01)
            command(server, b"Q")
            yield from with_timeout(PATIENCE, closing)
            yield from relay.stop()

    run(main())


NAME = "localhost"


def lenient(certificates: Certificates) -> ssl.SSLContext:
    """Return a client's context that allows renegotiation, as Python's own do."""
    context = certificates.client_context()
    context.options &= ~ssl.OP_NO_RENEGOTIATION
    return context


@coroutine
def connected(port: int, certificates: Certificates) -> Gen[Transport]:
    plain = yield from connected_plain(port)
    return (yield from start_tls(plain, lenient(certificates), server_hostname=NAME))


@coroutine
def connected_plain(port: int) -> Gen[Transport]:
    """Connect to ``openssl s_server``, as soon as it is there."""
    for _ in range(1000):
        try:
            return SocketTransport((yield from create_connection("127.0.0.1", port)))
        except ConnectError:  # it is still starting
            yield from sleep(0.005)
    raise AssertionError("s_server did not start")
