"""Medians, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

Cell = str | float | None


def added(side: Sequence[float], plain: Sequence[float]) -> float:
    """The median, over the rounds, of what a side took beyond the plain run of the same round."""
    return median(a - b for a, b in zip(side, plain, strict=True))


def text(cell: Cell) -> str:
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else f"{cell:.1f}" if abs(cell) < 100 else f"{cell:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Markdown, with its columns aligned: the first to the left, the rest to the right."""
    lines = [list(head), *([text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    out = []
    for number, line in enumerate(lines):
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        out.append("| " + " | ".join(cells) + " |")
        if number == 0:
            out.append("|" + "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])]) + "|")
    return "\n".join(out)
