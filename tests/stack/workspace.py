"""Where the parts of the repository are, and the order of its layers."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# From the bottom up: each depends on the one before it.
LAYERS = ("poll", "sched", "net", "http")


def package_folder(layer: str) -> Path:
    """Return the folder of a layer's distribution."""
    return ROOT / "packages" / f"tulip-{layer}"


def project_table(layer: str) -> dict[str, Any]:
    """Return the ``[project]`` table of a layer's distribution."""
    text = (package_folder(layer) / "pyproject.toml").read_text()
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table
