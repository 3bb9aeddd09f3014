"""A server that says what it was told to, whatever it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, final

from tulip_net import BrokenError, Gen, Task, Transport, coroutine, sleep
from tulip_net.testing import memory_pair

if TYPE_CHECKING:
    from tulip_http._url import Origin

_LIMIT = 65536


class Step(Enum):
    """What a script can do besides sending bytes and waiting."""

    REQUEST = "wait for the head of a request"
    HANG = "say nothing more, until the client has gone"


Script: TypeAlias = "bytes | Sequence[bytes | float | Step]"
"""Steps of one connection: bytes to send, seconds to wait, or a `Step`. Bytes by themselves are
sent once a request has come. After the last step the server closes the connection."""


@final
class ScriptedServer:
    """Plays a script on each connection.

    Args:
        scripts: One for each connection; the last one serves all that follow.
        piece: Send at most so many bytes at once; 1 cuts everything everywhere.

    Attributes:
        received: What came, for each connection.
    """

    def __init__(self, *scripts: Script, piece: int = _LIMIT) -> None:
        if not scripts:
            raise ValueError("a scripted server needs a script")
        self._scripts: list[list[bytes | float | Step]] = [
            [Step.REQUEST, script] if isinstance(script, bytes) else list(script)
            for script in scripts
        ]
        self._piece = piece
        self.received: list[bytearray] = []

    @coroutine
    async def connect(self, _origin: Origin) -> Transport:
        """Return a connection to this server, which is every host: for ``Client(connect=...)``."""
        ours, theirs = memory_pair()
        number = len(self.received)
        self.received.append(bytearray())
        Task(self._play(number, theirs), f"script {number}").start()
        return ours

    @coroutine
    def _play(self, number: int, transport: Transport) -> Gen[None]:
        try:
            for step in self._scripts[min(number, len(self._scripts) - 1)]:
                if not (yield from self._do(step, number, transport)):
                    return
        except BrokenError:
            pass  # the client has gone: that is its right
        finally:
            transport.close()

    @coroutine
    def _do(self, step: bytes | float | Step, number: int, transport: Transport) -> Gen[bool]:
        """Take one step, and say whether there may be another."""
        if isinstance(step, bytes):
            for at in range(0, len(step), self._piece):
                yield from transport.send(step[at : at + self._piece])
                if self._piece < _LIMIT:
                    yield from sleep(0)
        elif not isinstance(step, Step):
            yield from sleep(step)
        else:
            return (yield from self._listen(step, number, transport))
        return True

    @coroutine
    def _listen(self, step: Step, number: int, transport: Transport) -> Gen[bool]:
        heads = self.received[number].count(b"\r\n\r\n")
        while step is Step.HANG or self.received[number].count(b"\r\n\r\n") <= heads:
            data = yield from transport.recv(_LIMIT)
            self.received[number] += data
            if not data:
                return False
        return True
