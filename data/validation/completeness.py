"""Is a copy whole: its counts against those of its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..counts import count
from ..problems import Problem
from ..radiographs import Radiographs
from .report import CountLine, State

# Shown also where the card knows no number.
_ALWAYS = ("images", "patients", "boxes", "boxed images", "masked images")
# Stated by files of their own, which many copies are without; a reader notes it.
_FROM_FURTHER_FILES = ("patients", "boxes", "boxed images", "masked images")


def count_lines(
    radiographs: Radiographs, parts: pd.Series, on_disk: np.ndarray, known: Mapping[str, int]
) -> tuple[CountLine, ...]:
    """The counts that the card knows, and how many images, patients, boxes and masks there are in each part.

    Where the whole is one part, because the test images are our choice, those of each split follow, not compared.

    Args:
        radiographs: all that the tables list.
        parts: text [N], for which part each sample counts.
        on_disk: bool [N].
        known: counts of the card.
    """
    listed, found = _listed_and_found(radiographs, parts, on_disk)
    if (parts == "all").all():
        by_split = _listed_and_found(radiographs, radiographs.samples["split"], on_disk)
        listed, found = {**by_split[0], **listed}, {**by_split[1], **found}
    names = [name for name in listed if name in known or (listed[name] and name.partition("/")[2] in _ALWAYS)]
    names += [name for name in known if name not in listed]
    return tuple(CountLine(name, known.get(name), listed.get(name, 0), found.get(name, 0)) for name in names)


def state_of(lines: Sequence[CountLine], anything_missing: bool) -> State:
    """How much is there. Images decide; where the card does not count them (each has one label), labels do."""
    compared = _image_lines(lines)
    if any(line.found > _known(line) or line.listed > _known(line) for line in compared):
        return State.MORE
    if anything_missing or any(line.found < _known(line) for line in compared):
        return State.PARTIAL
    return State.COMPLETE if compared else State.NOT_COMPARED


def wrong_counts(lines: Sequence[CountLine], folder: Path) -> list[Problem]:
    """Counts that no part of a full copy can have, and those that differ though all images are listed.

    A copy without any boxes, masks or patients lacks the file that states them and is not wrong.
    """
    images = _image_lines(lines)
    whole = all(line.listed == line.known for line in images)
    problems = []
    for line in lines:
        if line.known is None or line.listed == line.known or (line.listed < line.known and not whole):
            continue
        if line.listed == 0 and line.name.partition("/")[2] in _FROM_FURTHER_FILES:
            continue
        what = f"{line.name}: {line.listed}, a full copy has {line.known}"
        if line in images:
            problems.append(Problem("more than a full copy", str(folder), f"{what}; is a second copy inside?"))
        else:
            problems.append(Problem("counts differ from the card", str(folder), f"{what}; is it another release?"))
    return problems


def _listed_and_found(
    radiographs: Radiographs, parts: pd.Series, on_disk: np.ndarray
) -> tuple[dict[str, int], dict[str, int]]:
    parts = parts.fillna("no split")
    listed = count(radiographs, parts)
    if on_disk.all():
        return listed, listed
    return listed, count(radiographs.where(on_disk), parts[on_disk].reset_index(drop=True))


def _image_lines(lines: Sequence[CountLine]) -> list[CountLine]:
    compared = [line for line in lines if line.known is not None]
    return [line for line in compared if line.name.endswith("/images")] or compared


def _known(line: CountLine) -> int:
    return 0 if line.known is None else line.known
