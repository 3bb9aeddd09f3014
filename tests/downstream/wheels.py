"""Wheels of the layers, and fresh environments with one of them installed, alone and offline."""

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.opponents import need
from tests.stack.workspace import LAYERS, package_folder, project_table

# A download over a slow line takes the longest; what hangs is to fail with its own traceback.
LONGEST_SECONDS = 240.0


@dataclass(frozen=True)
class Environment:
    """A virtual environment that knows nothing of this repository."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run its interpreter outside the repository, with warnings as errors."""
        return run([self.python, "-I", "-W", "error", *arguments], self.folder)

    def distributions(self) -> set[str]:
        """Return the names of all that is installed."""
        program = (
            "import importlib.metadata, json;"
            "print(json.dumps([each.name for each in importlib.metadata.distributions()]))"
        )
        names: list[str] = json.loads(self.run("-c", program).stdout)
        return {name.lower().replace("_", "-") for name in names}


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, with none of this repository in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean.pop("MYPYPATH", None)
    return subprocess.run(
        command,
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )


def gather_wheels(folder: Path) -> None:
    """Fill a folder with the wheels of the layers and of all that they need."""
    ready_made = os.environ.get("TULIP_WHEELS")
    third_party: set[str] = set()
    for layer in LAYERS:
        requirements: list[str] = project_table(layer)["dependencies"]
        third_party.update(line for line in requirements if not line.startswith("tulip-"))
        if ready_made is None:
            build_wheel(package_folder(layer), folder)
    if ready_made is not None:
        for wheel in Path(ready_made).glob("*.whl"):
            (folder / wheel.name).write_bytes(wheel.read_bytes())
    download = run(
        [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", *third_party],
        folder,
    )
    if download.returncode != 0:
        need.missing(f"cannot download what the wheels need:\n{download.stderr}")


def build_wheel(source: Path, folder: Path) -> None:
    """Build one layer's wheel, as ``hatch build`` does."""
    command: list[str | Path] = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    result = run([*command, folder], source)
    assert result.returncode == 0, result.stderr


def install_alone(layer: str, wheels: Path, folder: Path) -> Environment:
    """Make an environment and install one layer from the folder of wheels, without any index."""
    environment = Environment(folder)
    venv.create(folder, with_pip=False, symlinks=True)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", environment.python]
    source: list[str | Path] = ["install", "-q", "--no-index", "--find-links", wheels]
    result = run([*pip, *source, f"tulip-{layer}=={project_table(layer)['version']}"], folder)
    assert result.returncode == 0, result.stderr
    return environment
