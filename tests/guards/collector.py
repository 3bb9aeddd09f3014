"""A test without the garbage collector: what is in a reference cycle stays, and is seen."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only counting references frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
