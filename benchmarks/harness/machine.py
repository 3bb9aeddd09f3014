"""Where and when a run was made, and with which versions."""

import datetime
import os
import platform
import shutil
import ssl
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from benchmarks.harness.part import Competitor
from benchmarks.harness.processes import ROOT, load_core, tested_core


def describe() -> dict[str, str]:
    """Return the machine, the moment and the commit."""
    cores = f"load on core {load_core()}, process under test on core {tested_core()}"
    if load_core() == tested_core():
        cores = "one core for both, load and process under test: take no figure from this"
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "cores": cores,
        "system": f"{_distribution()}, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.python_compiler()}, {ssl.OPENSSL_VERSION}",
    }


def versions(competitors: Iterable[Competitor]) -> dict[str, str]:
    """Return the version of every distribution that takes part."""
    names = {each.distribution for each in competitors if each.distribution}
    found = {name: _version(name) for name in sorted(names)}
    if nginx := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
        found["nginx"] = said.strip().rpartition("/")[2]
    return found


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", "packages")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}, with changes in packages/" if changed else head


def _git(*arguments: str) -> str:
    git = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown distribution"
