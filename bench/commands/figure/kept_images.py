"""The images that the trials of a figure keep in the cache, and which of them all can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ....results.figures.made_images import MadeKind
    from ....results.record import Record
    from ....tasks.made_images import MadeImages
    from ....tasks.predictions import Predictions


@dataclass(frozen=True)
class KeptImages:
    """What the trials of a figure keep, a list entry an encoder.

    Attributes:
        made: their files.
        tables: their predictions, by sample id.
        places: sample id -> where its images lie in the file.
        failed: ids of images that were not made.
        ids: images of which every encoder has one, or failed, and not all did; in the order of their hashes.
    """

    made: Sequence[MadeImages]
    tables: Sequence[pd.DataFrame]
    places: Sequence[Mapping[str, int]]
    failed: Sequence[set[str]]
    ids: Sequence[str]


def kept_images(
    records: Sequence[Record], predictions: Sequence[Predictions], kind: MadeKind, cache: Path | None
) -> KeptImages:
    """What the trials of `records` keep in `cache`; None takes that of the configuration.

    Raises:
        UserError: stacks other than those of `kind`, a file that is missing or damaged.
        RefusedError: images of different sizes.
    """
    import numpy as np

    from ....foundation.errors import RefusedError
    from ....tasks.made_images import made_images_path, shown_rows
    from ...config import run_config

    folder = run_config({"cache": cache}, needs_grid=False).cache
    made = [_read(made_images_path(folder, record.fingerprint), record.task, kind) for record in records]
    if len({images.stacks[kind.made].shape[1:] for images in made}) > 1:
        raise RefusedError("--encoder: the images of these trials are of different sizes; run one of them again")
    tables = [each.table.set_index(each.table["sample_id"].astype(str)) for each in predictions]
    failed = [_failed(table) for table in tables]
    places = [
        {str(each): place for place, each in enumerate(images.sample_ids) if str(each) not in without}
        for images, without in zip(made, failed, strict=True)
    ]
    # An image that failed with one encoder is shown for the others.
    found = set(tables[0].index).intersection(set().union(*places))
    whole = [each for each in found if all(each in x or each in y for x, y in zip(places, failed, strict=True))]
    ids = np.array(sorted(whole), dtype=str)
    ordered = ids[shown_rows(ids, records[0].task)].tolist() if whole else []
    return KeptImages(made, tables, places, failed, ordered)


def _failed(table: pd.DataFrame) -> set[str]:
    return set(table.index[table["failed"] != ""]) if "failed" in table else set()


def _read(path: Path, task: str, kind: MadeKind) -> MadeImages:
    """The images of one trial, whose stacks are those of `kind`."""
    import numpy as np

    from ....foundation.errors import UserError
    from ....tasks.made_images import read_made_images

    images = read_made_images(path)
    if set(images.stacks) != set(kind.stacks):
        raise UserError(
            f"--task {task}: its trials keep {', '.join(images.stacks)}, and this figure shows "
            f"{', '.join(kind.stacks)}; `cxrbench figure --help` lists the others"
        )
    shapes = {stack.shape for stack in images.stacks.values()}
    good = len(shapes) == 1 and all(stack.dtype == np.uint8 and stack.ndim == 3 for stack in images.stacks.values())
    if not good or {shape[0] for shape in shapes} != {len(images.sample_ids)}:
        raise UserError(f"{path}: not the images of a trial; delete it, and run the trial again")
    return images
