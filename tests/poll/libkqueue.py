"""The real libkqueue, which is kqueue on Linux, through ctypes.

It is found by the environment variable ``TULIP_LIBKQUEUE`` (a path) or by the linker. What it
offers here is what ``select`` has on a system with kqueue.

Source: libkqueue's <sys/event.h>; FreeBSD kqueue(2).
"""

import ctypes
import ctypes.util
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

KQ_FILTER_READ = -1
KQ_FILTER_WRITE = -2
KQ_EV_ADD = 0x0001
KQ_EV_DELETE = 0x0002
KQ_EV_ENABLE = 0x0004
KQ_EV_ERROR = 0x4000
KQ_EV_EOF = 0x8000


class _Kevent(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]
        ("ident", ctypes.c_size_t),
        ("filter", ctypes.c_short),
        ("flags", ctypes.c_ushort),
        ("fflags", ctypes.c_uint),
        ("data", ctypes.c_ssize_t),
        ("udata", ctypes.c_void_p),
    ]


class _Timespec(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    ]


@dataclass(frozen=True)
class kevent:  # noqa: N801 - the name it has in `select`
    """A change to a filter, or an event from one."""

    ident: int
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0


def find() -> str | None:
    """Return the library's path or name, or None where there is none."""
    return os.environ.get("TULIP_LIBKQUEUE") or ctypes.util.find_library("kqueue")


def load(name: str) -> SimpleNamespace:
    """Return the library as something like the module ``select``."""
    library = ctypes.CDLL(name, use_errno=True)

    class kqueue:  # noqa: N801 - the name it has in `select`
        def __init__(self) -> None:
            self._fd = _checked(library.kqueue())

        def control(
            self,
            changelist: Iterable[kevent] | None,
            max_events: int,
            timeout: float | None = None,
            /,
        ) -> list[kevent]:
            changes = [
                _Kevent(change.ident, change.filter, change.flags) for change in changelist or ()
            ]
            events = (_Kevent * max(max_events, 1))()
            count = _checked(
                library.kevent(
                    self._fd,
                    (_Kevent * max(len(changes), 1))(*changes),
                    len(changes),
                    events,
                    max_events,
                    None if timeout is None else ctypes.byref(_timespec(timeout)),
                )
            )
            return [
                kevent(event.ident, event.filter, event.flags, event.fflags, event.data)
                for event in events[:count]
            ]

        def fileno(self) -> int:
            return self._fd

        def close(self) -> None:
            # The library keeps a reference to the number until it sees it closed.
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    return SimpleNamespace(
        kqueue=kqueue,
        kevent=kevent,
        **{name: number for name, number in globals().items() if name.startswith("KQ_")},
    )


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _timespec(seconds: float) -> _Timespec:
    fraction, whole = math.modf(seconds)
    return _Timespec(int(whole), math.ceil(fraction * 1e9))
