"""Forked processes and clients: no connection is ever used by two of them."""

import sys

import pytest

from tests import forked
from tests.opponents.certificates import Certificates

pytestmark = [
    pytest.mark.slow,  # each starts Python anew
    pytest.mark.skipif(sys.platform == "win32", reason="no fork()"),
]

BEGINNING = """
import atexit, gc, itertools, ssl
from tulip_http import *
import tulip_http
from tulip_net import *
from tulip_net import run

def serve_for_ever(listener, context):
    # Says over which connection it was asked, and for what; and how connections have ended.
    ended, numbers = [], itertools.count(1)
    def answer(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = next(numbers)
        try:
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            data = b""
            while True:
                while b"\\r\\n\\r\\n" not in data:
                    more = sock.recv(9999)
                    if not more:
                        ended.append(f"{number} ended")
                        return
                    data += more
                head, _, data = data.partition(b"\\r\\n\\r\\n")
                path = head.split()[1].decode()
                text = " ".join(ended) if path == "/ended" else f"{number} {path}"
                if "large" in path:
                    text += " " * 1_000_000  # more than comes with the head
                head = f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(text)}\\r\\n\\r\\n"
                sock.sendall(head.encode())
                time.sleep(0.0005)
                sock.sendall(text.encode())
        except OSError:
            ended.append(f"{number} cut")
        finally:
            sock.close()
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=answer, args=[sock], daemon=True).start()

listener = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}"
context = None
if FILES:
    url = url.replace("http", "https")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES[1])
server = os.fork()
if not server:
    serve_for_ever(listener, context)
listener.close()
home = os.getpid()
atexit.register(lambda: os.getpid() == home and (os.kill(server, 9), os.wait()))
tls = ssl.create_default_context(cafile=FILES[0]) if FILES else True

def end_of(number, client):
    # How the server has seen a connection end, once it has.
    for _ in range(500):
        for entry in client.get(url + "/ended").text.replace(" ended", "-ended").split():
            if entry.startswith(f"{number}-"):
                return entry
        time.sleep(0.01)
"""


@pytest.fixture(params=["http", "https"])
def files(request: pytest.FixtureRequest, certificates: Certificates) -> tuple[str, ...]:
    """The authority's file and the server's, for TLS; none without."""
    if request.param == "http":
        return ()
    return str(certificates.authority_file), str(certificates.server_file)


def output(program: str, files: tuple[str, ...] = ()) -> str:
    """Return what a program printed that begins with a server."""
    return forked.output(f"FILES = {files!r}\n{BEGINNING}{program}")


ASK_OFTEN = """
def ask_often(client, name):
    numbers = set()
    for number in range(30):
        text = client.get(f"{url}/{name}/{number}").text
        connection, path = text.split()
        assert path == f"/{name}/{number}", text
        numbers.add(connection)
    return f"{name} on {numbers}"
"""


def test_a_client_of_the_parent_s_has_connections_of_its_own_in_a_child(
    files: tuple[str, ...],
) -> None:
    """They ask at the same time; each gets its answers, on its connection."""
    program = f"""{ASK_OFTEN}
client = SyncClient(tls=tls, timeout=10)
print(client.get(url + "/first").text, flush=True)
begin, begun = os.pipe()
child = os.fork()
if not child:
    os.read(begin, 1)
    shown = ask_often(client, "child")
    client.close()
    os._exit(0 if shown == "child on {{'2'}}" else print(shown, flush=True) or 1)
os.write(begun, b"x")
print(ask_often(client, "parent"))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
client.close()
"""
    assert output(program, files) == "1 /first\nparent on {'1'}\n0\n"


@pytest.mark.parametrize(
    "work",
    [
        "client.close()",
        "globals().pop('client'); gc.collect()",
        "print(client.get(url + '/child').text); client.close()",
        "print(client.get(url + '/child').text); print(client.get(url + '/again').text)",
        "sys.exit(0)",
    ],
)
def test_what_becomes_of_a_client_in_a_child_is_nothing_to_its_parent(
    work: str, files: tuple[str, ...]
) -> None:
    program = f"""
client = SyncClient(tls=tls)
print(client.get(url + "/first").text, flush=True)
child = os.fork()
if not child:
    {work}
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(client.get(url + "/last").text)
client.close()
"""
    shown = output(program, files).splitlines()
    asked = [f"2 /{path}" for path in ("child", "again") if path in work]
    assert shown == ["1 /first", *asked, "0", "1 /last"]


def test_a_client_closed_in_the_parent_or_in_a_child_is_closed_there() -> None:
    program = """
client, other = SyncClient(), SyncClient()
client.get(url)
other.get(url)
client.close()
def work():
    other.close()
    for each in (client, other):
        try:
            each.get(url)
        except ClientClosed:
            print("closed", flush=True)
print(in_a_child(work))
print(other.get(url + "/last").text)
other.close()
"""
    assert output(program) == "closed\nclosed\n0\n2 /last\n"


