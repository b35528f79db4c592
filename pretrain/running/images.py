"""The images of a pretraining: those of several datasets as one, without the ones that cannot be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.decoding import Decoding
from ...data.fingerprint import content_hashes
from ...data.images import Images, prepare_images
from ...data.nih_mapping import NIH_COLUMN
from ...data.phantom.marker import LEVELS, MARKER
from ...data.preprocessing import Preset
from ...data.problems import SHOWN
from ...data.readability import first_rows, unreadable
from ...data.source import without
from ...foundation.errors import UserError
from ...foundation.files import sha256_of_json
from ...foundation.progress import Progress
from .pixels import pixels_of

if TYPE_CHECKING:
    import pandas as pd

    from ...data.radiographs import Radiographs

# So many unreadable files are no reason to stop, however few images there are in all.
ALWAYS_ALLOWED = 20
_CHUNK = 64


@dataclass(frozen=True)
class PretrainingImages:
    """Preprocessed images of one or more datasets, in the order of the datasets.

    Attributes:
        parts: those of each dataset.
        sha256: over the sorted hashes of the files' bytes: equal for equal images, wherever they lie.
        order: over the same hashes as they come: what a training draws for an image depends on its place.
        left_out: dataset, sample_id and reason of images that cannot be used.
    """

    parts: tuple[Images, ...]
    sha256: str
    order: str
    left_out: pd.DataFrame

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def synthetic(self) -> bool:
        """Whether any of them is a phantom."""
        return any(part.radiographs.synthetic for part in self.parts)

    @property
    def datasets(self) -> dict[str, int]:
        """Name, with `synthetic phantoms` where they are, -> number of images."""
        counts: dict[str, int] = {}
        for part in self.parts:
            radiographs = part.radiographs
            name = f"{radiographs.dataset} (synthetic phantoms)" if radiographs.synthetic else radiographs.dataset
            counts[name] = counts.get(name, 0) + len(part)
        return counts

    def names(self) -> list[str]:
        """What each image is called in a list of pretraining images, by which audits know it again.

        Phantoms of every seed and size number their patients alike, so theirs are called after what they were drawn
        from and are taken for no other image.
        """
        return [name for part in self.parts for name in _names(part.radiographs)]

    def others_names(self) -> list[str]:
        """Under which other names the images are known: those that challenges took from NIH ChestX-ray14."""
        found: dict[str, None] = {}
        for part in self.parts:
            samples = part.radiographs.samples
            if NIH_COLUMN in samples and not part.radiographs.synthetic:
                found |= dict.fromkeys(str(name) for name in samples[NIH_COLUMN].dropna() if name)
        return list(found)

    def mean_and_sd(self, most: int) -> tuple[float, float]:
        """Mean and standard deviation of all pixels, in [0, 1], of up to `most` images; the same in any order."""
        rows = first_rows(self.names(), most)
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(rows), _CHUNK):
            counts += np.bincount(pixels_of(self.parts, rows[start : start + _CHUNK]).ravel(), minlength=256)
        values = np.arange(256) / 255
        mean = float(counts @ values / counts.sum())
        return mean, math.sqrt(counts @ (values - mean) ** 2 / counts.sum())


def pretraining_images(
    radiographs: Sequence[Radiographs],
    size: int,
    preset: Preset,
    unreadable_limit: float,
    *,
    cache: Path,
    progress: Progress,
) -> PretrainingImages:
    """Decode the images of `radiographs` into the cache, and leave out those that cannot be read.

    Args:
        radiographs: one entry a dataset; what is in their `left_out` counts as unreadable too.
        size: side in pixels.
        preset: of `preprocess`.
        unreadable_limit: share of all images that may be unreadable; up to 20 may be, unless it is 0.
        cache: folder of what can be made again.
        progress: where the work is shown, and what is left out is said.

    Raises:
        UserError: more unreadable images than that, or none that can be read.
    """
    total = sum(len(each) + _already(each) for each in radiographs)
    allowed = max(ALWAYS_ALLOWED, math.floor(unreadable_limit * total)) if unreadable_limit > 0 else 0
    _refuse_too_many(radiographs, allowed, total)
    kept = list(radiographs)
    for at, each in enumerate(radiographs):
        for reasons in _reasons(each, size, preset, cache, progress):
            kept[at] = without(kept[at], reasons)
            _refuse_too_many(kept, allowed, total)
    parts = [prepare_images(each, size, preset, cache=cache, progress=progress) for each in kept]
    left_out = _left_out(kept)
    if len(left_out):
        progress.say(f"{len(left_out)} of {total} images cannot be used and are left out")
    hashes = [str(name) for each in kept for name in content_hashes(each, cache, progress)]
    return PretrainingImages(tuple(parts), sha256_of_json(sorted(hashes)), sha256_of_json(hashes), left_out)


def _reasons(
    radiographs: Radiographs, size: int, preset: Preset, cache: Path, progress: Progress
) -> Iterator[dict[str, str]]:
    """sample_id -> why, of the images that cannot be used; each file is looked at by itself only where one fails."""
    for look in (_not_decoded, _not_preprocessed):
        try:
            prepare_images(radiographs, size, preset, cache=cache, progress=progress)
        except UserError:
            reasons = look(radiographs, size, preset, cache, progress)
            if reasons:
                radiographs = without(radiographs, reasons)
                yield reasons


def _not_decoded(
    radiographs: Radiographs, size: int, preset: Preset, cache: Path, progress: Progress
) -> dict[str, str]:
    return unreadable(radiographs, cache, progress)


def _not_preprocessed(
    radiographs: Radiographs, size: int, preset: Preset, cache: Path, progress: Progress
) -> dict[str, str]:
    """Images that are readable and blank."""
    samples = radiographs.samples
    decoding = Decoding(radiographs.root, samples["path"].to_numpy(), size, preset, None)
    rows = range(0, len(samples), _CHUNK)
    with progress.step(f"looking for blank images in {radiographs.dataset}", len(rows)) as step:
        for _ in decoding.produce([slice(row, min(row + _CHUNK, len(samples))) for row in rows]):
            step.advance()
    ids = samples["sample_id"].to_numpy()
    return {str(ids[row]): f"{decoding.path(row)}: {why}" for row, why in decoding.failures.items()}


def _already(radiographs: Radiographs) -> int:
    return 0 if radiographs.left_out is None else len(radiographs.left_out)


def _refuse_too_many(radiographs: Sequence[Radiographs], allowed: int, total: int) -> None:
    if sum(map(_already, radiographs)) <= allowed:
        return
    left_out = _left_out(radiographs)
    shown = "".join(f"\n  {reason}" for reason in left_out["reason"][:SHOWN])
    more = f"\n  ... and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
    raise UserError(
        f"{len(left_out)} of {total} images cannot be used, and {allowed} may be left out; mend the files, "
        f"or raise --set unreadable_limit=SHARE:{shown}{more}"
    )


def _left_out(radiographs: Sequence[Radiographs]) -> pd.DataFrame:
    import pandas as pd

    tables = [each.left_out.assign(dataset=each.dataset) for each in radiographs if each.left_out is not None]
    empty = pd.DataFrame({"dataset": [], "sample_id": [], "reason": []}, dtype=str)
    return pd.concat([empty, *tables], ignore_index=True)[["dataset", "sample_id", "reason"]]


def _names(radiographs: Radiographs) -> list[str]:
    names = radiographs.samples["path"].astype(str)
    if not radiographs.synthetic:
        return names.tolist()
    # Without slashes: audits read whose image it is from the last parts of a path.
    return (_phantom_of(radiographs.root) + "__" + names.str.replace("/", "__", regex=False)).tolist()


def _phantom_of(root: Path) -> str:
    """`phantom-chexpert-n64-s32-seed0-v3`: what the phantom that `root` lies in was drawn from."""
    root = root.resolve()
    for folder in (root, *root.parents[:LEVELS]):
        if (folder / MARKER).is_file():
            mark = json.loads((folder / MARKER).read_bytes())
            return "phantom-{dataset}-n{n}-s{size}-seed{seed}-v{version}".format(**mark)
    return "phantom"
