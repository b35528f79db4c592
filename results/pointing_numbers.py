"""Pointing-game scores of several encoders on the same cases, as rows and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ..stats import holm
from ..stats.pointing_game import mean_pointing_share, mean_pointing_test, pointing_share, pointing_test

ALL, MEAN = "all boxes", "mean of labels"


@dataclass(frozen=True)
class Cases:
    """Pairs of a test image and a label with boxes, for the numbers alone.

    Attributes:
        labels: [P] names.
        patients: [P].
        boxes: [P] how many boxes each has.
        chance: [P] share of the image that a random place would hit in.
        centre: [P] whether the centre of the image is a hit.
    """

    labels: np.ndarray
    patients: np.ndarray
    boxes: np.ndarray
    chance: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class PointingRow:
    """One encoder on one label, on all cases together, or averaged over labels.

    Attributes:
        encoder: its name.
        label: a label, `all boxes` (every case counts alike) or `mean of labels` (every label counts alike).
        boxes: true boxes.
        cases: pairs of image and label; each is a hit or not, however many boxes it has.
        patients: distinct patients.
        hits: cases whose map points into a box.
        for_label: cases in which anything speaks for the label; in the others the map points to where least speaks
            against it.
        share: of hits, 0 to 1.
        ci_low, ci_high: 95 % interval; None where there is none.
        interval: how it was made.
        chance: share of hits that random places would have.
        centre: share of hits that the centre of the image has.
        difference: share less that of the first encoder; None for the first.
        p_value: of that difference; None for the first.
        p_holm: corrected for the rows of its kind: labels, or one of the two others.
        test: which test.
        note: why p is a convention, or nothing.
    """

    encoder: str
    label: str
    boxes: int
    cases: int
    patients: int
    hits: int
    for_label: int
    share: float
    ci_low: float | None
    ci_high: float | None
    interval: str
    chance: float
    centre: float
    difference: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    test: str = ""
    note: str = ""


def pointing_rows(encoders: Sequence[str], hits: np.ndarray, for_label: np.ndarray, cases: Cases) -> list[PointingRow]:
    """For each encoder a row a label, one of all cases, and one of the mean over labels.

    Args:
        encoders: E names; the others are tested against the first.
        hits: bool [E, P], whether a map points into a box.
        for_label: bool [E, P], whether anything in it speaks for the label.
        cases: what the P cases are.
    """
    labels = sorted(set(cases.labels.tolist()))
    rows: list[PointingRow] = []
    for label in (*labels, ALL, MEAN):
        chosen = np.flatnonzero(cases.labels == label) if label in labels else np.arange(len(cases.labels))
        rows += _of_label(encoders, hits[:, chosen], for_label[:, chosen], _of(cases, chosen), label)
    adjusted = _adjusted(rows, labels)
    # As readers of the table look for them: an encoder after the other.
    return sorted(adjusted, key=lambda row: encoders.index(row.encoder))


def as_csv(rows: Sequence[PointingRow], about: dict[str, object]) -> str:
    """One line a row, with the columns of `about` (the same in all) in front; blank where there is nothing."""
    text = io.StringIO()
    names = [field.name for field in fields(PointingRow)]
    writer = csv.DictWriter(text, [*about, *names], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**about, **{name: getattr(row, name) for name in names}})
    return text.getvalue()


def _of(cases: Cases, chosen: np.ndarray) -> Cases:
    return Cases(**{field.name: getattr(cases, field.name)[chosen] for field in fields(Cases)})


def _of_label(
    encoders: Sequence[str], hits: np.ndarray, for_label: np.ndarray, cases: Cases, label: str
) -> list[PointingRow]:
    averaged = label == MEAN
    rows = []
    for number, encoder in enumerate(encoders):
        if averaged:
            score = mean_pointing_share(hits[number], cases.labels, cases.patients)
        else:
            score = pointing_share(hits[number], cases.patients)
        row = PointingRow(
            encoder,
            label,
            int(cases.boxes.sum()),
            score.cases,
            score.patients,
            score.hits,
            int(for_label[number].sum()),
            score.share,
            score.ci_low,
            score.ci_high,
            score.interval,
            _mean(cases.chance, cases, averaged),
            _mean(cases.centre, cases, averaged),
        )
        rows.append(_tested(row, hits[number], hits[0], cases, averaged) if number else row)
    return rows


def _mean(values: np.ndarray, cases: Cases, averaged: bool) -> float:
    if not averaged:
        return float(np.mean(values))
    return float(np.mean([np.mean(values[cases.labels == label]) for label in np.unique(cases.labels)]))


def _tested(row: PointingRow, hits: np.ndarray, first: np.ndarray, cases: Cases, averaged: bool) -> PointingRow:
    if averaged:
        name, result = "permutation", mean_pointing_test(hits, first, cases.labels, cases.patients)
    else:
        name, result = "McNemar", pointing_test(hits, first, cases.patients)
    p_value = float(result.p_value)
    return replace(
        row,
        difference=float(result.estimate),
        p_value=None if np.isnan(p_value) else p_value,
        test=name,
        note=result.degenerate or "",
    )


def _adjusted(rows: Sequence[PointingRow], labels: Sequence[str]) -> list[PointingRow]:
    """With Holm's p over the rows of all labels, over those of all cases, and over those of the mean."""
    adjusted = list(rows)
    for kind in (labels, (ALL,), (MEAN,)):
        family = [at for at, row in enumerate(rows) if row.label in kind and row.p_value is not None]
        if family:
            corrected = holm(np.array([rows[at].p_value for at in family], dtype=np.float64))
            for at, p_value in zip(family, corrected.tolist(), strict=True):
                adjusted[at] = replace(rows[at], p_holm=p_value)
    return adjusted
