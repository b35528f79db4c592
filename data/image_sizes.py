"""Height and width of each image of a dataset, from the headers of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import UserError
from ..foundation.progress import Progress, SilentProgress
from .dicom.headers import read_headers
from .file_facts import file_facts
from .image_headers import stated_size
from .image_reading import DamagedError, check_pixels, is_dicom, read_image
from .radiographs import Radiographs

# What tells the size lies in the first few hundred bytes; a longer buffer reads pixels that nobody asked for.
_BUFFER = 512
_UNKNOWN = (0, 0)


def image_sizes(
    radiographs: Radiographs, cache: Path | None = None, progress: Progress | None = None, *, column: str = "path"
) -> np.ndarray:
    """Height and width of each sample's image as `read_image` would give it: int64 [N, 2], in pixels.

    They come from the headers of PNG, JPEG, TIFF, BMP, DICOM, MetaImage and JSRT files. A file is decoded where its
    header does not tell: where EXIF turns the image, where the header is damaged or the file of another kind. What
    was found is remembered in `<cache>/image_sizes/` by path, size and modification time. An image that has a size
    may still have pixels that cannot be decoded.

    Args:
        radiographs: every sample with a path.
        cache: folder for what can be made again; nothing is remembered where None.
        progress: where to say how far it is.
        column: which path to read, `path` or `target_path`.

    Raises:
        UserError: one line that names a file: missing, empty, no image, or damaged so that it has no size.
    """
    names = radiographs.samples[column]
    sizes = sizes_of_files(radiographs.root, names, cache, progress)
    for row in np.flatnonzero(sizes[:, 0] == 0):
        sizes[row] = _decoded(radiographs.root / names.iloc[row])
    return sizes


def sizes_of_files(
    root: Path, names: pd.Series, cache: Path | None = None, progress: Progress | None = None
) -> np.ndarray:
    """As `image_sizes`, for the files `names` (text [N], relative to `root`); 0 and 0 where a file has no size."""
    found = file_facts(
        root,
        names.to_numpy(dtype=object),
        ["height", "width"],
        _sizes,
        memory=None if cache is None else cache / "image_sizes",
        title="reading the sizes of images",
        progress=progress or SilentProgress(),
    )
    return found.to_numpy(dtype=np.int64)


def _sizes(files: Sequence[Path]) -> list[tuple]:
    sizes: list[tuple[int, int] | None] = []
    dicom: list[int] = []
    for place, path in enumerate(files):
        size = None
        try:
            with path.open("rb", buffering=_BUFFER) as file:
                size = stated_size(file, path.name)
                if size is None:
                    file.seek(0)
                    if is_dicom(file.read(132)):
                        dicom.append(place)
        except OSError:
            size = _UNKNOWN
        sizes.append(size)
    for place, size in zip(dicom, _of_dicom([files[place] for place in dicom]), strict=True):
        sizes[place] = size
    return [_decoded_if_possible(path) if size is None else size for path, size in zip(files, sizes, strict=True)]


def _of_dicom(files: Sequence[Path]) -> list[tuple[int, int] | None]:
    """As the headers state it; None where one states none."""
    if not files:
        return []
    headers = read_headers(Path("/"), pd.Series([str(path).lstrip("/") for path in files]), ("Rows", "Columns"))
    stated = headers[["Rows", "Columns"]].apply(pd.to_numeric, errors="coerce").fillna(0).to_numpy(dtype=np.int64)
    return [(height, width) if _is_possible(height, width) else None for height, width in stated.tolist()]


def _is_possible(height: int, width: int) -> bool:
    try:
        check_pixels(height, width)
    except DamagedError:
        return False
    return True


def _decoded(path: Path) -> tuple[int, int]:
    height, width = read_image(path).shape
    return height, width


def _decoded_if_possible(path: Path) -> tuple[int, int]:
    try:
        return _decoded(path)
    except UserError:
        return _UNKNOWN
