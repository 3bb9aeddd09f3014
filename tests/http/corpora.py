"""Test data made by others, from the folder beside the checkout; absent, its tests are skipped."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CORPORA = Path(__file__).parents[2] / ".." / "shared" / "corpora"


def url_cases() -> list[dict[str, Any]]:
    """Return the web platform tests' URL cases."""
    cases = json.loads(_existing(CORPORA / "wpt" / "urltestdata.json").read_text("utf-8"))
    return [case for case in cases if isinstance(case, dict)]


class ResponseCase(NamedTuple):
    """One case of llhttp's own suite: what is fed, and the log of events that is expected."""

    title: str
    options: dict[str, Any]
    data: bytes
    log: str


def response_cases() -> list[ResponseCase]:
    """Return llhttp's response cases."""
    folder = _existing(CORPORA / "llhttp")
    return [case for path in sorted(folder.glob("*.md")) for case in _cases_of(path)]


def _existing(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"the corpus {path.name} is not beside the checkout (../shared/corpora)")
    return path


_CASE = re.compile(
    r"<!-- meta=(?P<meta>\{.*?\}) -->\s*```http\n(?P<input>.*?)\n```\s*```log\n(?P<log>.*?)\n```",
    re.DOTALL,
)


def _cases_of(path: Path) -> Iterator[ResponseCase]:
    text = path.read_text("utf-8")
    for match in _CASE.finditer(text):
        title = text[: match.start()].rstrip().rpartition("\n#")[2].partition("\n")[0].strip("# ")
        yield ResponseCase(
            f"{path.stem}: {title}",
            json.loads(match["meta"]),
            _as_sent(match["input"]),
            match["log"],
        )


def _as_sent(text: str) -> bytes:
    """Undo the notation of the corpus: each line ends with CRLF, escapes are spelled out."""
    text = text.replace("\\\n", "")  # a line that goes on in the next one
    text = text.replace("\n", "\r\n")
    for escape, meaning in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(escape, meaning)
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), text)
    return text.encode("latin-1")
