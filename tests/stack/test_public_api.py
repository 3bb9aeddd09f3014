"""What a package exports: documented, sorted, and nothing else in its ``__init__``."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator

import pytest

from tests.stack.workspace import LAYERS, package_folder


def init_of(layer: str) -> ast.Module:
    path = package_folder(layer) / "src" / f"tulip_{layer}" / "__init__.py"
    return ast.parse(path.read_text())


def exported_names() -> Iterator[tuple[str, str]]:
    """Read them off the source, so that a package that cannot be imported fails its tests alone."""
    for layer in LAYERS:
        last = init_of(layer).body[-1]
        for name in ast.literal_eval(last.value) if isinstance(last, ast.Assign) else ():
            yield f"tulip_{layer}", name


@pytest.mark.parametrize("module_name,name", list(exported_names()))
def test_an_exported_name_and_its_public_methods_say_what_they_do(
    module_name: str, name: str
) -> None:
    exported = getattr(importlib.import_module(module_name), name)
    if not inspect.isclass(exported) and not inspect.isroutine(exported):
        return  # a type alias or a constant cannot carry a docstring
    for member_name, member in [(name, exported), *public_members(exported)]:
        text = inspect.getdoc(member)
        assert text, f"{module_name}.{name}: {member_name} has no docstring"
        first = text.splitlines()[0]
        assert first.endswith((".", ":")), f"{module_name}.{name}: {member_name}: {first!r}"


def public_members(exported: object) -> Iterator[tuple[str, object]]:
    """Yield the methods and properties that a class of ours defines under a public name."""
    if inspect.isclass(exported):
        for name, member in vars(exported).items():
            documentable = isinstance(member, property | classmethod | staticmethod)
            if not name.startswith("_") and (documentable or inspect.isroutine(member)):
                yield name, getattr(exported, name)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_has_a_docstring(layer: str) -> None:
    for path in (package_folder(layer) / "src").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_package_names_its_modules_for_the_reader(layer: str) -> None:
    """All of them, and none that has gone; but for the pollsters, whose folder says it all."""
    for init in (package_folder(layer) / "src").rglob("__init__.py"):
        if init.parent.name == "pollsters":
            continue
        modules = {path.stem for path in init.parent.glob("_*.py")} - {"__init__", "__main__"}
        text = ast.get_docstring(ast.parse(init.read_text())) or ""
        named = set(re.findall(r"(?<![\w.])_\w+", text))
        assert named == modules - {"_typing"}, f"the docstring of {init}"


@pytest.mark.parametrize("layer", LAYERS)
def test_an_init_has_imports_and_an_all_without_repetitions_and_nothing_else(layer: str) -> None:
    _docstring, *statements = init_of(layer).body
    kinds = {type(statement) for statement in statements[:-1]}
    assert kinds <= {ast.Import, ast.ImportFrom}
    assert isinstance(statements[-1], ast.Assign)
    names = ast.literal_eval(statements[-1].value)
    assert ast.unparse(statements[-1].targets[0]) == "__all__"
    assert len(names) == len(set(names))


@pytest.mark.parametrize("layer", LAYERS)
def test_modules_are_private(layer: str) -> None:
    package = package_folder(layer) / "src" / f"tulip_{layer}"
    public = {path.name for path in package.iterdir() if not path.name.startswith("_")}
    folders = {name for name in public if (package / name).is_dir()}
    assert public - folders == {"py.typed"}
