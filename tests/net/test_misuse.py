"""What people get wrong at first: the error says what, and of what."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.opponents.certificates import Certificates
from tulip_net import (
    Transport,
    client_context,
    create_transport,
    listen,
    open_datagram,
    run,
    serve,
    server_context,
    start_tls,
)
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


def test_contexts_of_the_other_side(certificates: Certificates) -> None:
    ours, theirs = memory_pair()
    for_client = client_context(authority=certificates.authority_file)
    for_server = server_context(certificates.server_file)
    text: Any = "yes"

    async def main() -> None:
        with ours, theirs:
            with pytest.raises(ValueError, match=r"a TLS client .* a server's, as server_context"):
                await start_tls(ours, for_server, server_hostname="localhost")
            with pytest.raises(ValueError, match=r"a TLS server .* a client's, as client_context"):
                await start_tls(ours, for_client, server_side=True)
            with pytest.raises(TypeError, match="must be an SSLContext, got 'yes'"):
                await start_tls(ours, text, server_hostname="localhost")
        with await listen("127.0.0.1") as listener:
            with pytest.raises(ValueError, match=r"a TLS server .* a client's, as client_context"):
                await serve(handler, listener, ssl=for_client)
            with pytest.raises(TypeError, match="must be an SSLContext, got 'yes'"):
                await serve(handler, listener, ssl=text)
            assert not listener.closed

    run(main())


def test_a_url_where_a_proxy_belongs() -> None:
    """It may have a password, which is nothing to show."""
    url: Any = "http://me:secret@proxy.example:3128"
    with pytest.raises(TypeError, match=r"a proxy .* proxy_from_url\(\) .* got a str") as caught:
        run(create_transport("localhost", 80, proxy=url))
    assert "secret" not in str(caught.value)


def test_a_host_where_an_address_belongs() -> None:
    host: Any = "127.0.0.1"
    for call in (
        create_transport("localhost", 80, local_address=host),
        open_datagram(local_address=host),
        open_datagram(peer_address=host),
        open_datagram(peer_address=("127.0.0.1", 80), local_address=host),
    ):
        with pytest.raises(TypeError, match=r"must be \(host, port\), got '127\.0\.0\.1'"):
            run(call)
