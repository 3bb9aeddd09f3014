"""Tulip."""

import socket

from benchmarks.echo.on_tulip import echo as answer
from benchmarks.harness.meter import Meter
from benchmarks.http.on_tulip import get
from benchmarks.scheduling import on_tulip as scheduling
from tulip_net import Gen, Listener, Transport, coroutine, run, serve

__all__ = ["echo", "get", "switch"]


def switch(meter: Meter) -> None:
    """Switch between tasks."""
    scheduling.run(scheduling.switch, meter)


def echo(listener: socket.socket) -> None:
    """Echo on one connection."""
    door = Listener([listener])

    @coroutine
    def once(transport: Transport) -> Gen[None]:
        yield from answer(transport)
        door.close()

    run(serve(once, door))
