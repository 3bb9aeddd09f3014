"""Each layer imports the one directly below it, by its package name, and nothing undeclared."""

import ast
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.workspace import LAYERS, ROOT, package_folder, project_table

# Distributions whose import name is not their own name.
IMPORT_NAMES = {"ada-url": "ada_url"}


def modules_of(layer: str) -> list[Path]:
    return sorted((package_folder(layer) / "src").rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full name of each absolute import of a file, wherever in it."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            name = node.module or ""
            if name != "typing_extensions" or not for_type_checkers(node, tree):
                yield name


def for_type_checkers(wanted: ast.stmt, tree: ast.Module) -> bool:
    """Return whether Python never runs a statement: every type checker has that library's types."""
    return any(
        isinstance(node, ast.If)
        and ast.unparse(node.test) == "TYPE_CHECKING"
        and wanted in node.body
        for node in ast.walk(tree)
    )


def declared_by(layer: str) -> set[str]:
    """Return the top-level modules that a distribution's metadata entitles it to."""
    table = project_table(layer)
    extras = table.get("optional-dependencies", {}).values()
    requirements = [*table["dependencies"], *(line for extra in extras for line in extra)]
    names = [re.match(r"[\w-]+", line) for line in requirements]
    return {
        IMPORT_NAMES.get(name[0], name[0].replace("-", "_")) for name in names if name is not None
    }


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_what_it_declares(layer: str) -> None:
    allowed = declared_by(layer) | {f"tulip_{layer}"} | sys.stdlib_module_names
    for path in modules_of(layer):
        foreign = {name for name in imports_of(path) if name.split(".")[0] not in allowed}
        assert not foreign, f"{path} imports {foreign}"


@pytest.mark.parametrize("below,layer", list(itertools.pairwise(LAYERS)))
def test_a_layer_imports_the_one_below_by_its_package_name(below: str, layer: str) -> None:
    for path in modules_of(layer):
        deep = {name for name in imports_of(path) if name.startswith(f"tulip_{below}.")}
        if "testing" in path.parts:  # public as well, for the tools of the layer above
            deep.discard(f"tulip_{below}.testing")
        assert not deep, f"{path} imports {deep}"


@pytest.mark.slow
def test_the_contracts_of_import_linter_hold() -> None:
    # Not in this process, whose loggers it would disable.
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    command = [sys.executable, "-c", program, *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
