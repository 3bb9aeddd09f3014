"""Making an open file non-blocking, and blocking again when its last user here has closed it.

It is not the descriptor that is non-blocking but the open file behind it, in every process that
shares it. A terminal outlives the program: the shell, and what it runs next, would fail with
``EAGAIN``. The input and the output of a program are often one file, so whoever closes one of them
must not make the other one block; nor must a forked process that closes its copies.

Source: fcntl(2), ``F_SETFL``; open(2), "Open file descriptions".
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TypeAlias

__all__ = ["FileId", "begin", "end"]

FileId: TypeAlias = tuple[int, int]
"""Device and inode. Files that were opened apart may have the same: they wait for each other."""

_users: dict[FileId, int] = {}
_made_by: dict[FileId, int] = {}
"""The processes that made them non-blocking."""


def begin(fd: int) -> FileId:
    """Make the file behind a descriptor non-blocking, and count one user more."""
    found = os.fstat(fd)
    file = (found.st_dev, found.st_ino)
    _users[file] = _users.get(file, 0) + 1
    if os.get_blocking(fd):
        os.set_blocking(fd, False)
        _made_by[file] = os.getpid()
    return file


def end(fd: int, file: FileId) -> None:
    """Make it as it was, if this was its last user; to be called before the close."""
    left = _users[file] = _users[file] - 1
    if left:
        return
    del _users[file]
    if _made_by.pop(file, None) == os.getpid():
        with suppress(OSError):  # it was closed without a word
            os.set_blocking(fd, True)
