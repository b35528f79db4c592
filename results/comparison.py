"""Encoder a against encoder b: paired tests, an interval, and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.errors import UserError, unknown_name
from ..foundation.progress import Progress, SilentProgress
from .replicate_tests import tests_over_replicates
from .table import mean_and_sd
from .trial_pairs import Pair, trial_pairs
from .verdict import verdict

if TYPE_CHECKING:
    from ..tasks.task import Task
    from ..tasks.trial import Comparison, PairedTest
    from .record import Record
    from .store import Store


@dataclass(frozen=True)
class EncoderComparison:
    """Two encoders at one fraction, by one metric.

    Attributes:
        metric: what is compared.
        higher_is_better: its direction.
        about: what it is beside its name: the labels that it is a mean over.
        task_version, settings_hash: of the trials.
        weights_a, weights_b: names of the weights, see `Record.weights_name`.
        replicates: pairs of trials.
        n, patients: test images, and patients among them.
        contaminated: which of the two saw images of this dataset in pretraining.
        unverified: which of the two has weights that are not known to be the published ones.
        mean_a, mean_b: of the metric over the pairs where both are defined; None where none is.
        difference: mean of a - b.
        sd: standard deviation of a - b over the pairs; None with fewer than two.
        ci_low, ci_high: 95 % interval of the difference, by a bootstrap over patients and replicates; None
            where it was not asked for or is not defined.
        effect_size: Cohen's d of the paired differences over replicates; with one replicate and McNemar the
            odds ratio of the discordant decisions; None where neither is defined.
        effect: which of the two, `d` or `OR`; empty where there is none.
        a_better, b_better: pairs in which one is better; the direction of the metric is taken into account.
        only_a_right, only_b_right: decisions on test images that only one got right, summed over the pairs;
            None where predictions were not read, or nothing is right or wrong.
        tests: over replicates where there are several, else over test images.
        verdict: the answer in words.
    """

    a: str
    b: str
    task: str
    variant: str
    protocol: str
    fraction: float
    metric: str
    higher_is_better: bool
    about: str
    task_version: int
    settings_hash: str
    weights_a: str
    weights_b: str
    replicates: int
    n: int | None
    patients: int | None
    synthetic: bool
    contaminated: tuple[str, ...]
    unverified: tuple[str, ...]
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    effect_size: float | None
    effect: str
    a_better: int
    b_better: int
    only_a_right: int | None
    only_b_right: int | None
    tests: tuple[PairedTest, ...] = ()
    verdict: str = ""

    def test(self, name: str) -> PairedTest | None:
        """The test of that name, or None."""
        return next((test for test in self.tests if test.name == name), None)

    @property
    def decider(self) -> PairedTest | None:
        """The test that may say which one is better: the last of those that decide."""
        return next((test for test in reversed(self.tests) if test.decides), None)


def compare_encoders(
    store: Store,
    records: Sequence[Record],
    task: Task,
    a: str,
    b: str,
    metrics: Sequence[str] | None = None,
    settings: str | None = None,
    interval: bool = True,
    progress: Progress | None = None,
) -> list[EncoderComparison]:
    """One row a (variant, protocol, fraction) that both encoders have, and metric.

    Args:
        store: where the predictions lie.
        records: of that store.
        task: decides metrics, directions and tests.
        a, b: names of encoders.
        metrics: what to compare; without it the task's main metric, and with one replicate every label's AUC too
            where the task asks for DeLong.
        settings: only records with this settings hash.
        interval: whether to read all predictions and bootstrap; a table of many pairs goes without.
        progress: who is told.

    p_adjusted is Holm's over the deciding tests of all rows of a kind (means, labels) together.

    Raises:
        UserError: an encoder or metric without records.
        RefusedError: nothing in common, several settings or task versions, or test sets that differ.
    """
    pairs = trial_pairs(list(records), task.meta.name, a, b, settings)
    rows: list[EncoderComparison] = []
    with (progress or SilentProgress()).step("comparisons", len(pairs)) as step:
        for (variant, protocol, fraction), found in pairs.items():
            rows += _cell(store, task, found, metrics, interval)
            step.advance(1, f"{variant} {protocol} {fraction:g} %")
    return [replace(row, verdict=verdict(row)) for row in with_holm(rows)]


def with_holm(rows: Sequence[EncoderComparison]) -> list[EncoderComparison]:
    """The same rows with Holm-adjusted p in their deciding tests, means and single labels each a family."""
    from ..stats import holm

    adjusted = list(rows)
    for of_labels in (False, True):
        family = [number for number, row in enumerate(rows) if ("/" in row.metric) is of_labels and row.decider]
        p_values = np.array([_p(rows[number].decider) for number in family])
        for number, p in zip(family, holm(p_values), strict=True):
            row, decider = rows[number], rows[number].decider
            p_adjusted = None if len(family) == 1 or np.isnan(p) else float(p)
            tests = tuple(replace(test, p_adjusted=p_adjusted) if test is decider else test for test in row.tests)
            adjusted[number] = replace(row, tests=tests)
    return adjusted


def _p(test: PairedTest | None) -> float:
    return np.nan if test is None or test.p_value is None else test.p_value


def _cell(
    store: Store, task: Task, pairs: Sequence[Pair], metrics: Sequence[str] | None, interval: bool
) -> list[EncoderComparison]:
    """One row a metric of one (variant, protocol, fraction)."""
    several = len(pairs) > 1
    if several and not interval and _defined_alike(pairs):
        return [_row(task, pairs, metric, None, None) for metric in metrics or (task.meta.main_metric,)]
    predictions = [(store.predictions(a), store.predictions(b)) for a, b in pairs]
    by_metric = [{each.metric: each for each in task.compare(a, b)} for a, b in predictions]
    if metrics is None:
        # With every label's AUC, those that are undefined too.
        tested = {name.partition("/")[0] for name, each in by_metric[0].items() if "/" in name and each.tests}
        labels = [name for name in by_metric[0] if "/" in name and name.partition("/")[0] in tested and not several]
        metrics = (task.meta.main_metric, *labels)
    rows = []
    for metric in metrics:
        if metric not in by_metric[0]:
            raise UserError(f"--metric: {unknown_name('metric', metric, by_metric[0])}")
        ends = None
        if interval:
            from .intervals import difference_interval

            ends = difference_interval(task, predictions, metric, pairs[0][0].fraction / 100)
        rows.append(_row(task, pairs, metric, [found[metric] for found in by_metric], ends))
    return rows


def _row(
    task: Task,
    pairs: Sequence[Pair],
    metric: str,
    comparisons: Sequence[Comparison] | None,
    ends: tuple[float, float] | None,
) -> EncoderComparison:
    one, other = pairs[0]
    sign = 1 if task.meta.higher_is_better(metric) else -1
    values = _values(pairs, metric) if comparisons is None else [(each.value_a, each.value_b) for each in comparisons]
    both = np.array([(x, y) for x, y in values if x is not None and y is not None], dtype=np.float64).reshape(-1, 2)
    differences = both[:, 0] - both[:, 1]
    if len(pairs) > 1:
        tests = tests_over_replicates(both[:, 0], both[:, 1], metric, one.fraction / 100, task.meta.tests)
    else:
        tests = comparisons[0].tests if comparisons else ()
    difference, sd = mean_and_sd(differences)
    row = EncoderComparison(
        a=one.encoder,
        b=other.encoder,
        task=one.task,
        variant=one.variant,
        protocol=one.protocol,
        fraction=one.fraction,
        metric=metric,
        higher_is_better=sign > 0,
        about=task.about(metric),
        task_version=one.task_version,
        settings_hash=one.settings_hash,
        weights_a=one.weights_name,
        weights_b=other.weights_name,
        replicates=len(pairs),
        n=comparisons[0].n if comparisons else None,
        patients=comparisons[0].patients if comparisons else None,
        synthetic=one.synthetic or other.synthetic,
        contaminated=tuple(encoder.encoder for encoder, *_ in zip(*pairs, strict=True) if encoder.contaminated),
        unverified=tuple(side[0].encoder for side in zip(*pairs, strict=True) if any(each.unverified for each in side)),
        mean_a=mean_and_sd(both[:, 0])[0],
        mean_b=mean_and_sd(both[:, 1])[0],
        difference=difference,
        sd=sd,
        ci_low=ends[0] if ends else None,
        ci_high=ends[1] if ends else None,
        effect_size=None,
        effect="",
        a_better=int((sign * differences > 0).sum()),
        b_better=int((sign * differences < 0).sum()),
        only_a_right=_total([each.only_a_right for each in comparisons or ()]),
        only_b_right=_total([each.only_b_right for each in comparisons or ()]),
        tests=tests,
    )
    effect_size = _effect_size(row)
    effect = "" if effect_size is None else "d" if row.replicates > 1 else "OR"
    return replace(row, effect_size=effect_size, effect=effect)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _defined_alike(pairs: Sequence[Pair]) -> bool:
    """Whether every pair lacks the same metrics on both sides, so that their means are over the same labels."""
    undefined = [[{key for key, value in each.metrics.items() if value is None} for each in pair] for pair in pairs]
    return all(of_a == of_b for of_a, of_b in undefined)


def _values(pairs: Sequence[Pair], metric: str) -> list[tuple[float | None, float | None]]:
    """The metric as recorded. Raises UserError where a record lacks it."""
    for record in (record for pair in pairs for record in pair):
        if metric not in record.metrics:
            raise UserError(f"--metric: {record.task}: {unknown_name('metric', metric, record.metrics)}")
    return [(a.metrics[metric], b.metrics[metric]) for a, b in pairs]


def _effect_size(row: EncoderComparison) -> float | None:
    if row.sd is not None and row.difference is not None:
        return row.difference / row.sd if row.sd > 0 else None
    if row.test("McNemar") is not None and row.only_a_right is not None and row.only_b_right:
        return row.only_a_right / row.only_b_right
    return None
