"""Whom to trust: TLS contexts.

Loading the system's certificates takes some 25 ms, so one client context serves the process (one
for each list of ALPN protocols that is asked for).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import ssl

__all__ = ["client_context", "server_context"]

PathLike: TypeAlias = str | os.PathLike[str]

CA_FILES: Final = (
    "/etc/ssl/cert.pem",  # Alpine, Arch, the BSDs
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/cert.pem",  # their older releases
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""Where systems keep their certificates when OpenSSL was built to look elsewhere.

The same list as truststore's, which does not offer it."""


class _Process:
    """What two threads of this process must not both do; a forked one has none of the threads."""

    making = threading.Lock()

    @classmethod
    def begin_anew(cls) -> None:
        cls.making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.begin_anew)


def client_context(
    *,
    alpn: Sequence[str] = (),
    authority: PathLike | None = None,
    certificate: PathLike | None = None,
    key: PathLike | None = None,
) -> ssl.SSLContext:
    """Return a client context that verifies servers; by default the one that the process shares.

    Args:
        alpn: Application protocols to offer, the preferred one first, such as ``"h2"``.
        authority: A PEM file with the certificates to trust; default: the system's trust store.
        certificate: A PEM file with the certificate to show to servers that ask for one.
        key: A PEM file with its private key; default: the same file.

    With nothing but ``alpn`` the context is shared: whoever wants to change one makes their own.
    With a file it is new, as the file may be: make it once and keep it.

    Raises:
        OSError: A file cannot be read, or the key does not belong to the certificate.
        TypeError: ``alpn`` is one string.
        ValueError: There is a key without a certificate; a protocol's name is empty or too long.

    Source: RFC 7301 (ALPN).
    """
    if key is not None and certificate is None:
        raise ValueError(f"the key {key!r} is of no use without its certificate")
    _check_protocols(alpn)
    if authority is None and certificate is None:
        with _Process.making:  # two threads must not both pay for the loading
            return _shared_client_context(tuple(alpn))
    context = _new_client_context(alpn, authority)
    if certificate is not None:
        _show(context, certificate, key)
    return context


def server_context(
    certificate: PathLike,
    key: PathLike | None = None,
    *,
    alpn: Sequence[str] = (),
    client_authority: PathLike | None = None,
    names: Mapping[str, ssl.SSLContext] | None = None,
) -> ssl.SSLContext:
    """Make a server context.

    Args:
        certificate: A PEM file with the certificate, followed by its intermediates.
        key: A PEM file with the private key; default: the same file.
        alpn: Application protocols to accept, the preferred one first.
        client_authority: A PEM file with the authorities of clients. Each client must then show a
            certificate from one of them.
        names: Other contexts for clients that ask for these names, such as ``"a.example"`` or
            ``"*.example"``: their certificates, ALPN, and client authorities. Whether clients need
            certificates at all is this context's to say; each of the others then needs a
            ``client_authority`` too.

    Raises:
        OSError: A file cannot be read, or the key does not belong to the certificate.
        TypeError: ``alpn`` is one string.
        ValueError: A protocol's name is empty or too long.

    Source: RFC 7301 (ALPN); RFC 6066 section 3 (server name).
    """
    import ssl

    _check_protocols(alpn)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _show(context, certificate, key)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_authority)
    if names:
        _choose_by_name(context, {name.lower(): each for name, each in names.items()})
    _harden(context, alpn)
    return context


@functools.cache
def _shared_client_context(alpn: tuple[str, ...]) -> ssl.SSLContext:
    return _new_client_context(alpn, None)


def _new_client_context(alpn: Sequence[str], authority: PathLike | None) -> ssl.SSLContext:
    import ssl

    context: ssl.SSLContext
    if authority is None and sys.platform in {"darwin", "win32"}:
        import truststore  # the only systems where it does what OpenSSL cannot

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if authority is not None:
            _trust(context, authority)
        else:
            # Elsewhere the store is a file that OpenSSL reads. truststore would read it again for
            # each connection, which takes 35 ms.
            _load_system_store(context)
    _harden(context, alpn)
    return context


def _show(context: ssl.SSLContext, certificate: PathLike, key: PathLike | None) -> None:
    with _naming(certificate, certificate if key is None else key):
        context.load_cert_chain(certificate, key)


def _trust(context: ssl.SSLContext, authority: PathLike) -> None:
    with _naming(authority):
        context.load_verify_locations(authority)


@contextmanager
def _naming(*files: PathLike) -> Iterator[None]:
    """Have an error say which files it is about: OpenSSL's do not."""
    try:
        yield
    except OSError as error:
        names = " and ".join(dict.fromkeys(os.fspath(file) for file in files))
        error.strerror = f"{error.strerror}: {names}"
        raise


def _load_system_store(context: ssl.SSLContext) -> None:
    import ssl
    from pathlib import Path

    context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).glob("*.[0-9]"))):
        return
    for file in CA_FILES:
        if Path(file).is_file():
            context.load_verify_locations(file)
            return


def _check_protocols(alpn: Sequence[str]) -> None:
    if isinstance(alpn, str):  # whose letters would each be a protocol
        raise TypeError(f"alpn must be several names, such as ({alpn!r},), got {alpn!r}")
    for name in alpn:
        if not 0 < len(name.encode()) <= 255:
            raise ValueError(f"a protocol's name must have 1 to 255 bytes, got {name!r}")


def _harden(context: ssl.SSLContext, alpn: Sequence[str]) -> None:
    import ssl

    # Renegotiation has brought attacks and no use (RFC 9325 section 3.4); TLS 1.3 removed it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))


def _choose_by_name(context: ssl.SSLContext, names: Mapping[str, ssl.SSLContext]) -> None:
    def choose(
        connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> None:
        if name:  # a client that connects to an address sends none (RFC 6066 section 3)
            name = name.lower()
            other = names.get(name) or names.get("*." + name.partition(".")[2])
            if other is not None:
                connection.context = other

    context.sni_callback = choose
