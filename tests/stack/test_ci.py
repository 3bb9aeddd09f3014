"""CI has every opponent that a test asks for, so that none is missing where none may be."""

import re
import subprocess

import pytest

from tests.stack.workspace import ROOT

SCRIPT = ROOT / ".ci" / "run"


def test_the_script_installs_every_debian_package_that_a_test_needs() -> None:
    wanted = {
        package
        for path in (ROOT / "tests").rglob("*.py")
        if path.parent != ROOT / "tests" / "stack"
        for package in re.findall(r'\bpackage="([\w.+-]+)"', path.read_text())
    }
    listed = re.search(r"DEBIAN_PACKAGES=\(([^)]*)\)", SCRIPT.read_text())
    assert listed is not None
    assert wanted - set(listed[1].split()) == set()


@pytest.mark.slow
def test_the_script_is_valid_bash() -> None:
    result = subprocess.run(["bash", "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
