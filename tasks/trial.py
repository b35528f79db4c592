"""One trial, what it gives back, and what a comparison of two of them says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..stats.result import TestResult
    from .predictions import Predictions

PROTOCOLS = ("frozen", "finetune")
# The architecture in a record of a trial without an encoder, see `reference`.
NO_ENCODER = "none"

# Over replicates: paired t, pool t. Over test samples: the others, and a paired t of values that each image has.
TestName = Literal["paired t", "pool t", "DeLong", "McNemar", "Stuart-Maxwell", "Wilcoxon", "permutation"]


@dataclass(frozen=True, order=True)
class Trial:
    """One cell of the grid.

    Attributes:
        encoder: the encoder's name as it is shown.
        task: registered task name.
        variant: version of the task; `default` where it has one only.
        protocol: frozen (encoder fixed) or finetune (all weights).
        fraction: per cent of the training patients, above 0 to 100.
        replicate: number of the random draw, from 0.
    """

    encoder: str
    task: str
    variant: str
    protocol: str
    fraction: float
    replicate: int

    def __str__(self) -> str:
        variant = "" if self.variant == "default" else f" {self.variant}"
        return f"{self.encoder} on {self.task}{variant} {self.protocol} {self.fraction:g} % #{self.replicate}"


@dataclass(frozen=True)
class TrialResult:
    """What a task gives back for one trial.

    Attributes:
        trial: which one.
        predictions: one row a test sample.
        history: one row an epoch (finetune), or one row a chosen strength (frozen).
        split: counts and hash of the split, and labels that the draw lacks.
        resolved: settings that were decided while running (device, chosen epoch, strengths).
        notes: sentences a reader of the numbers must know.
        seconds: how long this trial took, features and images not counted.
    """

    trial: Trial
    predictions: Predictions
    history: pd.DataFrame
    split: dict[str, object]
    resolved: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class PairedTest:
    """One test of encoder a against encoder b, ready to be shown.

    Attributes:
        name: which test.
        subject: what is tested, in words: `auc`, `correct decisions`, `marginal homogeneity`.
        unit: what it counts: replicates, images, patients.
        n: how many of them.
        decides: whether a small p says that one encoder is better; marginal homogeneity does not.
        p_adjusted: after Holm, over the tests that were asked together; None where there was one.
        log10_p: logarithm of p, for p that are too small for a float.
        degenerate: why p is a convention, or None; such a p gets no star.
    """

    name: TestName
    subject: str
    unit: str
    n: int
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    statistic: float | None
    df: float | None
    p_value: float | None
    log10_p: float | None
    decides: bool
    degenerate: str | None = None
    p_adjusted: float | None = None

    @classmethod
    def of(cls, result: TestResult, name: TestName, subject: str, unit: str, decides: bool = True) -> PairedTest:
        """A result of `cxrbench.stats` under its name; what it did not compute is None."""
        numbers = ("estimate", "ci_low", "ci_high", "statistic", "df", "p_value", "log10_p")
        return cls(
            name=name,
            subject=subject,
            unit=unit,
            n=int(result.n),
            decides=decides,
            degenerate=result.degenerate,
            **{each: _number(getattr(result, each)) for each in numbers},
        )


@dataclass(frozen=True)
class Comparison:
    """Encoder a against encoder b on the same test samples, by one metric.

    Attributes:
        metric: name of the metric.
        value_a: the metric of a; None where it is undefined.
        value_b: the metric of b.
        difference: value_a - value_b, or None.
        n: test samples.
        patients: distinct patients among them.
        only_a_right: decisions that a got right and b wrong; None where a metric is no matter of right or wrong.
        only_b_right: decisions that b got right and a wrong, or None.
        tests: of this metric over test samples, clustered by patient where patients are known.
    """

    metric: str
    value_a: float | None
    value_b: float | None
    difference: float | None
    n: int
    patients: int
    only_a_right: int | None
    only_b_right: int | None
    tests: tuple[PairedTest, ...] = ()

    @classmethod
    def of(
        cls,
        metric: str,
        value_a: float | None,
        value_b: float | None,
        patients: np.ndarray,
        tests: tuple[PairedTest, ...] = (),
        alone: tuple[int | None, int | None] = (None, None),
    ) -> Comparison:
        """The values of one metric beside each other.

        Args:
            patients: patient of each test sample as a whole number from 0 [N].
            alone: decisions that only a, and only b, got right.
        """
        return cls(
            metric=metric,
            value_a=value_a,
            value_b=value_b,
            difference=None if value_a is None or value_b is None else value_a - value_b,
            n=len(patients),
            patients=int(patients.max(initial=-1)) + 1,
            only_a_right=alone[0],
            only_b_right=alone[1],
            tests=tests,
        )


def _number(value: float) -> float | None:
    """None for NaN; infinite statistics stay."""
    return None if math.isnan(value) else float(value)
