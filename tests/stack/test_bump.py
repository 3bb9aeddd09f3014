"""The version script rewrites every version and every pin, or nothing."""

import shutil
from pathlib import Path

import pytest

from scripts.bump import bump
from tests.stack.workspace import LAYERS, package_folder


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for layer in LAYERS:
        (tmp_path / f"tulip-{layer}").mkdir()
        shutil.copy(package_folder(layer) / "pyproject.toml", tmp_path / f"tulip-{layer}")
    return tmp_path


def test_every_version_and_pin_changes(copied: Path) -> None:
    assert len(bump(copied, "1.2.3rc4")) == len(LAYERS)
    texts = {path.parent.name: path.read_text() for path in copied.glob("*/pyproject.toml")}
    for layer, below in zip(LAYERS, (None, *LAYERS), strict=False):
        text = texts[f"tulip-{layer}"]
        assert 'version = "1.2.3rc4"' in text
        assert below is None or f'"tulip-{below} == 1.2.3rc4"' in text
        assert 'requires-python = ">=3.11"' in text


def test_doing_it_twice_changes_nothing(copied: Path) -> None:
    bump(copied, "1.2.3")
    assert bump(copied, "1.2.3") == []


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-rc1", "", "1.2.3\n"])
def test_a_malformed_version_is_refused(copied: Path, version: str) -> None:
    before = [path.read_text() for path in sorted(copied.glob("*/pyproject.toml"))]
    with pytest.raises(ValueError, match=r"looks like 1\.2\.3"):
        bump(copied, version)
    assert [path.read_text() for path in sorted(copied.glob("*/pyproject.toml"))] == before


def test_a_file_without_a_version_is_refused(copied: Path) -> None:
    (copied / "tulip-poll" / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match="0 version lines"):
        bump(copied, "1.2.3")
