"""The distributions: versions in lockstep, complete archives, nothing to install at the root."""

import itertools
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.stack.workspace import LAYERS, ROOT, package_folder, project_table


def test_versions_are_in_lockstep() -> None:
    assert len({project_table(layer)["version"] for layer in LAYERS}) == 1


@pytest.mark.parametrize("below,layer", list(itertools.pairwise(LAYERS)))
def test_a_layer_pins_the_one_directly_below_and_no_other(below: str, layer: str) -> None:
    table = project_table(layer)
    own = [line for line in table["dependencies"] if line.startswith("tulip-")]
    assert own == [f"tulip-{below} == {table['version']}"]


def test_the_lowest_layer_needs_the_standard_library_only() -> None:
    assert project_table(LAYERS[0])["dependencies"] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_each_distribution_has_the_licence_of_the_whole(layer: str) -> None:
    assert (package_folder(layer) / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
def test_installing_the_root_fails_and_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    command += ["--target", str(tmp_path), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "project" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    for layer in LAYERS:
        build(package_folder(layer), folder)
    return folder


def build(source: Path, folder: Path) -> None:
    """Build what ``hatch build`` would, with the same back end."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_a_wheel_holds_the_package_its_types_and_the_licence(archives: Path, layer: str) -> None:
    (path,) = archives.glob(f"tulip_{layer}-*-py3-none-any.whl")
    source = package_folder(layer) / "src"
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        fields = BytesParser().parsebytes(wheel.read(metadata))
    package = {name for name in names if ".dist-info/" not in name}
    modules = {path for path in source.rglob("*") if path.suffix == ".py"}
    assert package == {str(path.relative_to(source)) for path in modules} | {
        f"tulip_{layer}/py.typed"
    }
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert fields["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in fields.get_all("Classifier", [])


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_a_source_distribution_builds_the_same_wheel(
    archives: Path, layer: str, tmp_path: Path
) -> None:
    (path,) = archives.glob(f"tulip_{layer}-*.tar.gz")
    with tarfile.open(path) as source:
        source.extractall(tmp_path / "source", filter="data")
    (unpacked,) = (tmp_path / "source").iterdir()
    build(unpacked, tmp_path / "again")
    (wheel,) = archives.glob(f"tulip_{layer}-*.whl")
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()
