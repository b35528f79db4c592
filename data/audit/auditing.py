"""The audit: every way in which two sides, or the splits of one, may share images or patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.progress import Progress, SilentProgress
from .content import Content, same_content
from .findings import Audit, Kind, finding
from .identity import same_image_ids, same_patients
from .sides import Side, side_of, side_of_list

if TYPE_CHECKING:
    from ..radiographs import Radiographs


def audit(a: Side, b: Side | None, cache: Path, progress: Progress | None = None) -> Audit:
    """Look for images and patients that `a` shares with `b`, or has on two of its own splits.

    Ids and patients are compared always, pixels and near-duplicates where both sides have files.

    Args:
        a: a side.
        b: another; None to look at `a` by itself.
        cache: folder for hashes and thumbnails, which can be made again.

    Raises UserError where the cache cannot be written.
    """
    progress = progress or SilentProgress()
    content = same_content(a, b, cache, progress)
    findings = (
        finding(Kind.image_id, same_image_ids(a, b), a, b),
        finding(Kind.pixels, content.exact, a, b),
        finding(Kind.near, content.near, a, b, content.similarity),
        finding(Kind.patient, same_patients(a, b), a, b),
    )
    return Audit(a, b, findings, content.looked_at, content.unread, content.unreadable, _notes(a, b, content))


@dataclass(frozen=True)
class SharedIds:
    """How many images of a dataset a list of pretraining images names.

    Attributes:
        images: number in each split, by their ids.
        patients: images in each split whose patients have images in the list, those of `images` included.
        listed: images that the list names.
    """

    images: dict[str, int]
    patients: dict[str, int]
    listed: int

    @property
    def any(self) -> bool:
        """Whether the list names an image or a patient of the dataset."""
        return bool(self.images or self.patients)


def shared_ids(radiographs: Radiographs, listed: Path) -> SharedIds:
    """What a list of pretraining images (or a folder of them) has of `radiographs`, by names alone.

    Quick enough for every plan: a million names against a million take seconds, and no image is opened. RSNA and
    SIIM-ACR images are found in lists of NIH images where their mapping file lies in the dataset's folder.

    Raises UserError where the list cannot be read, or names no image.
    """
    a, b = side_of(radiographs, with_labels=False), side_of_list(listed)
    splits = radiographs.samples["split"].to_numpy(dtype=object)

    def counts(groups: np.ndarray) -> dict[str, int]:
        names, numbers = np.unique(splits[groups[: len(a)] >= 0], return_counts=True)
        return {str(name): int(number) for name, number in zip(names, numbers, strict=True)}

    return SharedIds(counts(same_image_ids(a, b)), counts(same_patients(a, b)), len(b))


def _notes(a: Side, b: Side | None, content: Content) -> tuple[str, ...]:
    notes = []
    without = [side.title for side in (a, b) if side is not None and not side.has_files]
    if without:
        notes.append(f"{' and '.join(without)} only names images: pixels are not compared")
    if content.unread:
        notes.append(f"{content.unread} files cannot be read and are compared by name only")
    if not any((side.images["patient_id"] != "").any() for side in (a, b) if side is not None):
        notes.append("no patients are known: patients are not compared")
    if b is None and not (a.images["split"] != "").any():
        notes.append(f"{a.title} has no splits: duplicates are listed, none of them is a leak")
    return tuple(notes)
