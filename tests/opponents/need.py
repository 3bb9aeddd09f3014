"""Real opponents, or a reason: a missing one skips its tests, and fails them in CI.

In both cases the message says what to install. In CI (the variable ``CI`` is set) a skip would be a
hole that nobody sees.
"""

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

# A person's PATH often lacks the folders in which Debian puts servers.
SERVER_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def program(name: str, *, package: str) -> Path:
    """Return the path of a program, or skip the test and say which Debian package has it."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(SERVER_FOLDERS))
    if found is None:
        missing(f"no program {name!r} here; install it with `apt-get install {package}`")
    return Path(found)


def library(name: str, *, requirement: str) -> ModuleType:
    """Import a Python library, or skip the test and say what to install."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing(f"no library {name!r} here; install it with `pip install {requirement}`")


def missing(reason: str) -> NoReturn:
    """Skip the running test, or fail it where ``CI`` is set."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
