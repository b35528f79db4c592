"""Images and patients that two sides share by their ids, also through the NIH images that challenges reuse."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .sides import Side

# Between two datasets, shorter names (0001, img_12) are alike by chance.
_TELLING = 8


def same_image_ids(a: Side, b: Side | None) -> np.ndarray:
    """Group number of each image of `a` and then of `b`, int64 [N], -1 for images whose id no other one has.

    Two images of one group have the same id, or are the same image of NIH ChestX-ray14. Within one side only the
    latter tells: there every image is listed once. A name that several images of one side share (1.png in each
    folder) tells nothing between sides.
    """
    nih = _stacked(a, b, "nih_id")
    if b is None:
        return grouped(nih)
    ids = _stacked(a, b, "image_id")
    first = np.arange(len(ids)) < len(a)
    unclear = _repeated(ids, first)
    if a.dataset and b.dataset and a.dataset != b.dataset:
        letters = ids.str.replace(r"[^0-9A-Za-z]", "", regex=True).str.len()
        unclear = unclear | (letters < _TELLING).to_numpy()
    return joined(across(grouped(ids.mask(unclear, "")), first), across(grouped(nih), first))


def same_patients(a: Side, b: Side | None) -> np.ndarray:
    """Group number of each image of `a` and then of `b`, int64 [N]: one a patient; -1 for patients of one image.

    Two datasets number their patients each in its own way, so only patients of NIH's are known again between them.
    """
    nih = _stacked(a, b, "nih_patient")
    own = _stacked(a, b, "patient_id")
    if b is None:
        return joined(grouped(own), grouped(nih))
    first = np.arange(len(nih)) < len(a)
    if a.dataset and b.dataset and a.dataset != b.dataset:
        return across(grouped(nih), first)
    return joined(across(grouped(own), first), across(grouped(nih), first))


def grouped(keys: pd.Series) -> np.ndarray:
    """Group number of each key, int64 [N]; -1 for empty ones and those that stand once."""
    codes, known = pd.factorize(keys)
    counts = np.bincount(codes, minlength=len(known)) if len(codes) else np.zeros(0, int)
    alone = counts[codes] < 2 if len(codes) else np.zeros(0, bool)
    return np.where(alone | (keys == "").to_numpy(), -1, codes)


def across(groups: np.ndarray, first: np.ndarray) -> np.ndarray:
    """`groups` with -1 for those that lie on one side only; `first` [N] is true for images of the first side."""
    size = int(groups.max(initial=-1)) + 1
    member = groups >= 0
    on_first = np.bincount(groups[member & first], minlength=size) > 0
    on_second = np.bincount(groups[member & ~first], minlength=size) > 0
    both = np.append(on_first & on_second, False)
    return np.where(both[groups], groups, -1)


def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Groups of images that are together in `one` or in `other`, int64 [N], -1 for images in neither."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not (one >= 0).any():
        return other
    if not (other >= 0).any():
        return one
    # Each image is tied to its groups, which are nodes behind the images.
    count, shift = len(one), int(one.max()) + 1
    rows = np.concatenate([np.flatnonzero(one >= 0), np.flatnonzero(other >= 0)])
    nodes = count + np.concatenate([one[one >= 0], shift + other[other >= 0]])
    total = int(nodes.max()) + 1
    graph = coo_array((np.ones(len(rows), np.int8), (rows, nodes)), shape=(total, total))
    found = connected_components(graph, directed=False)[1][:count].astype(np.int64)
    return np.where((one >= 0) | (other >= 0), found, -1)


def _stacked(a: Side, b: Side | None, column: str) -> pd.Series:
    parts = [a.images[column]] if b is None else [a.images[column], b.images[column]]
    return pd.concat(parts, ignore_index=True)


def _repeated(ids: pd.Series, first: np.ndarray) -> np.ndarray:
    """Whether an id stands for several images of one side: bool [N]; then it tells nothing on either."""
    again = np.concatenate([ids[first].duplicated().to_numpy(), ids[~first].duplicated().to_numpy()])
    return ids.isin(ids[again]).to_numpy()
