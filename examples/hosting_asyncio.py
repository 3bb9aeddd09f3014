"""Run a tulip event loop inside asyncio: one thread, one wait in the kernel, both worlds.

Two things are enough to host a loop: a descriptor that is readable when the guest has something to
do, and the deadline of its next timer. The same few lines fit every loop that can watch a
descriptor and set a timer: Qt, GLib, or a game's frame loop.
"""

import asyncio
import socket

from tulip_poll import EventLoop


class Guest:
    """A tulip loop that an asyncio loop drives."""

    def __init__(self, loop: EventLoop, host: asyncio.AbstractEventLoop) -> None:
        """Begin to drive ``loop``, until `leave`."""
        self._loop = loop
        self._host = host
        self._timer: asyncio.TimerHandle | None = None
        self._left = False
        host.add_reader(loop.fileno(), self._turn)
        self._turn()

    def leave(self) -> None:
        """Stop driving it; it is the caller's to close."""
        self._left = True
        self._host.remove_reader(self._loop.fileno())
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
            delay = max(0, deadline - self._loop.time())
            self._timer = self._host.call_later(delay, self._turn)


async def main() -> None:
    """Let a tulip timer and a tulip reader work while asyncio sleeps."""
    loop = EventLoop()
    guest = Guest(loop, asyncio.get_running_loop())
    here, there = socket.socketpair()

    def receive() -> None:
        print("tulip received", here.recv(100).decode())

    loop.add_reader(here, receive)
    loop.call_later(0.01, print, "tulip's timer fired")
    await asyncio.sleep(0.02)
    print("asyncio slept")
    there.send(b"a message")
    await asyncio.sleep(0.01)
    # From asyncio's callbacks, too, the guest can be given work: it is the same thread.
    loop.call_soon(print, "tulip ran a callback")
    await asyncio.sleep(0.01)

    guest.leave()
    loop.forget(here)
    loop.close()
    here.close()
    there.close()


if __name__ == "__main__":
    asyncio.run(main())
