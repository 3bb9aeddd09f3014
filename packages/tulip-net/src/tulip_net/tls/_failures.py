"""OpenSSL's errors in our words, at the one place where they cross."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tulip_net._errors import BrokenError, CertificateError, TlsError, TruncatedError

if TYPE_CHECKING:
    import ssl

__all__ = ["is_end", "is_truncation", "translate", "wants_input"]

_NO_RECORD: Final = "wrong version number"

# `ssl` takes 7 ms to import, and who raises its errors has done so.


def wants_input(error: OSError) -> bool:
    """Say whether it is no error: OpenSSL waits for what the peer has to say."""
    import ssl

    return isinstance(error, ssl.SSLWantReadError)


def is_end(error: OSError) -> bool:
    """Say whether it is no error: the peer has ended its stream."""
    import ssl

    return isinstance(error, ssl.SSLZeroReturnError)


def is_truncation(error: OSError) -> bool:
    """Say whether the connection below ended, and the peer's stream had not."""
    import ssl

    return isinstance(error, ssl.SSLEOFError)


def translate(error: OSError, doing: str, whom: object, host: str | None) -> BrokenError:
    """Return what to raise for an error that is not about waiting.

    Args:
        error: What `ssl` raised; never a want-read or want-write.
        doing: The operation, such as ``"receiving"``.
        whom: The transport, for the message.
        host: The name the certificate had to be good for.
    """
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(host, error.verify_message or str(error))
    if isinstance(error, ssl.SSLEOFError):
        return TruncatedError(f"{doing} on {whom!r}: the peer left without ending the TLS stream")
    if isinstance(error, ssl.SSLError):
        return TlsError(f"{doing} on {whom!r} failed: {_reason(error)}")
    return BrokenError(f"{doing} on {whom!r} failed: {error}")


def _reason(error: ssl.SSLError) -> str:
    # "SSLV3_ALERT_HANDSHAKE_FAILURE" says more than the library's sentence around it.
    reason = error.reason.lower().replace("_", " ") if error.reason else str(error)
    # No version is wrong then: what came is not a TLS record at all.
    return f"{reason} (the peer does not speak TLS)" if reason == _NO_RECORD else reason
