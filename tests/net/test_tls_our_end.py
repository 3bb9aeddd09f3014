"""TLS whose stream we end, or whose sending goes wrong, at our side."""

import pytest

from tests.net.pairs import memory, tcp
from tests.net.tls_peer import connected
from tests.opponents.certificates import Certificates
from tulip_net import (
    BusyError,
    ClosedError,
    create_task,
    move_on_after,
    run,
    sleep,
    with_timeout,
)

PATIENCE = 5.0


@pytest.mark.parametrize("how", ["send_eof", "aclose"])
def test_a_send_after_our_end_is_unsent(certificates: Certificates, how: str) -> None:
    async def main() -> None:
        transport, peer = await connected(memory, certificates, closing_timeout=0)
        with transport, peer.below:
            await getattr(transport, how)()
            with pytest.raises(ClosedError):
                await transport.send(b"seven", b"ty")
            assert transport.unsent == 7

    run(main())


def test_sends_that_are_cancelled_do_not_pile_up(certificates: Certificates) -> None:
    """What was encrypted counts as sent: one portion of it, however often it is tried."""

    async def main() -> None:
        transport, peer = await connected(memory, certificates)
        with transport, peer.below:
            taken = 0
            for _ in range(20):
                with move_on_after(0):
                    await transport.send(bytes(200_000))
                taken += 200_000 - transport.unsent
            assert taken <= 65536 + 262144 + 262144

    run(main())


def test_a_refused_send_is_not_counted_for_the_one_that_goes_on(
    certificates: Certificates,
) -> None:
    async def main() -> None:
        transport, peer = await connected(memory, certificates)
        with transport, peer.below:
            sending = create_task(transport.send(bytes(1_000_000)))
            await sleep(0)
            unsent = transport.unsent
            with pytest.raises(BusyError):
                await transport.send(b"x")
            assert transport.unsent == unsent > 1
            sending.cancel()
            await sending.wait()

    run(main())


def test_an_aclose_behind_an_alert_does_not_wait(certificates: Certificates) -> None:
    """OpenSSL says what it says of an end then, and our own cannot be said any more."""

    async def main() -> None:
        transport, peer = await connected(tcp, certificates, closing_timeout=None)
        with peer.below:
            await peer.below.send(peer.encrypt(b"words") + peer.alert())
            assert await transport.recv(1) == b"w"
            await with_timeout(PATIENCE, transport.aclose())

    run(main())


def test_an_aclose_that_a_close_cuts_short_is_no_error(certificates: Certificates) -> None:
    async def main() -> None:
        transport, peer = await connected(tcp, certificates, closing_timeout=None)
        with peer.below:
            closing = create_task(transport.aclose())
            await sleep(0.001)
            assert not closing.done()
            transport.close()
            await with_timeout(PATIENCE, closing)

    run(main())
