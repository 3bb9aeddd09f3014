"""Give the four distributions a new version: ``hatch run bump 0.2.0``.

They are released in lockstep: one version, and each layer pins the one below exactly. The numbers
are static text on purpose, as computed ones break source distributions; this script rewrites all of
them and ``tests/stack/test_packaging.py`` compares them.
"""

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

# The part of PEP 440 that a release of ours uses.
VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?")

OWN_VERSION = re.compile(r'^(version = )"[^"]*"', re.MULTILINE)
PIN = re.compile(r'"(tulip-[a-z]+) == [^"]*"')


def bump(packages: Path, version: str) -> list[Path]:
    """Write the version into each package below a folder, and into the pins between them.

    Args:
        packages: The folder whose subfolders are the packages.
        version: The new version, as ``1.2.3`` or ``1.2.3rc1``.

    Returns:
        The files that changed.

    Raises:
        ValueError: The version is malformed, or a file has no version to replace.
    """
    if not VERSION.fullmatch(version):
        raise ValueError(f"a version looks like 1.2.3 or 1.2.3rc1, got {version!r}")
    changed = []
    for path in sorted(packages.glob("*/pyproject.toml")):
        before = path.read_text()
        after, count = OWN_VERSION.subn(rf'\g<1>"{version}"', before)
        if count != 1:
            raise ValueError(f"{path} has {count} version lines, not one")
        after = PIN.sub(rf'"\g<1> == {version}"', after)
        if after != before:
            path.write_text(after)
            changed.append(path)
    return changed


def main() -> None:
    """Read the command line, rewrite, and say what to do next."""
    parser = argparse.ArgumentParser(description="Give the four distributions a new version.")
    parser.add_argument("version", help="for example 0.2.0")
    options = parser.parse_args()
    for path in bump(ROOT / "packages", options.version):
        print(path.relative_to(ROOT))
    print("Now `hatch env prune`, and name the version in CHANGELOG.md.")


if __name__ == "__main__":
    main()
