"""The linear probe: one trial's features in, chosen strengths and probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, field_validator
from scipy.special import expit, softmax

from ..foundation.settings import Settings
from .folds import patient_folds
from .logistic import STRENGTHS, LogisticFit, Standardiser, fit_binary, fit_multinomial
from .strength_choice import mean_binary_loss, mean_softmax_loss, strongest_of_best

BY_VALIDATION = "validation"
BY_FOLDS = "cross-validation"
STRONGEST = "strongest"
NOT_FITTED = "not fitted"


class ProbeSettings(Settings):
    """How a linear probe is fitted and its strength chosen.

    Attributes:
        strengths: penalties to choose from, in the scale of `logistic`.
        balanced: weigh the classes of a label alike, in fitting and in choosing.
        min_positives: samples of every class that the validation part needs to choose.
        folds: cross-validation folds where it does not.
        tolerance: when a fit is done (see `logistic.fit_binary`); at 1e-4 probabilities are right to about
            1e-3 at the weakest strengths and far better elsewhere, at a quarter of the time that 1e-6 takes.
    """

    strengths: tuple[float, ...] = Field(default=STRENGTHS, min_length=1)
    balanced: bool = True
    min_positives: int = Field(default=10, ge=1)
    folds: int = Field(default=5, ge=2)
    tolerance: float = Field(default=1e-4, gt=0, le=0.1)

    @field_validator("strengths")
    @classmethod
    def _ascending(cls, strengths: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < strength < float("inf") for strength in strengths):
            raise ValueError("strengths must be finite and above 0")
        return tuple(sorted(set(strengths)))


@dataclass(frozen=True)
class ProbeData:
    """One trial's samples.

    Attributes:
        train: features [n, D].
        train_truth: [n, L] of 0, 1 and NaN (not known), or whole numbers [n]: places in `names`.
        train_patients: patient of every training row [n].
        validation: features [Nv, D]; Nv may be 0.
        validation_truth: [Nv, L] or [Nv], as `train_truth`.
        test: features [Nt, D].
        names: the L labels or classes.
    """

    train: np.ndarray
    train_truth: np.ndarray
    train_patients: Sequence[str]
    validation: np.ndarray
    validation_truth: np.ndarray
    test: np.ndarray
    names: Sequence[str]

    def standardised(self) -> ProbeData:
        """The same with features standardised on the training rows. Raises ValueError for lengths that differ."""
        if not len(self.train) == len(self.train_truth) == len(self.train_patients):
            raise ValueError("training features, truth and patients must have the same number of rows")
        if len(self.validation) != len(self.validation_truth):
            raise ValueError("validation features and truth must have the same number of rows")
        scaled = Standardiser.of(self.train)
        return replace(self, train=scaled(self.train), validation=scaled(self.validation), test=scaled(self.test))


@dataclass(frozen=True)
class ProbeResult:
    """What a probe says.

    Attributes:
        strengths: chosen strength of every label [L], or the one of all classes [1]; NaN where not fitted.
        chosen_by: for each of them "validation", "cross-validation", "strongest" (nothing to choose by)
            or "not fitted".
        test: probabilities [Nt, L]; NaN for a label that was not fitted.
        validation: probabilities [Nv, L].
        notes: what a reader of the scores must know, one line each.
    """

    strengths: np.ndarray
    chosen_by: tuple[str, ...]
    test: np.ndarray
    validation: np.ndarray
    notes: tuple[str, ...]


class LinearProbe:
    """L2-penalised logistic regression on frozen features, its strength chosen without the test set.

    Features are standardised on the trial's own training rows. A strength is chosen by the log-loss on the
    validation part; where that holds fewer than `min_positives` samples of a class, by cross-validation by
    patient inside the training part (whose folds share its standardisation). Among equal losses the
    strongest wins. Nothing is random, and nothing depends on other trials.
    """

    def __init__(self, settings: ProbeSettings | None = None):
        self.settings = settings or ProbeSettings()

    def labels(self, data: ProbeData) -> ProbeResult:
        """Labels that do not exclude each other, each with a strength of its own.

        A label with one class only in the training part is not fitted: NaN scores and a note.
        Raises ValueError for NaN features, truth other than 0, 1 and NaN, or lengths that differ.
        """
        data = data.standardised()
        truth, held_truth = _as_targets(data.train_truth, data.names), _as_targets(data.validation_truth, data.names)
        strengths = np.full(len(data.names), np.nan)
        chosen_by = [NOT_FITTED] * len(data.names)
        test = np.full((len(data.test), len(data.names)), np.nan)
        validation = np.full((len(data.validation), len(data.names)), np.nan)
        notes = []
        fittable = [label for label in range(len(data.names)) if np.isin((0, 1), truth[:, label]).all()]
        folds = {
            label: patient_folds(data.train_patients, truth[:, label] == 1, self.settings.folds)
            for label in fittable
            if self._too_few(held_truth[:, label], np.array([0, 1]))
        }
        fits, held_out = self._fit_labels(data.train, truth, fittable, folds)
        for label, name in enumerate(data.names):
            if label not in fits:
                notes.append(f"{name}: not fitted, the training part has one class only")
                continue
            fit = fits[label]
            if label in folds:
                loss = mean_binary_loss(held_out[label], truth[:, label], self.settings.balanced)
            else:
                loss = mean_binary_loss(fit.logits(data.validation), held_truth[:, label], self.settings.balanced)
            best, chosen_by[label], words = self._choose(loss, fit, label in folds)
            strengths[label] = self.settings.strengths[best]
            notes += [f"{name}: {line}" for line in words]
            validation[:, label] = expit(fit.logits(data.validation)[best])
            test[:, label] = expit(fit.logits(data.test)[best])
        return ProbeResult(strengths, tuple(chosen_by), test, validation, tuple(notes))

    def classes(self, data: ProbeData) -> ProbeResult:
        """Classes that exclude each other, with one strength for all.

        A class without a training row gets probability 0 and a note; with fewer than two classes all
        scores are NaN. Raises ValueError for NaN features, classes out of range or lengths that differ.
        """
        data = data.standardised()
        truth, held_truth = _as_classes(data.train_truth, data.names), _as_classes(data.validation_truth, data.names)
        present = np.unique(truth)
        if present.size < 2:
            test, validation = (np.full((len(rows), len(data.names)), np.nan) for rows in (data.test, data.validation))
            note = "not fitted, the training part has one class only"
            return ProbeResult(np.array([np.nan]), (NOT_FITTED,), test, validation, (note,))
        absent = [name for place, name in enumerate(data.names) if place not in present]
        notes = [f"{name}: probability 0, the training part has no such sample" for name in absent]
        folded = self._too_few(held_truth, present)
        fold = patient_folds(data.train_patients, _rarity(truth), self.settings.folds) if folded else None
        fit, held_out = self._fit_classes(data.train, truth, len(data.names), fold)
        if folded:
            loss = mean_softmax_loss(held_out, truth, self.settings.balanced)
        else:
            loss = mean_softmax_loss(fit.logits(data.validation), held_truth, self.settings.balanced)
        best, chosen_by, words = self._choose(loss, fit, folded)
        return ProbeResult(
            strengths=np.array([self.settings.strengths[best]]),
            chosen_by=(chosen_by,),
            test=softmax(fit.logits(data.test)[best], axis=0).T,
            validation=softmax(fit.logits(data.validation)[best], axis=0).T,
            notes=(*notes, *words),
        )

    def _too_few(self, truth: np.ndarray, classes: np.ndarray) -> bool:
        return bool(((truth[:, None] == classes).sum(axis=0) < self.settings.min_positives).any())

    def _fit_labels(
        self, features: np.ndarray, truth: np.ndarray, fittable: list[int], folds: dict[int, np.ndarray]
    ) -> tuple[dict[int, LogisticFit], dict[int, np.ndarray]]:
        """The fit of every fittable label, and held-out logits [S, n] of those with folds.

        Folds are more columns of the same fit: their held-out rows are simply not known.
        """
        if not fittable:
            return {}, {}
        columns = [truth[:, label] for label in fittable]
        places = []
        for label, fold in folds.items():
            for held in range(self.settings.folds):
                column = np.where(fold == held, np.nan, truth[:, label])
                if np.isin((0, 1), column).all():
                    places.append((label, fold == held, len(columns)))
                    columns.append(column)
        options = {"balanced": self.settings.balanced, "tolerance": self.settings.tolerance}
        fit = fit_binary(features, np.stack(columns, axis=1), self.settings.strengths, **options)
        fits = {label: _only(fit, place) for place, label in enumerate(fittable)}
        held_out = {label: np.full((len(self.settings.strengths), len(features)), np.nan) for label in folds}
        for label, rows, place in places:
            held_out[label][:, rows] = _only(fit, place).logits(features[rows])
        return fits, held_out

    def _fit_classes(
        self, features: np.ndarray, truth: np.ndarray, n_classes: int, fold: np.ndarray | None
    ) -> tuple[LogisticFit, np.ndarray]:
        """The fit, and held-out logits [S, C, n] (NaN without folds)."""
        columns, places = [truth], []
        for held in range(self.settings.folds if fold is not None else 0):
            column = np.where(fold == held, -1, truth)
            if np.unique(column[column >= 0]).size >= 2:
                places.append((fold == held, len(columns)))
                columns.append(column)
        options = {"balanced": self.settings.balanced, "tolerance": self.settings.tolerance}
        fit = fit_multinomial(features, np.stack(columns, axis=1), n_classes, self.settings.strengths, **options)
        held_out = np.full((len(self.settings.strengths), n_classes, len(features)), np.nan)
        for rows, place in places:
            held_out[:, :, rows] = _only(fit, place).logits(features[rows])
        return _only(fit, 0), held_out

    def _choose(self, loss: np.ndarray | None, fit: LogisticFit, folded: bool) -> tuple[int, str, list[str]]:
        """Place of the chosen strength, how it was chosen, and what is to be said about it."""
        notes = []
        if loss is None:
            best, chosen_by = len(self.settings.strengths) - 1, STRONGEST
            notes.append("too few patients to choose a penalty by, so the strongest was taken")
        else:
            best, chosen_by = strongest_of_best(loss, self.settings.strengths), BY_FOLDS if folded else BY_VALIDATION
        if not fit.converged[best]:
            notes.append(f"not converged ({fit.left[best]:.1e} left after {fit.iterations[best]} iterations)")
        return best, chosen_by, notes


def _only(fit: LogisticFit, place: int) -> LogisticFit:
    """One column of a fit: its second axis taken at `place`."""
    return LogisticFit(
        fit.weights[:, place],
        fit.intercepts[:, place],
        fit.converged[:, place],
        fit.left[:, place],
        fit.iterations[:, place],
    )


def _rarity(classes: np.ndarray) -> np.ndarray:
    """How rare the class of every row is [n]: 0 for the commonest."""
    present, place, count = np.unique(classes, return_inverse=True, return_counts=True)
    rank = np.empty(len(present), dtype=np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(len(present))
    return rank[place]


def _as_targets(truth: np.ndarray, names: Sequence[str]) -> np.ndarray:
    truth = np.asarray(truth, dtype=np.float64)
    if truth.ndim != 2 or truth.shape[1] != len(names):
        raise ValueError(f"truth must be [samples, {len(names)}], not {list(truth.shape)}")
    wrong = ~np.isin(truth, (0.0, 1.0)) & ~np.isnan(truth)
    if wrong.any():
        raise ValueError(f"truth of {names[int(np.argwhere(wrong)[0, 1])]} must be 0, 1 or NaN")
    return truth


def _as_classes(truth: np.ndarray, names: Sequence[str]) -> np.ndarray:
    truth = np.asarray(truth)
    if truth.ndim != 1 or (truth.size and not np.issubdtype(truth.dtype, np.integer)):
        raise ValueError(f"classes must be whole numbers [samples], not {truth.dtype} {list(truth.shape)}")
    if truth.size and (truth.min() < 0 or truth.max() >= len(names)):
        raise ValueError(f"classes must lie between 0 and {len(names) - 1}")
    return truth.astype(np.int64)
