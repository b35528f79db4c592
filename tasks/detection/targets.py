"""The true boxes of a dataset, held against its images, and their way into the network's pixels and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import UserError, unknown_name
from ...stats.average_precision import Truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ...data.radiographs import Radiographs

CORNERS = ["x1", "y1", "x2", "y2"]
# Annotation tools round corners; what lies further outside was drawn on another image.
_OUTSIDE = 1.0


@dataclass(frozen=True)
class TrueBoxes:
    """All true boxes of the samples of a dataset, sorted by sample.

    Attributes:
        first: int64 [N + 1]; the boxes of sample i are those from `first[i]` to `first[i + 1]`.
        boxes: float64 [G, 4], x1, y1, x2, y2 in original pixels, inside their images.
        labels: int64 [G], places in the task's labels.
        crowd: bool [G]; boxes around several things of a kind (COCO's iscrowd), which are no targets of a training.
        sizes: int64 [N, 2], height and width of each sample's image.
    """

    first: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    sizes: np.ndarray

    def of(self, row: int) -> slice:
        """Where the boxes of sample `row` lie."""
        return slice(int(self.first[row]), int(self.first[row + 1]))

    def among(self, rows: np.ndarray) -> Truth:
        """The boxes of `rows`, numbered by place in `rows`."""
        counts = np.diff(self.first)[rows]
        places = np.concatenate([np.empty(0, np.int64), *(np.arange(*self.first[[row, row + 1]]) for row in rows)])
        image = np.repeat(np.arange(len(rows)), counts)
        return Truth(image, self.labels[places], self.boxes[places], self.crowd[places])

    def in_network(self, size: int) -> np.ndarray:
        """The boxes [G, 4] in the pixels of square images of `size`, float64."""
        samples = np.repeat(np.arange(len(self.sizes)), np.diff(self.first))
        return self.boxes * scales(self.sizes[samples], size)


def scales(sizes: np.ndarray, size: int) -> np.ndarray:
    """What x1, y1, x2, y2 in original pixels are multiplied by to lie in squares of `size`: float64 [N, 4].

    `sizes` [N, 2] are heights and widths; the aspect ratio is not kept, as that of the images is not.
    """
    return size / sizes[:, [1, 0, 1, 0]].astype(np.float64)


def check_boxes(radiographs: Radiographs, labels: Sequence[str]) -> None:
    """Raise UserError, in one line, for a dataset without a box of `labels`, for a label that neither it nor its boxes
    have, and for the first box that is inverted, has no area or is not a number."""
    table = radiographs.boxes
    if table is None:
        raise UserError(f"{radiographs.dataset}: no boxes in {radiographs.root}; detection needs a dataset with boxes")
    found = sorted(table["label"].unique().tolist())
    if not set(labels) & set(found):
        raise UserError(
            f"{radiographs.dataset}: no box of {', '.join(labels)} in {radiographs.root}; labels that have boxes: "
            f"{', '.join(found) or 'none'}"
        )
    for label in labels:
        # A category of the dataset may have no box in this copy; a misspelt one would be trained on nothing.
        if label not in found and label not in radiographs.labels:
            raise UserError(f"{radiographs.dataset}: labels: {unknown_name('label', label, found)}")
    corners = table[CORNERS].to_numpy(dtype=np.float64)
    empty = (corners[:, 2:] <= corners[:, :2]).any(axis=1)
    for wrong, what in (
        (~np.isfinite(corners).all(axis=1), "has a corner that is not a number"),
        (empty, "is inverted or has no area; x1, y1 must be above and left of x2, y2"),
    ):
        if wrong.any():
            raise _error(radiographs, table.iloc[int(wrong.argmax())], what)


def true_boxes(radiographs: Radiographs, labels: Sequence[str], sizes: np.ndarray) -> TrueBoxes:
    """The boxes of `labels`, clipped to their images.

    Args:
        labels: classes; boxes of others are left out.
        sizes: height and width of each sample's image, int64 [N, 2].

    Raises UserError as `check_boxes` does, and for the first box that leaves its image by more than a pixel, or that
    has no area inside it.
    """
    check_boxes(radiographs, labels)
    table = radiographs.boxes
    assert table is not None
    # Those of images that are not on disk, or that the task does not use.
    table = table[table["sample_id"].isin(radiographs.samples["sample_id"])]
    places = {name: row for row, name in enumerate(radiographs.samples["sample_id"])}
    rows = table["sample_id"].map(places).to_numpy(dtype=np.int64)
    corners = table[CORNERS].to_numpy(dtype=np.float64)
    limits = sizes[rows][:, [1, 0, 1, 0]].astype(np.float64)
    inside = np.clip(corners, 0.0, limits)
    outside = np.abs(inside - corners).max(axis=1, initial=0.0) > _OUTSIDE
    outside |= (inside[:, 2:] <= inside[:, :2]).any(axis=1)
    if outside.any():
        at = int(outside.argmax())
        height, width = sizes[rows[at]]
        raise _error(radiographs, table.iloc[at], f"lies outside its image of {width} x {height} pixels")
    kept = np.flatnonzero(table["label"].isin(labels).to_numpy())
    kept = kept[np.argsort(rows[kept], kind="stable")]
    counts = np.bincount(rows[kept], minlength=len(radiographs))
    return TrueBoxes(
        first=np.concatenate([[0], np.cumsum(counts)]),
        boxes=inside[kept],
        labels=_places(table["label"].iloc[kept], labels),
        crowd=is_crowd(table)[kept],
        sizes=sizes,
    )


def is_crowd(table: pd.DataFrame) -> np.ndarray:
    """Which boxes of a dataset's table are of a crowd: bool [G], none where the dataset does not say."""
    if "crowd" not in table:
        return np.zeros(len(table), dtype=bool)
    return np.array(table["crowd"], dtype=bool)


def _places(names: pd.Series, labels: Sequence[str]) -> np.ndarray:
    # A copy: pandas gives arrays that torch may not share.
    return np.array(names.map({label: place for place, label in enumerate(labels)}), dtype=np.int64)


def _error(radiographs: Radiographs, box: pd.Series, what: str) -> UserError:
    """Names sample, file and box, and the way out."""
    samples = radiographs.samples
    paths = samples["path"][(samples["sample_id"] == box["sample_id"]).to_numpy()]
    file = f" ({radiographs.root / paths.iloc[0]})" if len(paths) else ""
    corners = ", ".join(f"{box[corner]:g}" for corner in CORNERS)
    return UserError(
        f"{radiographs.dataset}: sample {box['sample_id']}{file}: the box {box['label']} at ({corners}) {what}; "
        "correct it in the dataset's annotations, or remove it there"
    )
