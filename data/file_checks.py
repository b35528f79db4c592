"""Tries to decode many image files in several processes, and outlives a file that brings its decoder down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ..foundation.errors import UserError
from ..foundation.progress import Progress, SilentProgress
from .image_reading import read_image
from .parallel import cores, in_order

# Fewer are decoded without workers: starting one takes as long as decoding some fifty images.
_WORTH_A_WORKER = 100


class FileCheck(NamedTuple):
    """What became of one file: why it cannot be decoded (empty where it can), and its size in pixels (else 0)."""

    reason: str
    height: int
    width: int


def check_files(
    paths: Sequence[Path], title: str, progress: Progress | None = None, workers: int | None = None
) -> Iterator[FileCheck]:
    """Decode each file and forget its pixels; results in the order of `paths`.

    Args:
        paths: files of images.
        title: what the work is called in `progress`.
        workers: processes; None takes one a core. They change the speed and nothing else.

    Raises UserError where no process can be started.
    """
    progress = progress or SilentProgress()
    workers = min(workers or cores(), len(paths) // _WORTH_A_WORKER)
    with progress.step(title, len(paths)) as step:
        if workers > 1:
            checks = in_order(check_file, paths, workers, processes=True, instead=_brings_down)
        else:
            checks = (check_file(path) for path in paths)
        with closing(checks):
            for check in checks:
                step.advance()
                yield check


def check_file(path: Path) -> FileCheck:
    """Decode one file and forget its pixels."""
    try:
        height, width = read_image(path).shape
    except UserError as error:
        return FileCheck(str(error), 0, 0)
    except MemoryError:
        return FileCheck(f"{path}: too large for this machine's memory", 0, 0)
    return FileCheck("", height, width)


def _brings_down(path: Path) -> FileCheck:
    return FileCheck(f"{path}: brings its decoder down", 0, 0)
