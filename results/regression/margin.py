"""The margin below which a difference is no news, and what a check with it would find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .influence import Scored
from .interval import half_width

LEVEL = 0.95
# All cells of an unchanged repeat pass with this chance where the noise is what it is taken to be; the room above
# 95 % is for noise that a baseline, lucky in its own draw, makes look smaller.
PASS_TARGET = 0.985
SIMULATIONS = 20_000
# How many replicates' spread the assumption made without replicates is worth.
PRIOR_DF = 4
_SEED = 20240101


@dataclass(frozen=True)
class Noise:
    """How a repeat without a change may differ from the baseline in one trial.

    Attributes:
        between: variance of the metric over repeats of a trial on this test set.
        sampling: the part of it that comes of single patients, and would fall with a larger test set.
        replicates: trials of the cell.
        clusters: patients, or groups of them.
    """

    between: float
    sampling: float
    replicates: int
    clusters: int


@dataclass(frozen=True)
class Power:
    """What a check of one cell would say.

    Attributes:
        margin: as the check uses it.
        passes: chance that a repeat without a change passes.
        found_at_margin: chance that a loss as large as the margin is called a regression.
        found_at_twice: the same for twice the margin.
        found_80: the smallest loss that is called a regression with a chance of 80 %.
    """

    margin: float
    passes: float
    found_at_margin: float
    found_at_twice: float
    found_80: float


def cell_level(cells: int) -> float:
    """Confidence of each of `cells` intervals, so that all hold together with LEVEL (Bonferroni)."""
    return 1 - (1 - LEVEL) / cells


def noise_of(baseline: Scored) -> Noise:
    """The noise of an unchanged repeat, from one baseline.

    One replicate shows no repeat: the repeat is taken to err independently of the baseline, which is the widest that
    can be expected, so its variance is that of the metric itself over patients. Several replicates of a fraction are
    repeats that differ in their training patients too, so their variance is an upper guess; few of them are pulled
    towards the assumption above, which counts for PRIOR_DF of them, but never down. A metric between 0 and 1 is never
    taken to vary less than if one patient changed sides.
    """
    replicates, clusters = baseline.influences.shape
    influences = baseline.influences - baseline.influences.mean(axis=1, keepdims=True)
    correction = clusters / max(clusters - 1, 1)
    alone = correction * float((influences**2).sum(axis=1).mean())
    within_unit = bool(((baseline.values >= 0) & (baseline.values <= 1)).all())
    least = 1 / baseline.patients**2 if within_unit else 0.0
    if replicates == 1:
        return Noise(max(alone, least), max(alone, least), 1, clusters)
    sampling = correction * float(influences.var(axis=0, ddof=1).sum())
    seen = float(baseline.values.var(ddof=1))
    drawn = (PRIOR_DF * alone + (replicates - 1) * seen) / (PRIOR_DF + replicates - 1)
    return Noise(max(seen, drawn, sampling, least), max(sampling, least), replicates, clusters)


def propose_margin(noise: Noise, cells: int) -> float:
    """The smallest margin at which a repeat without a change passes with PASS_TARGET over all `cells` together.

    With one replicate it is near twice half the width of the interval: once for the interval, once for the repeat.
    """
    lows, _ = _unchanged(noise, cells)
    return _rounded_up(float(np.quantile(-lows, 1 - (1 - PASS_TARGET) / cells)))


def power_of(noise: Noise, margin: float, cells: int) -> Power:
    """What a check of one of `cells` cells with `margin` says, by simulated repeats (fixed seed)."""
    lows, highs = _unchanged(noise, cells)
    # The loss from which on a repeat neither passes nor reaches zero.
    called = np.maximum(highs, lows + margin)
    return Power(
        margin=margin,
        passes=float((lows > -margin).mean()),
        found_at_margin=float((called < margin).mean()),
        found_at_twice=float((called < 2 * margin).mean()),
        found_80=float(np.quantile(called, 0.8)),
    )


def _unchanged(noise: Noise, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the intervals of SIMULATIONS repeats without a change."""
    rng = np.random.default_rng(_SEED)
    draws = rng.standard_normal((SIMULATIONS, noise.replicates)) * np.sqrt(2 * noise.between)
    by_patient = 2 * noise.sampling / noise.replicates
    half = half_width(by_patient, by_patient, draws, max(noise.clusters, 2), cell_level(cells))
    mean = draws.mean(axis=1)
    if noise.replicates > 1:
        # A variance seen in few replicates may be larger than it looked.
        df = PRIOR_DF + noise.replicates - 1
        mean *= np.sqrt(df / rng.chisquare(df, SIMULATIONS))
    return mean - half, mean + half


def _rounded_up(margin: float) -> float:
    """To two significant digits: what is proposed is read by people."""
    if margin <= 0:
        return 0.0
    step = 10.0 ** (np.floor(np.log10(margin)) - 1)
    return float(np.round(np.ceil(margin / step - 1e-9) * step, 12))
