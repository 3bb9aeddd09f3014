"""Results as a chart: one panel of bars for each case, as SVG without any library.

The colours work on a light and on a dark page, as the README is shown on both.
"""

from collections.abc import Sequence
from html import escape
from statistics import median

from benchmarks.harness.results import CaseResult, Entry
from benchmarks.harness.tables import UNITS, in_unit

COLUMNS = 2
PANEL_WIDTH = 420
BAR_HEIGHT = 15
NAME_WIDTH = 130
VALUE_WIDTH = 62
GAP = 5
TITLE_HEIGHT = 34
MARGIN = 16
MOST_TIMES_MEDIAN = 4
"""A bar that is longer than so many times the middle one is cut."""

OURS, RIVAL, FLOOR, TEXT = "#d6336c", "#8a94a6", "#3f9a6d", "#7a7f87"


def chart(cases: Sequence[CaseResult], caption: str) -> str:
    """Return the SVG of some cases, with a line of text below it."""
    rows = [cases[start : start + COLUMNS] for start in range(0, len(cases), COLUMNS)]
    pieces = []
    top = MARGIN
    for row in rows:
        for column, case in enumerate(row):
            left = MARGIN + column * (PANEL_WIDTH + MARGIN)
            pieces.append(f'<g transform="translate({left} {top})">{_panel(case)}</g>')
        top += TITLE_HEIGHT + max(len(case.entries) for case in row) * (BAR_HEIGHT + GAP) + MARGIN
    width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN)
    pieces.append(_text(MARGIN, top + 4, caption, size=11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + MARGIN}" '
        f'viewBox="0 0 {width} {top + MARGIN}" font-family="system-ui, sans-serif">\n'
        + "\n".join(pieces)
        + "\n</svg>\n"
    )


def _panel(case: CaseResult) -> str:
    entries = case.ranked()
    direction = "more is better" if case.higher_is_better else "less is better"
    unit = UNITS[case.unit][1]
    pieces = [
        _text(0, 10, case.title, size=13, weight="bold"),
        _text(0, 25, f"{unit} per {case.per}, {direction}", size=11),
    ]
    longest = _longest([entry.figure for entry in entries])
    for number, entry in enumerate(entries):
        top = TITLE_HEIGHT + number * (BAR_HEIGHT + GAP)
        pieces.append(_bar(case, entry, top, entry.figure / longest))
    return "".join(pieces)


def _longest(figures: Sequence[float]) -> float:
    """Return the figure of a bar of full length: one far beyond the others would hide them."""
    if not any(figures):
        return 1
    return min(max(figures), MOST_TIMES_MEDIAN * median(figures) or max(figures))


def _bar(case: CaseResult, entry: Entry, top: int, share: float) -> str:
    colour = OURS if entry.ours else FLOOR if entry.floor else RIVAL
    width = max(1.0, min(1.0, share) * (PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH))
    weight = "bold" if entry.ours else "normal"
    return (
        _text(NAME_WIDTH - 6, top + 12, entry.name, anchor="end", weight=weight)
        + f'<rect x="{NAME_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" '
        f'rx="2" fill="{colour}"/>'
        + ("" if share <= 1 else _cut(NAME_WIDTH + width - 24, top))
        + _text(NAME_WIDTH + width + 5, top + 12, in_unit(case, entry.figure), weight=weight)
    )


def _cut(left: float, top: int) -> str:
    """Return a gap across a bar that is too long to be shown whole."""
    return (
        f'<path d="M{left:.1f} {top + BAR_HEIGHT} l8 -{BAR_HEIGHT}" '
        f'stroke="#fff" stroke-width="4"/>'
    )


def _text(
    left: float, top: float, text: str, *, size: int = 12, anchor: str = "start", weight: str = ""
) -> str:
    return (
        f'<text x="{left:.1f}" y="{top}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight or "normal"}" fill="{TEXT}">{escape(text)}</text>'
    )
