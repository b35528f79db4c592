"""Where images really lie, and the folders around them in which a dataset that they belong to may begin."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# CheXpert's studies lie three folders below what its reader can be given, and no dataset's images lie deeper.
_ABOVE = 3
# A folder of more folders holds patients or studies, not datasets.
_WIDEST = 100
_MOST = 300


def real_paths(root: Path, paths: pd.Series) -> pd.Series:
    """Absolute paths, links followed, of `paths` relative to `root`: text [N]. A file need not be there."""
    import pandas as pd

    parts = paths.astype(str).str.rpartition("/")
    codes, folders = pd.factorize(parts[0])
    real = [os.path.realpath(root / str(folder)) for folder in folders]
    found = pd.Series(real, dtype="str").iloc[codes].set_axis(paths.index) + "/" + parts[2]
    links = {link for folder in dict.fromkeys(real) for link in _links_in(folder)}
    linked = found.isin(list(links))
    return found.mask(linked, found[linked].map(os.path.realpath)) if linked.any() else found


def folders_around(folders: Iterable[str]) -> list[Path]:
    """The folder that all of `folders` (absolute paths) lie in, some above it, and those between it and them.

    The outer ones come first among those below. Folders of more than 100 are not gone into, and 300 are given at most.
    """
    children: dict[str, set[str]] = {}
    known = set(folders)
    if not known:
        return []
    common = os.path.commonpath(known)
    for folder in known:
        while folder != common and folder not in children.get(parent := folder.rpartition("/")[0] or "/", ()):
            children.setdefault(parent, set()).add(folder)
            folder = parent
    above = [each for each in Path(common).parents[:_ABOVE] if each != each.parent]
    found, level = [Path(common), *above], [common]
    while level and len(found) < _MOST:
        level = [
            each for folder in level if len(below := children.get(folder, ())) <= _WIDEST for each in sorted(below)
        ]
        found += map(Path, level)
    return [each for each in found if each != each.parent][:_MOST]


def _links_in(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.path for entry in entries if entry.is_symlink())
    except OSError:
        # What cannot be listed is found out where it is read.
        return
