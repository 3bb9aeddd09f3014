"""Run one tulip event loop inside another, as a loop of your own would run one.

The inner loop's descriptor is readable exactly when it has something to do, and its next deadline
is a timer of the outer loop. So the inner loop needs no thread, and costs nothing while it waits.
"""

from tulip_poll import EventLoop, TimerHandle


class Guest:
    """An event loop that another one drives."""

    def __init__(self, loop: EventLoop, host: EventLoop) -> None:
        """Begin to drive ``loop``, until `leave`."""
        self._loop = loop
        self._host = host
        self._timer: TimerHandle | None = None
        self._left = False
        host.add_reader(loop, self._turn)
        self._turn()

    def leave(self) -> None:
        """Stop driving it; it is the caller's to close."""
        self._left = True
        self._host.remove_reader(self._loop)
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self) -> None:
        """Do what is ready now, and come back at the guest's next deadline."""
        try:
            self._loop.run_once(0)
        finally:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._loop.next_deadline()
        if deadline is not None and not self._left:
            # Both loops have the same clock.
            self._timer = self._host.call_at(deadline, self._turn)


def main() -> None:
    """Let two loops count, each with timers of its own."""
    outer, inner = EventLoop(), EventLoop()
    guest = Guest(inner, outer)

    def count(loop: EventLoop, name: str, number: int) -> None:
        print(name, number)
        if number < 3:
            loop.call_later(0.01, count, loop, name, number + 1)
        elif loop is inner:
            guest.leave()

    inner.call_later(0.005, count, inner, "inner", 1)
    outer.call_later(0.010, count, outer, "outer", 1)
    outer.run()
    inner.close()
    outer.close()


if __name__ == "__main__":
    main()
