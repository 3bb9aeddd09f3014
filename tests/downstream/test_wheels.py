"""Each layer's wheel installed alone: what came with it, how a stranger's program types and runs.

The programs in ``programs/`` are written against the installed wheel: `assert_type` lines must
hold, and lines with ``# type: ignore[code]`` must be refused with that code.
"""

import ast
import shutil
import sys
from pathlib import Path

import pytest

from tests.downstream.wheels import Environment, gather_wheels, install_alone, run
from tests.opponents.certificates import Certificates
from tests.stack.workspace import LAYERS, package_folder

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"

# What `pip install tulip-x` brings, and nothing else.
WITH_IT = {
    "poll": set[str](),
    "sched": {"tulip-poll"},
    "net": {"tulip-poll", "tulip-sched", "truststore"},
    "http": {
        "tulip-poll",
        "tulip-sched",
        "tulip-net",
        "truststore",
        "httptools",
        "ada-url",
        "cffi",
        "pycparser",
    },
}

# Their programs are given a server's certificate and the authority's.
WITH_TLS = {"net", "http"}

MYPY = ("--config-file=", "--strict", "--enable-error-code=unused-awaitable", "--pretty")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every wheel that an installation needs."""
    folder = tmp_path_factory.mktemp("wheels")
    gather_wheels(folder)
    return folder


@pytest.fixture(scope="module", params=LAYERS)
def alone(
    request: pytest.FixtureRequest, wheels: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Environment]:
    layer: str = request.param
    return layer, install_alone(layer, wheels, tmp_path_factory.mktemp(f"alone-{layer}"))


def test_exactly_this_is_installed(alone: tuple[str, Environment]) -> None:
    layer, environment = alone
    assert environment.distributions() == {f"tulip-{layer}", *WITH_IT[layer]}


def test_the_program_runs(alone: tuple[str, Environment], certificates: Certificates) -> None:
    layer, environment = alone
    files = (certificates.server_file, certificates.authority_file) if layer in WITH_TLS else ()
    for program in programs_of(layer):
        result = environment.run(program, *files)
        assert (result.returncode, result.stderr) == (0, "")


def test_the_program_types(alone: tuple[str, Environment], tmp_path: Path) -> None:
    layer, environment = alone
    # A copy, so that no source tree is near.
    programs = [shutil.copy(program, tmp_path) for program in programs_of(layer)]
    mypy: list[str | Path] = [sys.executable, "-m", "mypy", *MYPY]
    mypy += ["--python-executable", environment.python, "--cache-dir", tmp_path / "cache"]
    result = run([*mypy, *programs], tmp_path)
    assert result.returncode == 0, result.stdout


def test_every_module_can_be_imported_with_nothing_else_there(
    alone: tuple[str, Environment],
) -> None:
    layer, environment = alone
    source = package_folder(layer) / "src"
    # What is beside the package, such as a plugin, needs what it plugs into.
    modules = [
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((source / f"tulip_{layer}").rglob("*.py"))
        if path.name not in {"__main__.py", "_tulip_pytestplugin.py"}  # pytest imports that one
    ]
    result = environment.run("-c", "\n".join(f"import {name}" for name in modules))
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("layer", LAYERS)
def test_the_program_uses_every_public_name(layer: str) -> None:
    package = package_folder(layer) / "src" / f"tulip_{layer}"
    public: set[str] = set()
    for init in (package / "__init__.py", package / "testing" / "__init__.py"):
        if init.exists():
            names = ast.parse(init.read_text()).body[-1]
            assert isinstance(names, ast.Assign)
            public.update(ast.literal_eval(names.value))
    trees = [ast.parse(program.read_text()) for program in programs_of(layer)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == f"tulip_{layer}"
    }
    assert public - used == set()


def programs_of(layer: str) -> list[Path]:
    """Return the programs for a layer: the one on the whole, and those on a part of it."""
    return sorted({PROGRAMS / f"use_{layer}.py", *PROGRAMS.glob(f"use_{layer}_*.py")})
