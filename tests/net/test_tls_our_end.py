"""TLS whose stream we end, or whose sending goes wrong, at our side."""

import pytest

from tests.net.pairs import memory, over_tls, tcp
from tests.net.tls_peer import connected
from tests.opponents.certificates import Certificates
from tulip_net import (
    BusyError,
    ClosedError,
    Transport,
    coroutine,
    create_task,
    move_on_after,
    run,
    sleep,
    with_timeout,
)
from tulip_net.testing import MakePair, memory_pair

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


def test_tls_in_tls_is_disturbed_by_what_comes_below_both(certificates: Certificates) -> None:
    async def main() -> None:
        transport, peer = await connected(over_tls(tcp, certificates), certificates)
        with transport, peer.below:
            await peer.below.send(peer.encrypt(b"x"))
            assert await transport.recv(1) == b"x"
            with move_on_after(0.01):
                await transport.recv(1)
            assert not transport.disturbed
            await peer.below.send(peer.encrypt(b"y"))
            await sleep(0.001)
            assert transport.disturbed

    run(main())


@coroutine
async def tight() -> tuple[Transport, Transport]:
    """A pair with so little room that each send has to wait."""
    return memory_pair(4500)


def test_what_tls_below_took_goes_out_with_nothing_more(certificates: Certificates) -> None:
    """A cancelled send may leave it all to the TLS below, which waits for another send."""

    async def main() -> None:
        a, b = await over_tls(over_tls(tight, certificates), certificates)()
        with a, b:
            with move_on_after(0):
                await a.send(bytes(20_000))
            assert a.unsent == 0
            pushing = create_task(a.send(b""))
            got = 0
            while got < 20_000:
                got += len(await with_timeout(PATIENCE, b.recv(100_000)))
            await pushing

    run(main())


@pytest.mark.parametrize("layers", [1, 2])
def test_two_whose_sends_were_cancelled_can_receive(
    certificates: Certificates, layers: int
) -> None:
    """What is left of their sends waits for the next one; else each would wait for the other."""

    async def main() -> None:
        make_pair: MakePair = tight
        for _ in range(layers):
            make_pair = over_tls(make_pair, certificates)
        ends = await make_pair()
        with ends[0], ends[1]:
            for end in ends:
                with move_on_after(0):
                    for _ in range(5):
                        await end.send(bytes(1000))
            receiving = [create_task(end.recv(100_000)) for end in ends]
            for task in receiving:
                assert await with_timeout(PATIENCE, task)

    run(main())
