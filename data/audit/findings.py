"""What an audit found: groups of images that belong together, and which of them are leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from .sides import Side


class Kind(StrEnum):
    """By what images were found to belong together."""

    image_id = "same image"
    pixels = "bit-equal pixels"
    near = "near-duplicates"
    patient = "same patient"


@dataclass(frozen=True)
class Finding:
    """All groups of one kind.

    Attributes:
        kind: by what they belong together.
        members: one row an image of a group, sorted by group: `group` (numbers from 0), `side` (0 or 1), `name`,
            `split`, `patient_id`, `label` and `similarity` (near-duplicates; else NaN).
        groups: one row a group, in the same numbers: `images`, `leak` (over two splits, or over both sides), `patients`
            (of different patients, where it is about images), `labels` (of different labels).
    """

    kind: Kind
    members: pd.DataFrame
    groups: pd.DataFrame

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def leaks(self) -> int:
        """Groups that lie on two sides."""
        return int(self.groups["leak"].sum())

    def shared(self, side: int) -> dict[str, int]:
        """Images of `side` (0 or 1) that are part of a leak: number in each split, "" where there are no splits."""
        table = self.members
        counts = table["split"][(table["side"] == side) & table["group"].map(self.groups["leak"])].value_counts()
        return {str(split): int(count) for split, count in counts.items()}


@dataclass(frozen=True)
class Audit:
    """What two sides share, or one has in itself.

    Attributes:
        a: the first side.
        b: the second; None where `a` was looked at by itself.
        findings: by image id, pixels, near-duplicates and patients, in this order.
        looked_at: images whose files were compared; 0 where a side is names only.
        unread: files that could not be read.
        unreadable: why, up to 20 of them.
        notes: what was not compared, and why.
    """

    a: Side
    b: Side | None
    findings: tuple[Finding, ...]
    looked_at: int = 0
    unread: int = 0
    unreadable: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def leak(self) -> bool:
        """Whether anything lies on two sides: the answer of the command."""
        return any(each.leaks for each in self.findings)

    def __getitem__(self, kind: Kind) -> Finding:
        return next(each for each in self.findings if each.kind is kind)

    def images_shared(self) -> Mapping[str, int]:
        """Images of `a` that are part of a leak of images (not of patients only), in each split."""
        rows = self._leaking([Kind.image_id, Kind.pixels, Kind.near])
        counts = self.a.images["split"].iloc[rows].value_counts()
        return {str(split): int(count) for split, count in counts.items()}

    def _leaking(self, kinds: list[Kind]) -> np.ndarray:
        found = [self[kind] for kind in kinds]
        rows = [
            each.members["row"][(each.members["side"] == 0) & each.members["group"].map(each.groups["leak"])]
            for each in found
        ]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def finding(kind: Kind, groups: np.ndarray, a: Side, b: Side | None, similarity: np.ndarray | None = None) -> Finding:
    """The groups of images as a finding.

    Args:
        kind: by what they belong together.
        groups: group number of each image of `a` and then of `b`, -1 for none. int64 [N]
        similarity: of each image, float64 [N], for near-duplicates.
    """
    rows = np.flatnonzero(groups >= 0)
    sides = (rows >= len(a)).astype(np.int64)
    images = [a.images.iloc[rows[sides == 0]]] + ([] if b is None else [b.images.iloc[rows[sides == 1] - len(a)]])
    table = pd.concat(images, ignore_index=True)[["name", "split", "patient_id", "nih_patient", "label"]]
    table["side"] = sides
    table["row"] = np.where(sides == 0, rows, rows - len(a))
    table["similarity"] = np.nan if similarity is None else similarity[rows]
    # Groups are numbered by their first image, so that a report is in the order of the dataset.
    table["group"] = pd.factorize(groups[rows])[0]
    table = table.sort_values("group", kind="stable", ignore_index=True)
    by_group = table.replace({column: "" for column in ("patient_id", "nih_patient", "split", "label")}, np.nan)
    different = by_group.groupby("group")[["patient_id", "nih_patient", "split", "label", "side"]].nunique() > 1
    summary = pd.DataFrame(
        {
            "images": table.groupby("group").size(),
            "leak": different["split"] if b is None else different["side"],
            "patients": different["patient_id"] & (kind is not Kind.patient) & (b is None),
            "labels": different["label"] & (kind is not Kind.patient) & (b is None),
        }
    )
    if kind is Kind.patient and b is None:
        # A patient with several images is no news; on two sides he is.
        kept = summary.index[summary["leak"]]
        table = table[table["group"].isin(kept)].reset_index(drop=True)
        table["group"] = pd.factorize(table["group"])[0]
        summary = summary.loc[kept].reset_index(drop=True)
    columns = ["group", "side", "row", "name", "split", "patient_id", "label", "similarity"]
    return Finding(kind, table[columns], summary)
