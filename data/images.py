"""Every image of a dataset, decoded and preprocessed once, in a memory-mapped cache."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..foundation.errors import UserError, unknown_name
from ..foundation.files import sha256_of_json
from ..foundation.progress import Progress, SilentProgress
from .fingerprint import content_hashes, dataset_fingerprint
from .image_reading import read_with_padding
from .preprocessing import PREPROCESSING_VERSION, PRESETS, Preset, preprocess
from .radiographs import Radiographs
from .resumable_array import fill, open_array

# Small enough that progress moves and a kill costs little, large enough that handing over costs nothing.
_CHUNK_BYTES = 1 << 23
_CHUNK_ROWS = 32
# With so many unreadable images the dataset as a whole is wrong, and the others need not be tried.
_FAILURES = 20


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
    where they lie or what their labels are. Decoding runs in `workers` threads (default: one a core); a
    build that was interrupted is gone on with, and two processes never build the same cache.

    Args:
        radiographs: at least one sample.
        size: side of the square, in pixels.
        preset: see `preprocess`.
        cache: folder for what can be made again.
        column: which path to read, `path` or `target_path`.

    Raises:
        UserError: missing or unreadable images (one error for all, which names the first three), an unknown
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
    paths = [radiographs.root / path for path in radiographs.samples[column].to_numpy()[by_id]]
    decoding = _Decoding(paths, size, preset, workers or os.cpu_count() or 1)
    folder = cache / "images" / key
    chunk = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // (size * size)))
    title = f"preparing {radiographs.dataset} at {size} x {size}"
    shape = (len(paths), size, size)
    stored = fill(folder, shape, np.uint8, chunk, decoding.produce, title=title, progress=progress)
    if stored is None:
        raise decoding.error()
    fingerprint = dataset_fingerprint(radiographs, hashes)
    return Images(radiographs, stored, order, folder, key, size, preset, fingerprint)


class _Decoding:
    """Decodes chunks of `paths` in threads; what cannot be read is remembered and left out."""

    def __init__(self, paths: Sequence[Path], size: int, preset: Preset, workers: int):
        self._paths, self._size, self._workers = paths, size, workers
        self._preset: Preset = preset
        self._failures: dict[int, str] = {}
        self._stopped = threading.Event()

    def produce(self, missing: Sequence[slice]) -> Iterator[np.ndarray | None]:
        """The chunks in order, with as many under way ahead as keep all workers busy."""
        waiting: deque[Future[np.ndarray | None]] = deque()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="decode") as pool:
            try:
                for rows in missing:
                    waiting.append(pool.submit(self._chunk, rows))
                    if len(waiting) > 2 * self._workers:
                        yield waiting.popleft().result()
                    if len(self._failures) >= _FAILURES:
                        return
                while waiting:
                    yield waiting.popleft().result()
            finally:
                # Threads look at this after each image, so an interruption does not wait for whole chunks.
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def error(self) -> UserError:
        """One error for all images that could not be read."""
        rows = sorted(self._failures)
        shown = "; ".join(self._failures[row] for row in rows[:3]) + ("; …" if len(rows) > 3 else "")
        if len(rows) == 1:
            return UserError(f"{shown}; replace the file or take its row out of the dataset's table")
        least = "at least " if len(rows) >= _FAILURES else ""
        return UserError(
            f"{least}{len(rows)} of {len(self._paths)} images cannot be read: {shown}\n"
            "replace these files or take their rows out of the dataset's table"
        )

    def _chunk(self, rows: slice) -> np.ndarray | None:
        images = np.empty((rows.stop - rows.start, self._size, self._size), np.uint8)
        whole = True
        for row in range(rows.start, rows.stop):
            if self._stopped.is_set():
                return None
            try:
                images[row - rows.start] = self._image(self._paths[row])
            except UserError as error:
                self._failures[row] = str(error)
                whole = False
        return images if whole else None

    def _image(self, path: Path) -> np.ndarray:
        image, padding = read_with_padding(path)
        try:
            return preprocess(image, self._size, self._preset, padding)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
