"""Fixtures of this layer."""

import os

import pytest


@pytest.fixture(params=["pidfd", "thread"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way in which the event loop learns of the end of a child."""
    chosen: str = request.param
    if chosen == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("this kernel has no pidfd")
    return chosen
