"""What stands in one cell, before it is dressed for a format."""

from __future__ import annotations

from collections.abc import Mapping

from ..grid import Entry, Grid

BLANK = "·"
CONTAMINATED = "‡"
LEFT_OUT = "¶"
UNVERIFIED = "‖"
UNVERIFIED_WORDS = f"{UNVERIFIED} Unverified weights: the file of the encoder is not the published one."
SYNTHETIC = "SYNTHETIC phantom data"


def number(entry: Entry) -> str:
    """`0.812 ± 0.010 (7/10)`, the text that stands instead of it, or `·`; without signs."""
    count = f" ({entry.count})" if entry.count else ""
    if entry.value is None:
        return f"{entry.text}{count}" if entry.text else BLANK
    spread = "" if entry.sd is None else f" ± {entry.sd:.{entry.decimals}f}"
    return f"{entry.value:.{entry.decimals}f}{spread}{count}"


def signs(entry: Entry) -> str:
    """Signs of tests, of contamination, of images left out and of unverified weights."""
    about_data = f"{CONTAMINATED if entry.contaminated else ''}{LEFT_OUT if entry.left_out else ''}"
    return f"{entry.marks}{about_data}{UNVERIFIED if entry.unverified else ''}"


def left_out_notes(counts: Mapping[str, int]) -> list[str]:
    """What the sign for images left out means: dataset -> how many; those of 0 are not named."""
    return [
        f"{LEFT_OUT} {dataset}: {count} image{'s' * (count > 1)} left out (--skip-unreadable)."
        for dataset, count in sorted(counts.items())
        if count
    ]


def ranked(grid: Grid) -> bool:
    """Whether any cell is marked as best."""
    return any(entry.best for row in grid.rows for entry in row.entries)
