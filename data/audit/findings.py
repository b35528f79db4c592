"""What an audit found: groups of images that belong together, and which of them are leaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd

from .sides import TRAIN, Side


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
        groups: one row a group, in the same numbers: `images`, `leak` (over two splits; or over both sides, and not
            with train images of A only), `patients` (of different patients, where it is about images), `labels` (of
            different labels).
    """

    kind: Kind
    members: pd.DataFrame
    groups: pd.DataFrame

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def leaks(self) -> int:
        """Groups that are leaks."""
        return int(self.groups["leak"].sum())

    def shared(self, side: int) -> dict[str, int]:
        """Images of `side` (0 or 1) in a group that is a leak: number in each split, "" where there are no splits."""
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
        notes: what a reader must know.
        not_compared: why a kind was not looked for; kinds that were are not in it.
    """

    a: Side
    b: Side | None
    findings: tuple[Finding, ...]
    looked_at: int = 0
    unread: int = 0
    unreadable: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    not_compared: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def leak(self) -> bool:
        """Whether anything lies on two sides that must not: the answer of the command.

        Of a dataset with splits, train images that B has too are none: that is what self-supervised learning does.
        """
        return any(each.leaks for each in self.findings)

    @property
    def train_only(self) -> bool:
        """Whether B shares train images of A, or patients who are in train only, and nothing else."""
        return self.b is not None and not self.leak and any(len(each) for each in self.findings)

    def __getitem__(self, kind: Kind) -> Finding:
        return next(each for each in self.findings if each.kind is kind)

    def images_shared(self) -> Mapping[str, int]:
        """Images of `a` (not of its patients only) that `b` has, or that are part of a leak, in each split."""
        rows = []
        for kind in (Kind.image_id, Kind.pixels, Kind.near):
            members, leak = self[kind].members, self[kind].groups["leak"]
            counted = members["side"] == 0
            rows.append(members["row"][counted if self.b is not None else counted & members["group"].map(leak)])
        counts = self.a.images["split"].iloc[np.unique(np.concatenate(rows))].value_counts()
        return {str(split): int(count) for split, count in counts.items()}


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
            "leak": different["split"] if b is None else different["side"] & _held_out(table, a),
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


def _held_out(table: pd.DataFrame, a: Side) -> pd.Series:
    """Whether a group has an image of `a` that is not for training, or of a patient who has one; bool by group."""
    images = a.images
    if not a.has_splits:
        return pd.Series(np.ones(table["group"].nunique(), bool), index=table["group"].unique())
    tested = images[images["split"] != TRAIN]
    held_out = table["split"] != TRAIN
    for column in ("patient_id", "nih_patient"):
        held_out |= (table[column] != "") & table[column].isin(tested[column])
    return (held_out & (table["side"] == 0)).groupby(table["group"]).any()
