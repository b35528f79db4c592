"""Images that two sides share by what is in their files: bit-equal pixels, and near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ...foundation.progress import Progress, SilentProgress
from ..fingerprint import content_hashes
from ..radiographs import Radiographs
from ..readability import not_to_open
from .identity import across, grouped
from .near import Pictures, near_duplicates
from .pixels import scan, why_unreadable
from .sides import Side

_SHOWN = 20


@dataclass(frozen=True)
class Content:
    """What the files of one or two sides have in common.

    Attributes:
        exact: group number of each image of `a` and then of `b`: bit-equal decoded pixels; -1 for none. int64 [N]
        near: the same for near-duplicates; one image of each bit-equal group stands for it.
        similarity: of each near-duplicate to the most similar other one of its group, 0 to 1; NaN elsewhere.
        looked_at: images whose files were read.
        unreadable: why files could not be read, up to 20.
        unread: how many could not.
    """

    exact: np.ndarray
    near: np.ndarray
    similarity: np.ndarray
    looked_at: int
    unread: int = 0
    unreadable: tuple[str, ...] = field(default=())


def same_content(a: Side, b: Side | None, cache: Path, progress: Progress | None = None) -> Content:
    """Compare the files of `a` with those of `b`, or among themselves where that is None.

    Raises UserError where files went away meanwhile, or the cache cannot be written.
    """
    progress = progress or SilentProgress()
    sides = [a] if b is None else [a, b]
    total = sum(map(len, sides))
    nothing = np.full(total, -1, np.int64)
    similarity = np.full(total, np.nan)
    if not all(side.has_files for side in sides):
        return Content(nothing, nothing, similarity, 0)
    pixels = [_look(side, cache, progress) for side in sides]
    rows = np.concatenate([each.rows + shift for each, shift in zip(pixels, (0, len(a)), strict=False)])
    digests = np.full(total, "", dtype=object)
    digests[rows] = np.concatenate([each.digests[each.file] for each in pixels])
    exact = grouped(pd.Series(digests))
    near, similarity = _near(pixels, digests, len(a), total, progress)
    failed = [(side.root / path) for side, each in zip(sides, pixels, strict=True) for path in each.failed]
    return Content(
        exact=exact if b is None else across(exact, np.arange(total) < len(a)),
        near=near,
        similarity=similarity,
        looked_at=len(rows),
        unread=len(failed),
        unreadable=tuple(why_unreadable(path) for path in failed[:_SHOWN]),
    )


@dataclass(frozen=True)
class _Looked:
    """What was seen of a side.

    Attributes:
        rows: images whose file could be read.
        file: which of the different files each of them is.
        digests: of the pixels of each file, as text.
        pictures: one file for each different picture.
        image: an image of each of these.
        failed: paths that could not be read.
    """

    rows: np.ndarray
    file: np.ndarray
    digests: np.ndarray
    pictures: Pictures
    image: np.ndarray
    failed: list[str]


def _look(side: Side, cache: Path, progress: Progress) -> _Looked:
    rows = np.flatnonzero((side.images["path"] != "").to_numpy())
    names = side.images["path"].to_numpy(dtype=object)[rows]
    closed = not_to_open([side.root / name for name in names]) != ""
    failed, rows, names = names[closed], rows[~closed], names[~closed]
    files_alone = Radiographs(side.title, side.root, pd.DataFrame({"path": names}), (), False)
    contents = content_hashes(files_alone, cache, progress)
    # Files with equal bytes are decoded once.
    files, first, which = np.unique(contents, return_index=True, return_inverse=True)
    paths = [side.root / names[row] for row in first]
    found = scan(paths, files, cache, progress, about=side.title)
    good = found.readable
    digests = np.array([digest.tobytes().hex() for digest in found.digests], dtype=object)
    different = np.flatnonzero(good & ~pd.Series(digests).duplicated().to_numpy())
    return _Looked(
        rows=rows[good[which]],
        file=which[good[which]],
        digests=digests,
        pictures=Pictures(found.thumbnails, different, paths),
        image=rows[first[different]],
        failed=[*failed, *names[~good[which]]],
    )


def _near(
    sides: list[_Looked], digests: np.ndarray, shift: int, total: int, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Groups of near-duplicates, with one image standing for its bit-equal ones, and similarities."""
    two = len(sides) == 2
    found = near_duplicates(sides[0].pictures, sides[1].pictures if two else None, progress)
    one = sides[0].image[found["one"].to_numpy(dtype=np.int64)]
    other = sides[-1].image[found["other"].to_numpy(dtype=np.int64)] + (shift if two else 0)
    # Bit-equal pairs between two sides are told as such.
    different = digests[one] != digests[other]
    return _groups_of_pairs(one[different], other[different], found["similarity"].to_numpy()[different], total)


def _groups_of_pairs(
    one: np.ndarray, other: np.ndarray, similarity: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(total, total))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    best = np.full(total, np.nan)
    np.fmax.at(best, one, similarity)
    np.fmax.at(best, other, similarity)
    return np.where(np.isnan(best), -1, component), best
