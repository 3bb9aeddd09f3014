"""What is left of a TLS transport that nobody refers to any more: nothing, or one warning."""

import contextlib
import gc
import ssl
import threading
import warnings
import weakref

import pytest

from tests.net.pairs import memory, over_tls, tcp
from tests.net.tls_peer import connected
from tests.opponents.certificates import Certificates
from tulip_net import (
    BrokenError,
    CertificateError,
    TlsError,
    Transport,
    create_task,
    run,
    sleep,
    start_tls,
    with_timeout,
)
from tulip_net.testing import MakePair


@pytest.mark.parametrize("make_pair", [tcp, memory])
@pytest.mark.usefixtures("no_collector")
def test_a_transport_that_failed_is_freed_at_once(
    certificates: Certificates, make_pair: MakePair
) -> None:
    """Its errors, once they are dealt with, are in no circle with it."""

    async def main() -> None:
        transport, peer = await connected(make_pair, certificates)
        with peer.below:
            await peer.below.send(peer.alert())
            for _ in range(2):
                with contextlib.suppress(TlsError):
                    await transport.recv(100)
            with contextlib.suppress(TlsError):
                await transport.send(b"x")
            transport.close()
            there = weakref.ref(transport)
            del transport
            assert there() is None

    run(main())


@pytest.mark.usefixtures("no_collector")
def test_one_that_failed_while_another_error_was_handled_is_freed_at_once(
    certificates: Certificates,
) -> None:
    """Python hangs that error on to the new one; its traceback leads to the transport."""

    async def handle(transport: Transport) -> None:
        try:
            raise LookupError("of the program")
        except LookupError:
            with contextlib.suppress(TlsError):
                await transport.recv(100)

    async def main() -> None:
        transport, peer = await connected(tcp, certificates)
        with peer.below:
            await peer.below.send(peer.alert())
            await handle(transport)
            transport.close()
            there = weakref.ref(transport)
            del transport
            assert there() is None

    run(main())


@pytest.mark.usefixtures("no_collector")
def test_a_handshake_that_failed_leaves_nothing(certificates: Certificates) -> None:
    async def main() -> None:
        ours, theirs = await tcp()
        context = ssl.create_default_context()
        answering = create_task(start_tls(theirs, certificates.server_context(), server_side=True))
        with contextlib.suppress(CertificateError):
            await start_tls(ours, context, server_hostname="localhost")
        there = weakref.ref(ours)
        del ours
        assert there() is None
        with pytest.raises(BrokenError):
            await answering

    run(main())


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("how", ["dropped", "in a circle", "in another thread"])
def test_one_warning_for_what_was_dropped(
    certificates: Certificates, how: str, layers: int
) -> None:
    async def main() -> None:
        make_pair = tcp if layers == 1 else over_tls(tcp, certificates)
        transport, peer = await connected(make_pair, certificates)
        await peer.below.send(peer.encrypt(b"x"))
        await transport.recv(1)
        held: list[object] = [transport]
        if how == "in a circle":
            held.append(held)
        waiting = create_task(transport.recv(1))
        await sleep(0)
        waiting.cancel()
        await waiting.wait()
        del transport, waiting
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            gc.collect()  # what a test that failed has left is not this one's
            warnings.simplefilter("always")
            if how == "in another thread":
                thread = threading.Thread(target=held.clear)
                thread.start()
                thread.join()
            else:
                del held
                gc.collect()
        # In a circle, Python's own socket may be the first one.
        texts = [str(each.message) for each in caught]
        texts = [text for text in texts if "Transport to" in text or "<socket" in text]
        assert len(texts) == 1, texts
        peer.below.close()

    run(main())


@pytest.mark.parametrize("make_pair", [tcp, memory])
def test_a_cancelled_aclose_closes_what_is_below(
    certificates: Certificates, make_pair: MakePair
) -> None:
    async def main() -> None:
        transport, peer = await connected(make_pair, certificates, closing_timeout=None)
        await peer.below.send(peer.encrypt(b"x"))  # with data unread, a close is a reset
        assert await transport.recv(1) == b"x"
        closing = create_task(transport.aclose())
        await sleep(0)
        closing.cancel()
        await closing.wait()
        assert closing.cancelled()
        assert transport.closed
        while await with_timeout(5, peer.below.recv(100)):
            pass
        peer.below.close()

    run(main())