def test_a_connection_ends_when_the_parent_closes_it_whoever_inherited_it() -> None:
    program = """
client = SyncClient()
client.get(url)
go, gone = os.pipe()
child = os.fork()
if not child:
    os.close(gone)
    os.read(go, 1)
    os._exit(0)
client.close()
with SyncClient() as other:
    print(end_of(1, other))
os.close(gone)
os.waitpid(child, 0)
"""
    assert output(program) == "1-ended\n"


def test_a_client_of_a_loop_that_goes_on_in_both_processes(files: tuple[str, ...]) -> None:
    program = """
from tulip_sched import Context, set_context_provider
from tulip_poll import EventLoop
context = Context(EventLoop())
set_context_provider(lambda: context)
client = Client(tls=tls)
async def ask(path):
    print((await client.get(url + path)).text, flush=True)
run(ask("/first"))
run(ask("/second"))
print(in_a_child(lambda: run(ask("/child")) or run(ask("/child"))), flush=True)
run(ask("/last"))
client.close()
context.eventloop.close()
"""
    shown = output(program, files).splitlines()
    assert shown == ["1 /first", "1 /second", "2 /child", "2 /child", "0", "1 /last"]


def test_a_client_of_a_run_that_was_forked_inside_of(files: tuple[str, ...]) -> None:
    program = """
async def ask(path):
    print((await client.get(url + path)).text, flush=True)

async def main():
    global client
    async with Client(tls=tls) as client:
        await ask("/first")
        print(in_a_child(lambda: run(ask("/child")) or run(ask("/child"))), flush=True)
        await ask("/last")
run(main())
"""
    assert output(program, files) == "1 /first\n2 /child\n3 /child\n0\n1 /last\n"


@pytest.mark.parametrize("inside", [False, True])
def test_requests_without_a_client(*, inside: bool) -> None:
    program = f"""
def ask():
    print(tulip_http.get(url + "/child").text, flush=True)
    with tulip_http.stream("GET", url + "/stream") as response:
        print(response.read().decode(), flush=True)
async def main():
    print(in_a_child(ask))
    await sleep(0)
if {inside}:
    run(main())
else:
    print(tulip_http.get(url + "/parent").text, flush=True)
    print(in_a_child(ask))
"""
    expected = ["1 /child", "2 /stream", "0"]
    if not inside:
        expected = ["1 /parent", "2 /child", "3 /stream", "0"]
    assert output(program).splitlines() == expected


def test_an_answer_that_is_coming_is_the_parent_s(files: tuple[str, ...]) -> None:
    program = """
client = SyncClient(tls=tls, timeout=10)
async def main():
    async with Client(tls=tls, timeout=10) as other:
        response = client.stream("GET", url + "/large/sync")
        with await other.stream("GET", url + "/large/async") as second:
            def work():
                async def read():
                    await second.read()
                for call in (response.read, lambda: run(read())):
                    try:
                        call()
                    except HTTPError as error:
                        print(type(error).__name__, error, flush=True)
                response.close()
                print(client.get(url + "/child").text, flush=True)
            print(in_a_child(work))
            print(response.read().strip(), (await second.read()).strip())
run(main())
client.close()
"""
    shown = output(program, files).splitlines()
    assert "forked" in shown[0]
    assert "forked" in shown[1]
    assert shown[2:] == ["3 /child", "0", "b'1 /large/sync' b'2 /large/async'"]


def test_clients_of_other_threads_say_nothing_in_a_child() -> None:
    """Not one that only its thread has, which is collected before anybody is told of the fork."""
    program = """
own = threading.local()
ready, go = threading.Event(), threading.Event()
def other():
    own.client = SyncClient()
    own.client.get(url)
    ready.set()
    go.wait()
    sys.stdout.write(own.client.get(url + "/last").text + "\\n")
    own.client.close()
async def in_a_run():
    async with Client() as client:
        await client.get(url)
        ready_too.set()
        await call_in_thread(go.wait)
        sys.stdout.write((await client.get(url + "/last")).text + "\\n")
ready_too = threading.Event()
threads = [threading.Thread(target=other), threading.Thread(target=run, args=[in_a_run()])]
threads[0].start()
ready.wait()
threads[1].start()
ready_too.wait()
print(in_a_child(lambda: gc.collect() and 0))
go.set()
for thread in threads:
    thread.join()
"""
    shown = output(program).splitlines()
    assert shown[0] == "0"
    assert sorted(shown[1:]) == ["1 /last", "2 /last"]


def test_a_child_asks_while_calls_are_under_way_in_threads_of_the_parent() -> None:
    program = f"""{ASK_OFTEN}
client = SyncClient(timeout=10)
client.get(url)  # what is imported late is: CPython has no remedy for a fork in an import's midst
stop = False
def ask_on():
    while not stop:
        assert client.get(url + "/thread").text.endswith(" /thread")
threads = [threading.Thread(target=ask_on) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(10):
    shown = in_a_child(lambda: 0 if ask_often(client, "child").count("'") == 2 else 1)
    if shown:
        print(shown)
stop = True
for thread in threads:
    thread.join()
client.close()
"""
    assert output(program) == ""
