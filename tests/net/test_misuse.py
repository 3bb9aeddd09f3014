"""What people get wrong at first: the error says what, and of what."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.opponents.certificates import Certificates
from tulip_net import Transport, client_context, listen, run, serve, server_context
from tulip_net.testing import memory_pair


async def handler(transport: Transport) -> None:
    """Do nothing."""


def test_a_port_where_the_host_belongs() -> None:
    port: Any = 8080
    with pytest.raises(TypeError, match="host must be a str, or a sequence of them, got 8080"):
        run(listen(port))


def test_a_handler_that_was_called() -> None:
    ours, theirs = memory_pair()
    call: Any = handler(ours)

    async def main() -> None:
        with await listen("127.0.0.1") as listener:
            with pytest.raises(TypeError, match="must be a coroutine function, not its call"):
                await serve(call, listener)
            assert not listener.closed

    with ours, theirs:
        run(main())
    call.close()


def test_a_listener_that_was_not_waited_for() -> None:
    async def main() -> None:
        listener: Any = listen("127.0.0.1")
        with pytest.raises(TypeError, match=r"got <.*listen.*>: wait for listen\(\) first"):
            await serve(handler, listener)
        listener.close()

    run(main())


def test_a_path_where_a_file_belongs(tmp_path: Path) -> None:
    path: Any = tmp_path

    async def main() -> None:
        ours, theirs = memory_pair()
        with ours, theirs, pytest.raises(TypeError, match="must be opened in binary mode, got"):
            await ours.send_file(path)

    run(main())


def test_a_certificate_that_is_not_there_or_is_none_is_named(
    tmp_path: Path, certificates: Certificates
) -> None:
    missing, wrong = tmp_path / "missing.pem", tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    right = certificates.server_file
    with pytest.raises(FileNotFoundError, match=f"No such file or directory: {missing}$"):
        server_context(missing)
    with pytest.raises(ssl.SSLError, match=f"{right} and {wrong}$"):
        server_context(right, wrong)
    with pytest.raises(FileNotFoundError, match=f": {missing}$"):
        server_context(right, client_authority=missing)
    with pytest.raises(ssl.SSLError, match=f": {wrong}$"):
        client_context(authority=wrong)
    with pytest.raises(FileNotFoundError, match=f": {missing}$"):
        client_context(certificate=missing)


def test_the_protocols_of_tls_are_several_names(certificates: Certificates) -> None:
    with pytest.raises(TypeError, match=r"such as \('h2',\), got 'h2'"):
        client_context(alpn="h2")
    with pytest.raises(TypeError, match="got 'h2'"):
        server_context(certificates.server_file, alpn="h2")
    for wrong in ("", "x" * 256):
        with pytest.raises(ValueError, match="must have 1 to 255 bytes, got"):
            client_context(alpn=["h2", wrong])
