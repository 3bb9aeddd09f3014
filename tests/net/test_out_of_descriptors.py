"""What is not a server's or a client's end: that the process cannot open one more file."""

import subprocess
import sys
import textwrap

import pytest

# Each program runs in a process of its own: here `logging` has long been imported.
PRELUDE = """
import os, resource, socket, sys
from tulip_net import NetError, create_task, create_transport, listen, run, serve, sleep

_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)

def use_up_descriptors(but=0):
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + but, HARD))

def have_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))
"""


def outcome(program: str) -> str:
    """Run a program; return all that it wrote."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    return result.stdout


@pytest.mark.slow
def test_a_server_says_that_it_pauses_and_goes_on_when_it_can() -> None:
    told = outcome("""
        async def greet(transport):
            await transport.send(b"hello")

        async def main():
            listener = await listen("127.0.0.1")
            server = create_task(serve(greet, listener))
            client = socket.create_connection(("127.0.0.1", listener.port))
            use_up_descriptors()
            await sleep(0.01)
            have_descriptors()
            await sleep(0.2)
            print(client.recv(100))
            client.close()
            listener.close()
            await server

        run(main())
    """)
    warning, got = told.splitlines()
    assert "pauses: [Errno 24]" in warning
    assert got == "b'hello'"


@pytest.mark.slow
def test_a_handler_that_can_open_no_file_is_reported_with_its_traceback() -> None:
    """From Python 3.13 on what prints tracebacks imports another module when it has to."""
    told = outcome("""
        async def read(transport):
            use_up_descriptors()
            open(os.devnull)

        async def main():
            listener = await listen("127.0.0.1")
            server = create_task(serve(read, listener))
            with socket.create_connection(("127.0.0.1", listener.port)):
                await sleep(0.01)
            have_descriptors()
            listener.close()
            await server

        run(main())
    """)
    assert told.startswith("the handler of ")
    assert ", in read" in told
    assert told.endswith("OSError: [Errno 24] Too many open files: '/dev/null'\n")


@pytest.mark.slow
def test_connecting_fails_as_the_worlds_failure() -> None:
    told = outcome("""
        async def main():
            use_up_descriptors()
            try:
                await create_transport("127.0.0.1", 1)
            except NetError as error:
                print(error)

        run(main())
    """)
    assert told == "cannot resolve '127.0.0.1': Too many open files\n"


@pytest.mark.slow
def test_listening_with_the_last_descriptor_leaves_no_socket() -> None:
    told = outcome("""
        async def main():
            "a".encode("idna")
            use_up_descriptors(but=1)
            try:
                await listen("127.0.0.1")
            except OSError as error:
                print(error.strerror)

        run(main())
    """)
    assert told.splitlines()[1:] == []
    assert told.endswith("Too many open files\n")
