"""The images below a folder, whatever lies between."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ..foundation.errors import UserError

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"),
    *(".dcm", ".dicom", ".mha", ".mhd", ".img"),
)


def images_below(root: Path, suffixes: Collection[str] = IMAGE_SUFFIXES, without: Collection[str] = ()) -> list[str]:
    """Paths, relative to `root` and with forward slashes, of the files below it that end in one of `suffixes`, sorted.

    Hidden files and folders and macOS's `__MACOSX` are left out. Links to folders are followed, but no folder is
    entered twice: a loop ends, and what a link shows again is listed where it really lies.

    Args:
        root: the folder.
        suffixes: in small letters; files in any case are found.
        without: names of folders, in small letters, that are left out too.

    Raises:
        UserError: a folder that cannot be read.
    """
    endings, skipped = tuple(suffixes), {"__macosx", *without}
    found: list[str] = []
    entered: set[tuple[int, int]] = set()
    folders, links = [""], []
    while folders or links:
        # Links last, so that a folder that is reached both ways is listed where it really lies.
        below = folders.pop() if folders else links.pop()
        place = f"{root}/{below}"
        try:
            about = os.stat(place)  # noqa: PTH116
            if (about.st_dev, about.st_ino) in entered:
                continue
            entered.add((about.st_dev, about.st_ino))
            with os.scandir(place) as entries:
                for entry in entries:
                    name = entry.name.lower()
                    if name.startswith("."):
                        continue
                    if name.endswith(endings) and not _is_folder(entry):
                        found.append(below + entry.name)
                    elif name not in skipped and _is_folder(entry):
                        (links if entry.is_symlink() else folders).append(f"{below}{entry.name}/")
        except OSError as error:
            raise UserError(f"{place.rstrip('/')}: cannot be read: {error.strerror}") from error
    return sorted(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
