"""Folders with planted leaks: copies of phantom radiographs, changed as copies in the wild are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cxrbench.data import datasets
from cxrbench.data.audit import Audit, Kind
from cxrbench.data.phantom.generate import generate
from cxrbench.foundation.progress import Progress, SilentProgress

SEED = 11
KINDS = ("id", "bit-equal", "JPEG q75", "half size", "8 of 16 bits", "3 % crop", "contrast")


def drawn(folder: Path, count: int, size: int, progress: Progress | None = None) -> np.ndarray:
    """`count` phantoms, uint8 [N, size, size], drawn once into `folder`; those of one patient share an anatomy."""
    path = folder / f"phantoms-{count}-{size}-{SEED}.npy"
    if path.exists():
        with suppress(ValueError):
            return np.load(path, mmap_mode="r")
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".drawing")
    images = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=(count, size, size))
    plan = datasets.get("chexpert").plan_phantom(count, SEED)
    for row, case in enumerate(generate(plan, size, SEED, progress=progress or SilentProgress())):
        images[row] = case.pixels
    images.flush()
    beside.rename(path)
    return np.load(path, mmap_mode="r")


def plant(images: np.ndarray, a: Path, b: Path, each: int) -> pd.DataFrame:
    """Write two folders that share `each` images of each kind, and else only patients.

    Half of `images` (every second one, so that both folders have images of one patient) goes to `a`. `b` gets as many
    files: the planted copies, and of the other half what there is room for.

    Returns:
        kind, name in `a`, name in `b` of each planted pair.
    """
    generator = np.random.default_rng(SEED)
    names = (f"{number:016x}" for number in itertools.count(0x5EED_0000_0000_0000, 0x1_0000_9E37))
    first, second = images[::2], images[1::2]
    rows = generator.permutation(len(first))[: each * len(KINDS)].reshape(len(KINDS), each)
    kind_of = {int(row): kind for kind, chosen in zip(KINDS, rows, strict=True) for row in chosen}
    others = iter(second)
    pairs = []
    a.mkdir(parents=True)
    b.mkdir(parents=True)
    for row, image in enumerate(first):
        kind, name = kind_of.get(row), next(names)
        original = _deeper(image, generator) if kind == "8 of 16 bits" else np.array(image)
        write(a / f"{name}.png", original)
        if kind is None:
            continue
        # Only the name tells: the picture is another one.
        twin = f"{name}.jpg" if kind == "id" else f"{next(names)}{'.jpg' if kind == 'JPEG q75' else '.png'}"
        if kind == "id":
            write(b / twin, np.array(next(others)), 95)
        elif kind == "bit-equal":
            write(b / twin, original, compression=9)
        else:
            write(b / twin, CHANGES[kind](original, generator), 75)
        pairs.append((kind, f"{name}.png", twin))
    # As many files as in `a`.
    for image in itertools.islice(others, len(first) - len(pairs)):
        write(b / f"{next(names)}.png", np.array(image))
    return pd.DataFrame(pairs, columns=["kind", "a", "b"])


def pairs_found(found: Audit) -> pd.DataFrame:
    """Names (a, b) of all images that lie in one group, with the kind of finding."""
    parts = []
    for each in found.findings:
        if each.kind is not Kind.patient:
            sides = [each.members[each.members["side"] == side][["group", "name"]] for side in (0, 1)]
            parts.append(sides[0].merge(sides[1], on="group", suffixes=("_a", "_b")).assign(found=each.kind.value))
    return pd.concat(parts, ignore_index=True)


def score(found: Audit, planted: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Recall of each kind, and the pairs that were reported and not planted."""
    pairs = pairs_found(found)
    merged = planted.merge(
        pairs[["name_a", "name_b", "found"]], left_on=["a", "b"], right_on=["name_a", "name_b"], how="left"
    )
    recall = {kind: float(merged["found"][merged["kind"] == kind].notna().mean()) for kind in KINDS}
    told = pairs.merge(planted, left_on=["name_a", "name_b"], right_on=["a", "b"], how="left")
    return recall, told[told["kind"].isna()]


def write(path: Path, image: np.ndarray, quality: int = 95, compression: int = 1) -> None:
    """A PNG or JPEG file."""
    options = (
        [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, compression]
    )
    path.write_bytes(cv2.imencode(path.suffix, image, options)[1].tobytes())


def _deeper(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A 12-bit picture in 16 bits of which `image` might be the 8-bit one."""
    return (image.astype(np.uint16) * 13 + 300 + generator.integers(0, 13, image.shape)).astype(np.uint16)


def _halved(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _windowed(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    low, high = np.percentile(image, [generator.uniform(0, 2), generator.uniform(97, 100)])
    return np.rint(255 * np.clip((image - low) / max(high - low, 1), 0, 1)).astype(np.uint8)


def _cropped(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """3 % of the side taken off at each of its ends."""
    down, across = (max(1, round(0.03 * side)) for side in image.shape)
    return image[down:-down, across:-across]


def _stretched(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A per cent clipped at both ends, the rest spread out and bent."""
    low, high = np.percentile(image, [1, 99])
    values = np.clip((image - low) / max(high - low, 1), 0, 1) ** generator.uniform(0.7, 1.4)
    return np.rint(255 * values).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    # Written as JPEG of quality 75 by `plant`.
    "JPEG q75": lambda image, _: image,
    "half size": _halved,
    "8 of 16 bits": _windowed,
    "3 % crop": _cropped,
    "contrast": _stretched,
}
