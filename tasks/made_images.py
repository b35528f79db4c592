"""Images that a trial makes, kept in the cache for figures: a store holds no pixels of patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.splits import DrawKey, hash_order
from ..foundation.errors import UserError
from ..foundation.files import DAMAGED_ARCHIVE, new_file, writing

FOLDER = "made_images"
# The first in the order of a hash of their ids, the same for every encoder.
MOST = 64


@dataclass(frozen=True)
class MadeImages:
    """Some test images of one trial.

    Attributes:
        sample_ids: str [N].
        stacks: name -> uint8 [N, H, W]: what was given and what was made, such as `original`, `reconstruction`.
    """

    sample_ids: np.ndarray
    stacks: Mapping[str, np.ndarray]


def made_images_path(cache: Path, fingerprint: str) -> Path:
    """Where the images of the trial with `fingerprint` lie."""
    return cache / FOLDER / f"{fingerprint}.npz"


def shown_rows(sample_ids: np.ndarray, task: str) -> np.ndarray:
    """Which of the test images [N] are kept: at most MOST positions, in the order of their hashes."""
    return hash_order(sample_ids.astype(str), DrawKey(task, 0, 0))[:MOST]


def write_made_images(path: Path | None, images: MadeImages) -> None:
    """Write `path` as a whole; nothing where there is no path. Raises UserError where it cannot be written."""
    if path is None:
        return
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, sample_id=np.asarray(images.sample_ids, dtype=str), **dict(images.stacks))  # type: ignore[arg-type] (NumPy types every name as `allow_pickle`)


def read_made_images(path: Path) -> MadeImages:
    """Read what `write_made_images` wrote. Raises UserError where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as content:
            stacks = {name: content[name] for name in content.files if name != "sample_id"}
            return MadeImages(content["sample_id"], stacks)
    except DAMAGED_ARCHIVE as error:
        why = "no longer in the cache" if isinstance(error, FileNotFoundError) else "damaged"
        raise UserError(
            f"{path}: the images of this trial are {why}; records keep none: name the --cache of the run, or remove "
            "the trial's folder from the store and start `cxrbench run` again"
        ) from error
