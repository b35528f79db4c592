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
    return Audit(
        a,
        b,
        findings,
        looked_at=content.looked_at,
        unread=content.unread,
        unreadable=content.unreadable,
        notes=_notes(a, b, content),
        not_compared=_not_compared(a, b, content),
    )


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


def _not_compared(a: Side, b: Side | None, content: Content) -> dict[Kind, str]:
    """Why a kind was not looked for."""
    sides = [a] if b is None else [a, b]
    reasons = {}
    files = _no_files(sides, content)
    if files:
        reasons |= {Kind.pixels: files, Kind.near: files}
    patients = _no_patients(sides)
    if patients:
        reasons[Kind.patient] = patients
    return reasons


def _no_files(sides: list[Side], content: Content) -> str:
    without = [side for side in sides if not side.has_files]
    if without:
        lists = [side.short_title for side in without if not side.dataset]
        datasets = [side.short_title for side in without if side.dataset]
        words = [f"{' and '.join(lists)} only {_verb(lists, 'names', 'name')} images"] if lists else []
        words += [f"no image of {' and '.join(datasets)} is on disk"] if datasets else []
        return "; ".join(words)
    return "" if content.looked_at else "no file can be read"


def _no_patients(sides: list[Side]) -> str:
    known = [{name: bool((side.images[name] != "").any()) for name in ("patient_id", "nih_patient")} for side in sides]
    without = [side.short_title for side, each in zip(sides, known, strict=True) if not any(each.values())]
    if without:
        return f"no patients are known in {' and '.join(without)}"
    if len(sides) == 1:
        return "" if sides[0].has_splits else f"{sides[0].short_title} has no splits"
    if all(each["nih_patient"] for each in known):
        return ""
    names = [side.dataset for side in sides]
    if all(names) and names[0] != names[1]:
        return f"{' and '.join(names)} number their patients differently"
    return "" if all(each["patient_id"] for each in known) else "patients are numbered differently"


def _notes(a: Side, b: Side | None, content: Content) -> tuple[str, ...]:
    sides = [a] if b is None else [a, b]
    notes = [_missing(side) for side in sides if side.has_files and (side.images["path"] == "").any()]
    if content.unread:
        files = "1 file" if content.unread == 1 else f"{content.unread} files"
        notes.append(f"{files} cannot be read and {_be(content.unread)} compared by name only")
    if b is not None and a.synthetic and b.synthetic:
        notes.append(
            "both are phantoms: phantoms of equal seed share anatomy, so near-duplicates between phantoms are no leak"
            " of real images"
        )
    if b is None and not a.has_splits:
        notes.append(f"{a.short_title} has no splits: duplicates are listed, none of them is a leak")
    notes += [note for side in sides if not side.dataset for note in side.notes]
    return tuple(dict.fromkeys(notes))


def _missing(side: Side) -> str:
    count = int((side.images["path"] == "").sum())
    images = "1 listed image" if count == 1 else f"{count} listed images"
    return f"{side.short_title}: {images} {_be(count)} not on disk and compared by name only"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def _verb(subjects: list[str], one: str, several: str) -> str:
    return one if len(subjects) == 1 else several
