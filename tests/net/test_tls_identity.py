"""Who is who in TLS: names, certificates of both sides, application protocols."""

import ssl
import sys
from pathlib import Path

import pytest
import trustme

from tests.net.openssl import openssl, s_server
from tests.net.pairs import tcp
from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    CertificateError,
    Gen,
    SslTransport,
    StaticNames,
    TlsError,
    Transport,
    call_in_thread,
    client_context,
    coroutine,
    create_task,
    create_transport,
    listen,
    run,
    serve,
    server_context,
    start_tls,
)


def pem(tmp_path: Path, authority: trustme.CA, *names: str) -> Path:
    """Write a certificate for these names, with its key, to a file."""
    file = tmp_path / f"{names[0].partition('@')[0].replace('*', 'any')}.pem"
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@coroutine
def tls_pair(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str
) -> Gen[tuple[SslTransport, SslTransport]]:
    a, b = yield from tcp()
    answer = create_task(start_tls(b, server, server_side=True))
    ours = yield from start_tls(a, client, server_hostname=name)
    return ours, (yield from answer)


async def wait_for_the_end(transport: Transport) -> None:
    while await transport.recv(1000):
        pass


# -- whom to trust -----------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="there, the store is no file")
def test_the_operating_systems_store_is_what_counts(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own variable points it to another store: the one with our authority in it."""
    strange = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(strange)
    known = certificates.server_context()

    async def visit(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
        with await listen("127.0.0.1") as listener:
            server = create_task(serve(wait_for_the_end, listener, ssl=theirs))
            try:
                async with await create_transport("localhost", listener.port, ssl=ours):
                    pass
            finally:
                listener.close()
                await server

    async def main() -> None:
        ours = client_context(alpn=["of our store"])  # each list of ALPN has a context
        await visit(ours, known)
        with pytest.raises(CertificateError, match="localhost"):
            await visit(ours, strange)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(CertificateError, match="localhost"):
            await visit(client_context(alpn=["of the system's"]), known)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority_file))
    run(main())


# -- names (SNI) -------------------------------------------------------------------------------


def test_a_server_has_a_certificate_for_each_name(
    certificates: Certificates, tmp_path: Path
) -> None:
    authority = certificates.authority
    of_a = server_context(pem(tmp_path, authority, "a.example"), alpn=("only-a",))
    of_others = server_context(pem(tmp_path, authority, "*.b.example"))
    context = server_context(
        certificates.server_file, names={"A.example": of_a, "*.b.example": of_others}
    )
    trusting = client_context(alpn=["only-a"], authority=certificates.authority_file)

    async def main() -> None:
        names = ("a.example", "A.Example", "x.b.example", "Y.B.EXAMPLE", "localhost", "127.0.0.1")
        for name in names:
            ours, theirs = await tls_pair(trusting, context, name)
            assert ours.alpn_protocol == ("only-a" if name.lower() == "a.example" else None)
            ours.close()
            theirs.close()

    run(main())


def test_s_client_gets_the_certificate_of_the_name_that_it_asks_for(
    certificates: Certificates, tmp_path: Path
) -> None:
    of_a = server_context(pem(tmp_path, certificates.authority, "a.example"))
    context = server_context(certificates.server_file, names={"a.example": of_a})

    @coroutine
    def main() -> Gen[None]:
        listener = yield from listen("127.0.0.1")
        server = create_task(serve(until_the_end, listener, ssl=context))
        for name in ("a.example", "localhost"):
            options = ("-servername", name, "-verify_hostname", name, "-verify_return_error")
            said = yield from said_by_s_client(listener.port, certificates, *options)
            assert b"Verification: OK" in said
            assert f"Verified peername: {name}".encode() in said
        listener.close()
        yield from server

    run(main())


@coroutine
def until_the_end(transport: Transport) -> Gen[None]:
    while (yield from transport.recv(1000)):
        pass


@coroutine
def said_by_s_client(port: int, certificates: Certificates, *options: str | Path) -> Gen[bytes]:
    arguments = ("-connect", f"127.0.0.1:{port}", "-CAfile", certificates.authority_file)
    with openssl("s_client", *arguments, *options) as client:
        said, _ = yield from call_in_thread(client.communicate, b"Q\n")
    return said


def test_s_server_sees_the_name_that_we_ask_for(certificates: Certificates) -> None:
    async def main(port: int) -> None:
        for name in ("localhost", "other.example"):
            context = certificates.client_context()
            context.check_hostname = False
            transport = await create_transport("127.0.0.1", port, ssl=context, server_hostname=name)
            assert isinstance(transport, SslTransport)
            # -servername_fatal makes s_server refuse, rather than warn of, any other name.
            await transport.aclose()

    options = ("-servername", "localhost", "-servername_fatal", "-key2")
    with (
        s_server(
            certificates.server_file,
            "-rev",
            "-quiet",
            *options,
            certificates.server_file,
            "-cert2",
            certificates.server_file,
        ) as port,
        pytest.raises(TlsError, match="unrecognized name"),
    ):
        run(main(port))


# -- certificates of clients -------------------------------------------------------------------


def test_a_server_asks_clients_for_certificates(certificates: Certificates, tmp_path: Path) -> None:
    file = pem(tmp_path, certificates.authority, "client@example.org")
    stranger = pem(tmp_path, trustme.CA(), "stranger@example.org")
    authority = certificates.authority_file
    server = server_context(certificates.server_file, client_authority=authority)

    async def main() -> None:
        client = client_context(authority=authority, certificate=file)
        ours, theirs = await tls_pair(client, server, "localhost")
        assert theirs.peer_certificate == ssl.PEM_cert_to_DER_cert(certificate_in(file))
        assert theirs.peer_names == (("email", "client@example.org"),)
        assert theirs.peer_subject[0][0] == "organizationName"
        assert ("DNS", "localhost") in ours.peer_names
        ours.close()
        theirs.close()
        a, b = await tcp()
        client = client_context(authority=authority, certificate=stranger)
        task = create_task(start_tls(a, client, server_hostname="localhost"))
        with pytest.raises(CertificateError, match="certificate of the client does not verify"):
            await start_tls(b, server, server_side=True)
        # With TLS 1.3 a client learns of the refusal when it reads: it has its keys before.
        with pytest.raises(TlsError, match="unknown ca"):
            await (await task).recv(1)
        task.result().close()

    run(main())


def test_a_certificate_that_was_not_verified_names_nobody(certificates: Certificates) -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE

    async def main() -> None:
        ours, theirs = await tls_pair(careless, certificates.server_context(), "localhost")
        assert ours.peer_certificate  # it was shown
        assert ours.peer_names == ours.peer_subject == ()
        assert theirs.peer_certificate is None  # this side was shown none
        assert theirs.peer_names == theirs.peer_subject == ()
        ours.close()
        theirs.close()

    run(main())


def test_each_name_has_client_authorities_of_its_own(
    certificates: Certificates, tmp_path: Path
) -> None:
    authority = certificates.authority_file
    file = pem(tmp_path, certificates.authority, "client@example.org")
    of_a = pem(tmp_path, certificates.authority, "a.example")
    trusting = server_context(of_a, client_authority=authority)
    names = {"a.example": trusting, "b.example": server_context(of_a)}
    server = server_context(certificates.server_file, client_authority=authority, names=names)

    async def main() -> None:
        client = client_context(authority=authority, certificate=file)
        for name in ("localhost", "a.example"):
            ours, theirs = await tls_pair(client, server, name)
            assert theirs.peer_certificate
            ours.close()
            theirs.close()
        client.check_hostname = False
        a, b = await tcp()
        task = create_task(start_tls(a, client, server_hostname="b.example"))
        with pytest.raises(CertificateError, match="certificate of the client does not verify"):
            await start_tls(b, server, server_side=True)
        (await task).close()

    run(main())


def certificate_in(file: Path) -> str:
    text = file.read_text()
    end = "-----END CERTIFICATE-----\n"
    return text[text.index("-----BEGIN CERTIFICATE") : text.index(end) + len(end)]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_server_takes_our_certificate_and_insists_on_one(
    certificates: Certificates, tmp_path: Path, version: str
) -> None:
    file = pem(tmp_path, certificates.authority, "client@example.org")
    authority = certificates.authority_file

    async def main(port: int) -> None:
        context = client_context(authority=authority, certificate=file)
        transport = await create_transport("127.0.0.1", port, ssl=context)
        await transport.send(b"abc\n")
        assert await BufferedReader(transport).readline() == b"cba\n"
        await transport.aclose()
        with pytest.raises(TlsError, match=r"handshake failure|certificate required"):
            await first_byte(port, client_context(authority=authority))

    options = ("-rev", "-quiet", version, "-Verify", "1", "-verify_return_error")
    with s_server(certificates.server_file, *options, "-CAfile", authority) as port:
        run(main(port))


@coroutine
def first_byte(port: int, context: ssl.SSLContext) -> Gen[bytes]:
    transport = yield from create_transport("127.0.0.1", port, ssl=context)
    try:
        return (yield from transport.recv(1))
    finally:
        transport.close()


def test_s_client_shows_us_its_certificate(certificates: Certificates, tmp_path: Path) -> None:
    file = pem(tmp_path, certificates.authority, "client@example.org")
    shown: list[bytes | None] = []

    @coroutine
    def note(transport: Transport) -> Gen[None]:
        assert isinstance(transport, SslTransport)
        shown.append(transport.peer_certificate)
        yield from until_the_end(transport)

    @coroutine
    def main() -> Gen[None]:
        context = server_context(
            certificates.server_file, client_authority=certificates.authority_file
        )
        listener = yield from listen("127.0.0.1")
        server = create_task(serve(note, listener, ssl=context))
        yield from said_by_s_client(listener.port, certificates, "-cert", file)
        yield from said_by_s_client(listener.port, certificates)
        listener.close()
        yield from server

    run(main())
    assert shown == [ssl.PEM_cert_to_DER_cert(certificate_in(file))]


def test_contexts_with_files_are_new_each_time_and_check_them(
    certificates: Certificates, tmp_path: Path
) -> None:
    authority = certificates.authority_file
    assert client_context(authority=authority) is not client_context(authority=authority)
    with pytest.raises(ValueError, match=r"'key.pem' is of no use without its certificate"):
        client_context(key="key.pem")
    with pytest.raises(FileNotFoundError):
        client_context(certificate=tmp_path / "none.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(OSError, match="NO_CERTIFICATE_OR_CRL_FOUND"):
        client_context(authority=tmp_path / "empty.pem")


# -- application protocols (ALPN) --------------------------------------------------------------


@pytest.mark.parametrize(
    "offered,agreed", [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)]
)
def test_s_server_chooses_a_protocol(
    certificates: Certificates, offered: tuple[str, ...], agreed: str | None
) -> None:
    async def main(port: int) -> None:
        context = client_context(alpn=offered, authority=certificates.authority_file)
        transport = await create_transport("127.0.0.1", port, ssl=context)
        assert isinstance(transport, SslTransport)
        assert transport.alpn_protocol == agreed
        transport.close()

    with s_server(certificates.server_file, "-rev", "-quiet", "-alpn", "h2,http/1.1") as port:
        run(main(port))


def test_s_client_and_we_choose_a_protocol(certificates: Certificates) -> None:
    @coroutine
    def main() -> Gen[None]:
        context = server_context(certificates.server_file, alpn=("h2", "http/1.1"))
        listener = yield from listen("127.0.0.1")
        server = create_task(serve(until_the_end, listener, ssl=context))
        for offered, agreed in (("http/1.1,h2", b"h2"), ("http/1.1", b"http/1.1")):
            said = yield from said_by_s_client(listener.port, certificates, "-alpn", offered)
            assert b"ALPN protocol: " + agreed + b"\n" in said
        said = yield from said_by_s_client(listener.port, certificates, "-alpn", "imap")
        assert b"No ALPN negotiated" in said
        listener.close()
        yield from server

    run(main())


def test_a_dot_at_the_end_of_a_name_is_for_the_resolver(certificates: Certificates) -> None:
    """It is no part of the name that is asked for, nor of that in the certificate."""
    asked: list[str | None] = []
    server = certificates.server_context()

    def choose(_tls: object, name: str | None, _context: object) -> None:
        asked.append(name)

    server.sni_callback = choose

    @coroutine
    async def say(transport: Transport) -> None:
        await transport.send(b"hello")

    async def main() -> None:
        listener = await listen("127.0.0.1")
        serving = create_task(serve(say, listener, ssl=server))
        names = StaticNames({"localhost.": ["127.0.0.1"]})
        async with await create_transport(
            "localhost.", listener.port, ssl=certificates.client_context(), resolver=names
        ) as transport:
            assert isinstance(transport, SslTransport)
            assert transport.server_hostname == "localhost"
            assert await transport.recv(100) == b"hello"
        listener.close()
        await serving

    run(main())
    assert asked == ["localhost"]
