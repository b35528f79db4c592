"""SIIM-ACR's masks as text: pairs of a gap and a run down the columns, each gap from the end of the run before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .run_lengths import counts_of

EMPTY = "-1"

# Numbers of ten digits cannot overflow when a whole row of them is added up.
_NUMBERS = r"^\d{1,10}(\s+\d{1,10})*$"


@dataclass(frozen=True)
class Merged:
    """What `merge_rows` makes of a table's rows.

    Attributes:
        counts: COCO's counts of each mask that is right, by its number.
        faults: why a row is no mask, by the row's position; its mask has no counts.
    """

    counts: dict[int, list[int]]
    faults: dict[int, str]


def merge_rows(texts: list[str], masks: np.ndarray, pixels: np.ndarray) -> Merged:
    """COCO's counts of masks of which each row of a table states a part; overlapping parts are joined.

    The first gap is counted from the first pixel, so that pixels are numbered from 0; a run may end at the last pixel.

    Args:
        texts: gap and run in turn, in pixels, with spaces between: [N].
        masks: number of the mask, 0 or more, that each row belongs to: int [N].
        pixels: height x width of the image of each row: int [N].
    """
    trimmed = pc.call_function("utf8_trim_whitespace", [pa.array(texts, pa.string())])
    numeric = pc.call_function("match_substring_regex", [trimmed], pc.MatchSubstringOptions(_NUMBERS))
    faults = {int(at): f"{_shown(texts[at])} is not pairs of whole numbers" for at in _where(numeric, False)}
    rows = _where(numeric, True)
    words = pc.call_function("utf8_split_whitespace", [trimmed.filter(numeric)])
    lengths = pc.call_function("list_value_length", [words]).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pc.call_function("list_flatten", [words]).cast(pa.int64()).to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(lengths % 2):
        faults[int(rows[at])] = f"{lengths[at]} numbers, which are no pairs of a gap and a run"
    even = lengths % 2 == 0
    values, rows, lengths = values[np.repeat(even, lengths)], rows[even], lengths[even]
    starts, ends, row = _runs(values, lengths)
    faults |= _wrong_extents(starts, ends, row, rows, pixels)
    whole = ~np.isin(masks, masks[list(faults)])[rows][row] & (ends > starts)
    owners, sizes = masks[rows][row][whole], pixels[rows][row][whole]
    return Merged(_joined(starts[whole], ends[whole], owners, sizes), faults)


def encode(mask: np.ndarray) -> str:
    """The text of a bool mask [H, W]; -1 where nothing is set."""
    counts = counts_of(mask)
    # COCO begins with a gap too, and only goes on to the end of the image.
    pairs = counts[: len(counts) // 2 * 2]
    return " ".join(map(str, pairs)) or EMPTY


def _runs(values: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First pixel of each run, the pixel after its last, and the position of its row."""
    reached = np.concatenate([[0], np.cumsum(values)])
    row = np.repeat(np.arange(len(lengths)), lengths // 2)
    before = reached[np.cumsum(lengths) - lengths]
    return reached[1::2] - before[row], reached[2::2] - before[row], row


def _wrong_extents(
    starts: np.ndarray, ends: np.ndarray, row: np.ndarray, rows: np.ndarray, pixels: np.ndarray
) -> dict[int, str]:
    last = np.zeros(len(rows), dtype=np.int64)
    np.maximum.at(last, row, ends)
    area = np.bincount(row, weights=ends - starts, minlength=len(rows))
    faults = {}
    for at in np.flatnonzero(last > pixels[rows]):
        faults[int(rows[at])] = f"its runs end at pixel {last[at]} of an image of {pixels[rows[at]]}"
    for at in np.flatnonzero(area == 0):
        faults[int(rows[at])] = f"its runs hold no pixel; an image without a mask has {EMPTY}"
    return faults


def _joined(starts: np.ndarray, ends: np.ndarray, owners: np.ndarray, pixels: np.ndarray) -> dict[int, list[int]]:
    """Counts of the union of each owner's runs, none of which is empty."""
    if not len(starts):
        return {}
    # On one long line each owner has a stretch of its own, and what overlaps is found in one pass.
    stretch = int(pixels.max()) + 1
    order = np.argsort(starts + owners * stretch, kind="stable")
    line_start, line_end = (starts + owners * stretch)[order], (ends + owners * stretch)[order]
    reached = np.maximum.accumulate(line_end)
    first = np.concatenate([[True], line_start[1:] > reached[:-1]])
    last = np.concatenate([first[1:], [True]])
    owner, size = owners[order][first], pixels[order][first]
    edges = np.stack([line_start[first], reached[last]], axis=1) - (owner * stretch)[:, None]
    changes = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    found = {}
    for at, part in zip(changes, np.split(edges, changes[1:]), strict=True):
        counts = np.diff(np.concatenate([[0], part.ravel(), [size[at]]]))
        found[int(owner[at])] = (counts if counts[-1] else counts[:-1]).tolist()
    return found


def _where(flags: pa.BooleanArray, value: bool) -> np.ndarray:
    return np.flatnonzero(flags.to_numpy(zero_copy_only=False) == value)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
