"""Every Python block in the READMEs and in docs/ runs, in order, and has the types it claims.

The pages speak to servers that the reader names on the command line; here that is one on loopback.
"""

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.stack.workspace import LAYERS, ROOT, package_folder
from tulip_poll._typing import override

PAGES = [
    ROOT / "README.md",
    *(package_folder(layer) / "README.md" for layer in LAYERS),
    *sorted(ROOT.glob("docs/**/*.md")),
]
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SYBIL = Sybil(parsers=[PythonCodeBlockParser(), SkipParser()])


class Hello(http.server.BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture
def base() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_on_a_page_runs(
    page: Path, base: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", f"{base}/one", f"{base}/two"])
    examples = list(SYBIL.parse(page).examples())
    for example in examples:
        example.evaluate()
    assert examples or page.is_relative_to(ROOT / "docs"), "a README shows some code"
    assert "Error" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_code_on_the_pages_is_typed(tmp_path: Path) -> None:
    for page in PAGES:
        source = "\n".join(FENCED.findall(page.read_text()))
        # The two programs of the README define the same names, so each is a module.
        programs = source.split("import sys\n") if page == PAGES[0] else [source]
        name = re.sub(r"\W", "_", str(page.relative_to(ROOT)))
        for number, program in enumerate(programs):
            (tmp_path / f"{name}_{number}.py").write_text(f"import sys\n{program}")
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict"]
    command += ["--enable-error-code=unused-awaitable", "--cache-dir", str(tmp_path / "cache")]
    command += [str(path) for path in sorted(tmp_path.glob("*.py"))]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_both_programs_of_the_readme_do_the_same(
    base: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["program", f"{base}/one", f"{base}/two"])
    printed = []
    for example in list(SYBIL.parse(ROOT / "README.md").examples())[:2]:
        example.evaluate()
        printed.append(sorted(capsys.readouterr().out.splitlines()[1:]))
    assert printed[0] == printed[1] == [f"200 6 bytes {base}/one", f"200 6 bytes {base}/two"]
