"""Labels in range, boxes inside their images, masks of their images' size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..problems import Problem
from ..radiographs import SPLITS, Radiographs
from ..run_lengths import counts_from_text

# Boxes are read off to a pixel: whether the last one counts is not the same in all datasets.
TOLERANCE = 1.0


def wrong_labels(radiographs: Radiographs) -> Iterator[Problem]:
    """Values that are no label, rows of exclusive labels without exactly one, and splits that are none."""
    samples, targets = radiographs.samples, radiographs.targets()
    names = samples["sample_id"].to_numpy(dtype=object)
    wrong = ~(np.isnan(targets) | (targets == -1) | ((targets >= 0) & (targets <= 1)))
    for row, column in zip(*np.nonzero(wrong), strict=True):
        what = f"{radiographs.labels[column]} is {targets[row, column]:g}; labels are 1, 0, -1, blank or a share"
        yield Problem("label out of range", names[row], what, names[row])
    if radiographs.exclusive:
        stated = (targets == 1).sum(axis=1)
        for row in np.flatnonzero((stated != 1) & ~wrong.any(axis=1)):
            what = f"has {stated[row]} of the labels {', '.join(radiographs.labels)}; it needs exactly one"
            yield Problem("not exactly one label", names[row], what, names[row])
    for row in np.flatnonzero(~samples["split"].isin(list(SPLITS)).to_numpy()):
        what = f"split {samples['split'].iloc[row]!r} is not one of {', '.join(SPLITS)}"
        yield Problem("unknown split", names[row], what, names[row])


def wrong_boxes(radiographs: Radiographs, sizes: pd.DataFrame) -> Iterator[Problem]:
    """Boxes of no image, without area, or outside their image.

    Args:
        radiographs: with boxes in original pixels, or with None.
        sizes: index sample_id; columns height and width in pixels, where they are known.
    """
    if radiographs.boxes is None or radiographs.boxes.empty:
        return
    boxes = _with_images(radiographs.boxes, radiographs, sizes)
    corners = boxes[["x1", "y1", "x2", "y2"]].to_numpy(dtype=np.float64)
    x1, y1, x2, y2 = corners.T
    height, width = boxes["height"].to_numpy(dtype=np.float64), boxes["width"].to_numpy(dtype=np.float64)
    # Comparisons with NaN are false, so a corner that is no number has no area, and an unknown size leaves room.
    flat = ~((x2 > x1) & (y2 > y1))
    outside = (corners < -TOLERANCE).any(axis=1) | (x2 > width + TOLERANCE) | (y2 > height + TOLERANCE)
    of_none = boxes["path"].isna().to_numpy()
    for row in np.flatnonzero(of_none | flat | outside):
        name, corner = boxes["sample_id"].iloc[row], ", ".join(f"{value:g}" for value in corners[row])
        what = f"box of {boxes['label'].iloc[row]} (x1, y1, x2, y2) = ({corner})"
        if of_none[row]:
            yield Problem("box of no image", name, f"{what}: no such image")
            continue
        where = _place(radiographs, boxes["path"].iloc[row], name)
        if flat[row]:
            yield Problem("box without area", where, what, name)
        else:
            size = "" if np.isnan(width[row]) else f" of {width[row]:g} x {height[row]:g} pixels"
            yield Problem("box outside its image", where, f"{what} in an image{size}", name)


def wrong_masks(radiographs: Radiographs, sizes: pd.DataFrame) -> Iterator[Problem]:
    """Masks of no image, masks that cannot be decoded, and masks of another size than their image (see above)."""
    if radiographs.masks is None or radiographs.masks.empty:
        return
    masks = _with_images(radiographs.masks.rename(columns={"height": "rows", "width": "columns"}), radiographs, sizes)
    for mask in masks.to_dict("records"):
        name, what = str(mask["sample_id"]), f"mask of {mask['label']}"
        if pd.isna(mask["path"]):
            yield Problem("mask of no image", name, f"{what}: no such image")
            continue
        where = _place(radiographs, str(mask["path"]), name)
        if fault := _fault_of_counts(str(mask["counts"]), int(mask["rows"]) * int(mask["columns"])):
            yield Problem("mask cannot be decoded", where, f"{what}: {fault}", name)
        elif not pd.isna(mask["height"]) and (mask["rows"], mask["columns"]) != (mask["height"], mask["width"]):
            size = f"{mask['columns']} x {mask['rows']} in an image of {mask['width']:g} x {mask['height']:g} pixels"
            yield Problem("mask of another size", where, f"{what} of {size}", name)


def _with_images(table: pd.DataFrame, radiographs: Radiographs, sizes: pd.DataFrame) -> pd.DataFrame:
    """`table` with the path (NaN where there is no such sample), height and width (NaN: unknown) of its images."""
    paths = radiographs.samples.set_index("sample_id")["path"]
    return table.join(paths, on="sample_id").join(sizes, on="sample_id")


def _place(radiographs: Radiographs, path: str, name: str) -> str:
    return str(radiographs.root / path) if path else name


def _fault_of_counts(text: str, pixels: int) -> str:
    try:
        counts = counts_from_text(text)
    except (ValueError, OverflowError):
        return "its run lengths are not whole numbers"
    if (counts < 0).any() or counts.sum() != pixels:
        return f"its run lengths add up to {counts.sum()}, not to {pixels} pixels"
    return ""
