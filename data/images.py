"""Every image of a dataset, decoded and preprocessed once, in a memory-mapped cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..foundation.errors import UserError, unknown_name
from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .decoding import MOST_FAILURES, Decoding
from .fingerprint import TARGETS, content_hashes, dataset_fingerprint, target_hashes
from .preprocessing import PREPROCESSING_VERSION, PRESETS, Preset
from .problems import SHOWN
from .radiographs import Radiographs
from .resumable_array import fill, open_array

# Small enough that progress moves and a kill costs little, large enough that handing over costs nothing.
_CHUNK_BYTES = 1 << 23
_CHUNK_ROWS = 32


@dataclass(frozen=True)
class Images:
    """The preprocessed images of a dataset.

    Attributes:
        radiographs: the dataset; row i of its samples is row i for `batch`.
        stored: uint8 [N, S, S], memory-mapped, in the cache's order: by sample_id, so that a table in
            another row order finds the same cache.
        order: int64 [N]; the image of sample i is `stored[order[i]]`.
        folder: where the cache lies.
        key: hash of the images' content, preprocessing version, preset and size; for what is cached on top.
        size: S.
        preset: the preprocessing preset.
        fingerprint: `dataset_fingerprint` of the whole dataset, labels included; for records.
    """

    radiographs: Radiographs
    stored: np.ndarray
    order: np.ndarray
    folder: Path
    key: str
    size: int
    preset: Preset
    fingerprint: str

    def __len__(self) -> int:
        return len(self.order)

    def batch(self, rows: np.ndarray | slice) -> np.ndarray:
        """Images [B, S, S], uint8, of the given rows of `radiographs.samples` (numbers, mask or slice)."""
        return self.stored[self.order[rows]]

    def __getstate__(self) -> dict[str, object]:
        # A worker process maps the file again instead of being sent all pixels.
        return {**self.__dict__, "stored": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        stored = open_array(self.folder, (len(self.order), self.size, self.size), np.uint8)
        object.__setattr__(self, "stored", stored)


def prepare_images(
    radiographs: Radiographs,
    size: int,
    preset: Preset = "default",
    *,
    cache: Path,
    workers: int | None = None,
    progress: Progress | None = None,
    column: str = "path",
) -> Images:
    """Decode and preprocess each image of `radiographs`, unless the cache has them.

    The cache lies in `<cache>/images/<key>`, where the key follows from what the files hold, not from
    where they lie or what their labels are. Decoding runs on `workers` cores (default: all), in threads
    where the images are few and in processes of their own where they are many, with equal results; a build
    that was interrupted is gone on with, and two processes never build the same cache. A whole cache is
    used without writing anything, so that it can be shared read-only.

    Args:
        radiographs: at least one sample.
        size: side of the square, in pixels.
        preset: see `preprocess`.
        cache: folder for what can be made again.
        column: which path to read, `path` or `target_path`.

    Raises:
        UserError: missing or unreadable images (one error for all, which names the first 20), an unknown
            preset, a size below 8, no samples, or a cache folder that cannot be written.
    """
    progress = progress or SilentProgress()
    if preset not in PRESETS:
        raise unknown_name("preprocessing preset", preset, PRESETS)
    if size < 8:
        raise UserError(f"image size {size}: needs at least 8 pixels")
    if len(radiographs) == 0:
        raise UserError(f"{radiographs.dataset}: no samples to prepare images of")
    hashes = content_hashes(radiographs, cache, progress, column=column)
    by_id = np.argsort(radiographs.samples["sample_id"].to_numpy(dtype=str), kind="stable")
    order = np.empty(len(by_id), dtype=np.int64)
    order[by_id] = np.arange(len(by_id))
    key = sha256_of_json([PREPROCESSING_VERSION, preset, size, hashes[by_id].tolist()])[:32]
    names = radiographs.samples[column].to_numpy()[by_id]
    decoding = Decoding(radiographs.root, names, size, preset, workers)
    folder = cache / "images" / key
    chunk = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // (size * size)))
    stored = fill(
        folder,
        (len(names), size, size),
        np.uint8,
        chunk,
        decoding.produce,
        title=f"preparing {radiographs.dataset} at {size} x {size}",
        progress=progress,
        about={"dataset": radiographs.dataset, "images": len(names), "pixels": size, "preset": preset},
    )
    if stored is None:
        raise _unreadable(radiographs.dataset, decoding, len(names))
    fingerprint = dataset_fingerprint(
        radiographs,
        hashes if column == "path" else content_hashes(radiographs, cache, progress),
        hashes if column == TARGETS else target_hashes(radiographs, cache, progress),
    )
    return Images(radiographs, stored, order, folder, key, size, preset, fingerprint)


def _unreadable(dataset: str, decoding: Decoding, n: int) -> UserError:
    """One error for all images that could not be read."""
    failures = sorted(decoding.failures.items())
    way_out = "mend the files, or go on without them: --skip-unreadable"
    lines = [f"{decoding.path(row)}: {why}" for row, why in failures[:SHOWN]]
    if len(failures) == 1:
        return UserError(f"{dataset}: {lines[0]}; mend the file, or go on without it: --skip-unreadable")
    least = "at least " if len(failures) >= MOST_FAILURES else ""
    lines += [f"... and {len(failures) - SHOWN} more"] if len(failures) > SHOWN else []
    shown = "".join(f"\n  {line}" for line in lines)
    return UserError(f"{dataset}: {least}{len(failures)} of {n} images cannot be read:{shown}\n{way_out}")
