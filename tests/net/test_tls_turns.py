"""Two tasks that carry the same ciphertext take turns."""

from tulip_net import Gen, coroutine, create_task, fail_after, run, sleep
from tulip_net.tls._turns import Turns


def test_all_who_wait_are_woken() -> None:
    """Each looks again, as nobody knows which of them still wants to."""

    @coroutine
    def main() -> Gen[None]:
        turns = Turns()
        tasks = [create_task(turns.wait()) for _ in range(3)]
        yield from sleep(0)
        turns.wake()
        turns.wake()
        with fail_after(5):
            for task in tasks:
                yield from task

    run(main())


def test_who_was_cancelled_is_not_woken() -> None:
    """By then it may be waiting for something else."""

    @coroutine
    def main() -> Gen[None]:
        turns = Turns()
        tasks = [create_task(turns.wait()) for _ in range(2)]
        yield from sleep(0)
        tasks[0].cancel()
        yield from tasks[0].wait()
        assert turns.waiting is not None
        assert list(turns.waiting) == [tasks[1]]
        turns.wake()
        with fail_after(5):
            yield from tasks[1]

    run(main())
