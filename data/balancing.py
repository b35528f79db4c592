"""Class balance: repeated and slightly moved images for fine-tuning, weights for losses on fixed features."""

from __future__ import annotations

import numpy as np

from ..foundation.errors import UserError
from .keys import uniform

ROTATION_DEGREES = 10.0
ZOOM = 0.2


def balanced_rows(classes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on so that every class occurs as often as the largest.

    For single-label data. Labels that occur together cannot be balanced by repeating images (a copy for one label
    is a copy for all): use `positive_weights` there.

    Args:
        classes: int [N], the class of each row; any whole numbers.
        seed: decides which rows of a class get one copy more than the others.

    Returns:
        rows: int64 [M], M = number of classes * size of the largest. The first N are all rows once, in order.
        copy: int64 [M], 0 for the original, k > 0 for the k-th copy, which `rotate_and_zoom` moves.

    Raises:
        UserError: `classes` is empty, has more than one column, or is not of whole numbers.
    """
    classes = _checked(classes)
    names, sizes = np.unique(classes, return_counts=True)
    rows, copies = [np.arange(len(classes))], [np.zeros(len(classes), dtype=np.int64)]
    for name, size in zip(names, sizes, strict=True):
        members = np.flatnonzero(classes == name)
        missing = int(sizes.max() - size)
        order = np.random.default_rng([seed, int(name) & 0xFFFFFFFF]).permutation(members)
        rows.append(np.resize(order, missing))
        copies.append(np.arange(missing) // size + 1)
    return np.concatenate(rows), np.concatenate(copies)


def rotate_and_zoom(images: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each image turned by up to 10 degrees and zoomed by up to 20 %, either way, about its centre.

    Args:
        images: uint8 [B, S, S].
        keys: int64 [B]; equal keys give equal moves, whatever the batch. `keys.fold(seed, row, copy)` fixes a copy.

    Returns:
        uint8 [B, S, S].
    """
    import cv2

    height, width = images.shape[1:]
    angles = ROTATION_DEGREES * (2 * uniform(keys, 0) - 1)
    zooms = 1 + ZOOM * (2 * uniform(keys, 1) - 1)
    centre = ((width - 1) / 2, (height - 1) / 2)
    moved = np.empty_like(images)
    for image, angle, zoom, target in zip(images, angles, zooms, moved, strict=True):
        matrix = cv2.getRotationMatrix2D(centre, float(angle), float(zoom))
        # Only the smaller classes get copies: black corners would tell the class, so the edge is continued.
        target[...] = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return moved


def class_weights(classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Loss weight of each class: N / (K * N_k), with K the number of classes that occur; its mean over rows is 1.

    Args:
        classes: int [N], each in [0, n_classes).
        n_classes: how many classes the task has.

    Returns:
        float64 [n_classes]; 0 for a class without rows, which a small fraction may have.

    Raises:
        UserError: no rows, or a class outside the range.
    """
    classes = _checked(classes)
    if classes.min() < 0 or classes.max() >= n_classes:
        raise UserError(f"classes run from {classes.min()} to {classes.max()}, the task has 0 to {n_classes - 1}")
    counts = np.bincount(classes, minlength=n_classes)
    share = counts * np.count_nonzero(counts)
    return np.divide(len(classes), share, out=np.zeros(n_classes), where=share > 0)


def positive_weights(targets: np.ndarray) -> np.ndarray:
    """Loss weight of the positives of each label: negatives / positives, so that both sides weigh the same.

    It is the ratio of the two `class_weights` of the label on its own.

    Args:
        targets: [N, L] of 1, 0 and NaN, which is left out.

    Returns:
        float64 [L]; 1 for a label of which only one side occurs, where nothing is to be balanced.
    """
    targets = np.asarray(targets, dtype=np.float64)
    positive = (targets == 1).sum(axis=0)
    negative = (targets == 0).sum(axis=0)
    return np.divide(negative, positive, out=np.ones(targets.shape[1]), where=(positive > 0) & (negative > 0))


def _checked(classes: np.ndarray) -> np.ndarray:
    classes = np.asarray(classes)
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise UserError(f"classes must be one whole number a row, not {classes.dtype} of shape {classes.shape}")
    if not classes.size:
        raise UserError("no rows to balance; choose a larger fraction")
    return classes
