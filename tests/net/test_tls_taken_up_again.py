"""What was cancelled over TLS, and is then done once more: what was held back goes out."""

import pytest

from tests.net.pairs import over_tls
from tests.opponents.certificates import Certificates
from tulip_net import (
    BufferedReader,
    BufferedWriter,
    Coroutine,
    Transport,
    coroutine,
    create_task,
    move_on_after,
    run,
    with_timeout,
)
from tulip_net.testing import MakePair, memory_pair
from tulip_sched.testing import virtual_time

SIZE = 5000


@coroutine
async def narrow() -> tuple[Transport, Transport]:
    """A pair that holds less than what is sent here."""
    return memory_pair(capacity=1000)


def layers(certificates: Certificates, count: int) -> MakePair:
    make = narrow
    for _ in range(count):
        make = over_tls(make, certificates)
    return make


async def all_comes(receiver: Transport, again: Coroutine[None], *, end: bool = False) -> None:
    """Do it again, and see what was held back, and the end, arrive."""
    doing = create_task(again)
    assert await with_timeout(5, BufferedReader(receiver).readexactly(SIZE)) == bytes(SIZE)
    if end:
        assert await with_timeout(5, receiver.recv(1)) == b""
    await doing


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", ["send", "send_eof"])
def test_an_operation_that_was_cancelled(certificates: Certificates, name: str, count: int) -> None:
    """TLS below TLS holds back what the one above has given it, and it goes with the next call."""

    async def main() -> None:
        a, b = await layers(certificates, count)()
        with a, b:
            operations = [a.send(bytes(SIZE))]
            operations += [a.send_eof(), a.send_eof()] if name == "send_eof" else []
            for operation in operations:
                with move_on_after(0.01) as scope:
                    await operation
                assert scope.cancelled_caught
                assert a.unsent == 0
            again = a.send_eof() if name == "send_eof" else a.send(b"")
            await all_comes(b, again, end=name == "send_eof")

    with virtual_time():
        run(main())


@pytest.mark.parametrize("count", [1, 2])
def test_a_flush_that_was_cancelled(certificates: Certificates, count: int) -> None:
    """The next one is not done as long as TLS holds back what it has taken."""

    async def main() -> None:
        a, b = await layers(certificates, count)()
        with a, b:
            writer = BufferedWriter(a)
            writer.write(bytes(SIZE))
            for _ in range(2):
                with move_on_after(0.01) as scope:
                    await writer.flush()
                assert scope.cancelled_caught
            await all_comes(b, writer.flush())

    with virtual_time():
        run(main())
