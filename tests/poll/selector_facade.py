"""A selector of the standard library's kind over a pollster, for CPython's tests of selectors.

The books are those of CPython's own selectors; the pollster takes the place of what each of them
does with the kernel.
"""

from selectors import EVENT_READ, EVENT_WRITE, SelectorKey, _BaseSelectorImpl
from typing import Any, ClassVar

from tulip_poll import FileDescriptor, Pollster
from tulip_poll._typing import override


class PollsterSelector(_BaseSelectorImpl):
    """Select with a pollster of the class that a subclass names."""

    kind: ClassVar[type[Pollster]]

    def __init__(self) -> None:
        super().__init__()
        self._pollster = self.kind()
        self._found: dict[int, int] = {}

    @override
    def register(self, fileobj: FileDescriptor, events: int, data: Any = None) -> SelectorKey:
        key = super().register(fileobj, events, data)
        try:
            if events & EVENT_READ:
                self._pollster.add_reader(key.fd, self._note, key.fd, EVENT_READ)
            if events & EVENT_WRITE:
                self._pollster.add_writer(key.fd, self._note, key.fd, EVENT_WRITE)
        except BaseException:
            super().unregister(fileobj)
            raise
        return key

    @override
    def unregister(self, fileobj: FileDescriptor) -> SelectorKey:
        key = super().unregister(fileobj)
        self._pollster.forget(key.fd)
        return key

    @override
    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self._found = {}
        for handle in self._pollster.poll(timeout):
            handle._call()
        keys = self.get_map()
        return [(keys[fd], events) for fd, events in self._found.items()]

    @override
    def close(self) -> None:
        self._pollster.close()
        super().close()

    def _note(self, fd: int, event: int) -> None:
        self._found[fd] = self._found.get(fd, 0) | event


class NumberedSelector(PollsterSelector):
    """For a pollster that has a number of its own: the tests ask whether there is the method."""

    def fileno(self) -> int:
        return self._pollster.fileno()
