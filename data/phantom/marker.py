"""The file that says that a dataset folder was made up by this generator."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...foundation.files import new_file

MARKER = "PHANTOM.json"
# Readers accept a folder inside the dataset's own as well, and images lie deeper still.
LEVELS = 6
_WORDS = "Synthetic radiographs drawn by cxrbench. No image shows a real person; no result on them is about patients."


@dataclass(frozen=True)
class PhantomMark:
    """What a phantom was made from; the same mark means the same files."""

    dataset: str
    n: int
    size: int
    seed: int
    version: int


def is_phantom(root: Path) -> bool:
    """True where the dataset in the folder `root`, or in a folder around it, is synthetic."""
    root = Path(root).resolve()
    return any((folder / MARKER).is_file() for folder in (root, *root.parents[:LEVELS]))


def seed_of(root: Path) -> int | None:
    """The seed of the phantom in the folder `root`; None where it is none, or does not say."""
    try:
        return int(json.loads((Path(root) / MARKER).read_bytes())["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_marker(root: Path, mark: PhantomMark) -> None:
    """Mark the folder `root` as synthetic; written last, so that a marked folder is a whole one."""
    with new_file(Path(root) / MARKER) as path:
        path.write_text(json.dumps({"synthetic": True, "words": _WORDS, **asdict(mark)}, indent=2) + "\n")
