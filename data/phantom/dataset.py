"""Whole phantom datasets: written in a public dataset's own layout, once, and found again in the cache."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...foundation.errors import UserError, unknown_name
from ...foundation.files import new_file, new_folder, writing
from ...foundation.progress import Progress, SilentProgress
from ..run_lengths import counts_of, counts_to_text
from .case import PhantomCase
from .drawing import SMALLEST, VERSION
from .generate import generate
from .marker import PhantomMark, is_phantom, write_marker

DEFAULT_SIZE = 256
DEFAULT_SEED = 0

_KEY_COLUMNS = "patient,study,image,finding"


@dataclass(frozen=True)
class PhantomSpec:
    """How many images (None: as many as the dataset's source says) of which size from which seed."""

    n: int | None = None
    size: int = DEFAULT_SIZE
    seed: int = DEFAULT_SEED


def parse_phantom(spec: str) -> PhantomSpec:
    """Read `phantom` or `phantom:n=600,size=128,seed=3`.

    Raises UserError that names the key or value that is wrong.
    """
    word, _, rest = spec.partition(":")
    if word != "phantom":
        raise UserError(f"{spec!r} is not a phantom; write phantom or phantom:n=600,size=128,seed=3")
    values: dict[str, int] = {"size": DEFAULT_SIZE, "seed": DEFAULT_SEED}
    example = {"n": 600, **values}
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in example:
            raise unknown_name("phantom key", key, example)
        if not value.isascii() or not value.isdigit():
            raise UserError(
                f"phantom {key}={value} is not a whole number of 0 or more; write for example {key}={example[key]}"
            )
        values[key] = int(value)
    _check(**{**example, **values})
    return PhantomSpec(**values)


def phantom_folder(
    dataset: str,
    cache: Path,
    n: int | None = None,
    size: int = DEFAULT_SIZE,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> Path:
    """The folder of a phantom of `dataset` below `cache`; drawn on first use, by one process at a time.

    Raises:
        UserError: unknown dataset, n < 1, size < 32, or a cache that cannot be written.
    """
    from filelock import FileLock

    n = n if n is not None else _source(dataset).phantom_images
    _check(n, size, seed)
    root = Path(cache) / "phantoms" / f"{dataset}-n{n}-s{size}-seed{seed}-v{VERSION}"
    if is_phantom(root):
        return root
    with writing(root.parent):
        root.parent.mkdir(parents=True, exist_ok=True)
    with writing(root.parent), FileLock(root.with_name(f".{root.name}.lock")):
        if not is_phantom(root):
            # What a killed process left; nobody else writes here while the lock is held.
            shutil.rmtree(_scratch(root), ignore_errors=True)
            write_phantom_dataset(dataset, root, n, size, seed, rib_free=False, progress=progress)
    return root


def write_phantom_dataset(
    dataset: str,
    root: Path,
    n: int | None,
    size: int,
    seed: int = DEFAULT_SEED,
    rib_free: bool = True,
    progress: Progress | None = None,
) -> None:
    """Draw `n` images (None: as many as its source says) in the layout of `dataset`, at `root` whole or not at all.

    Beside the dataset's own files `root` holds `PHANTOM.json`, and below `phantom/`: `boxes.csv`
    (patient, study, image, finding, x1, y1, x2, y2 in pixels), `masks.csv` (patient, study, image, finding,
    height, width, counts: COCO's uncompressed run lengths down the columns, beginning with zeros), and
    `rib_free/<patient>-<study>-<image>.png`, the same patients without ribs, if `rib_free`.

    Raises:
        UserError: unknown dataset, n < 1, size < 32, a `root` that holds files already, or a full disk.
    """
    root = Path(root)
    source = _source(dataset)
    n = n if n is not None else source.phantom_images
    _check(n, size, seed)
    with writing(root):
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UserError(f"{root} exists and is not empty; name a new folder for the phantom")
    plan = source.plan_phantom(n, seed)
    scratch = _scratch(root)
    try:
        with new_folder(root, scratch) as folder:
            truth = _Truth(folder / "phantom", rib_free)
            cases = generate(plan, size, seed, rib_free or source.needs_rib_free, progress or SilentProgress())
            with contextlib.closing(truth.record(cases)) as recorded:
                source.write_phantom(recorded, folder)
            truth.finish()
            write_marker(folder, PhantomMark(dataset, n, size, seed, VERSION))
    finally:
        with contextlib.suppress(OSError):
            scratch.rmdir()


class _Truth:
    """Collects where findings are while the images pass by on their way to the dataset's writer."""

    def __init__(self, folder: Path, rib_free: bool):
        self._folder = folder
        self._rib_free = rib_free
        self._boxes = [f"{_KEY_COLUMNS},x1,y1,x2,y2"]
        self._masks = [f"{_KEY_COLUMNS},height,width,counts"]
        (folder / "rib_free" if rib_free else folder).mkdir(parents=True)

    def record(self, cases: Iterable[PhantomCase]) -> Generator[PhantomCase, None, None]:
        for case in cases:
            ask = case.request
            key = f"{ask.patient},{ask.study},{ask.image}"
            self._boxes += [f"{key},{name},{x1:g},{y1:g},{x2:g},{y2:g}" for name, x1, y1, x2, y2 in case.boxes]
            for name, mask in case.masks:
                counts = counts_to_text(counts_of(mask))
                self._masks.append(f"{key},{name},{mask.shape[0]},{mask.shape[1]},{counts}")
            if self._rib_free and case.rib_free is not None:
                self._write_twin(f"{ask.patient}-{ask.study}-{ask.image}.png", case.rib_free)
            yield case

    def finish(self) -> None:
        for name, lines in (("boxes.csv", self._boxes), ("masks.csv", self._masks)):
            with new_file(self._folder / name) as path:
                path.write_text("\n".join(lines) + "\n")

    def _write_twin(self, name: str, pixels: np.ndarray) -> None:
        import cv2

        _, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        (self._folder / "rib_free" / name).write_bytes(encoded.tobytes())


def _scratch(root: Path) -> Path:
    return root.with_name(f".{root.name}.partial")


def _source(dataset: str):
    # Imported here: data/source.py itself asks the marker whether a folder is a phantom.
    from ..source import datasets

    return datasets.get(dataset)


def _check(n: int, size: int, seed: int) -> None:
    if n < 1:
        raise UserError(f"phantom n={n}: ask for one image or more")
    if size < SMALLEST:
        raise UserError(f"phantom size={size} is too small; the least is {SMALLEST} pixels")
    if seed < 0:
        raise UserError(f"phantom seed={seed}: a seed is 0 or more")
