"""Echo 100 messages over a reader that stays registered."""

import gc
import os
import socket

from tulip_poll import EventLoop

MESSAGES = 100


def main() -> None:
    """Play both ends in one loop: each message is echoed once, and answered with the next."""
    loop = EventLoop()
    here, there = socket.socketpair()
    count = 0

    def echo() -> None:
        here.send(here.recv(100))

    def answer() -> None:
        nonlocal count
        data = there.recv(100)
        count += 1
        if count < MESSAGES:
            there.send(data)
        else:
            loop.stop()

    loop.add_reader(here, echo)
    loop.add_reader(there, answer)
    there.send(b"message")
    gc.disable()
    os.write(1, b"begin\n")
    loop.run()
    os.write(1, b"end\n")
    loop.close()
    here.close()
    there.close()


if __name__ == "__main__":
    main()
