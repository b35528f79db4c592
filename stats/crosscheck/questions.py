"""What is asked: each test, its cases, the function in R, and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..auc import auc
from ..confusion import confusion_between
from ..delong import delong_ci, delong_covariance, delong_test
from ..marginal_homogeneity import bowker_test, stuart_maxwell_test
from ..mcnemar import clustered_mcnemar_test, mcnemar_test
from ..multiplicity import benjamini_hochberg, holm
from ..paired import corrected_paired_t_test, paired_t_test, pool_t_test
from ..power import power
from ..rank_tests import friedman_test, nemenyi
from ..result import TestResult
from ..signed_rank import wilcoxon_test
from . import paired_cases, roc_cases, table_cases
from .case import Case

# Where R has no function and referee.R holds the formula.
WRITTEN_OUT = "written out"

# Numbers by quantity, and whether we call the case degenerate (None where a function does not say).
Ours = tuple[Mapping[str, Any], bool | None]


@dataclass(frozen=True)
class Question:
    """One test.

    Attributes:
        name: function in referee.R.
        title: what people call the test.
        r_function: function of R behind it, for people.
        cases: the inputs.
        ours: our answer to the inputs of a case.
        least_p: below this R's p is compared by `least_p` times the tolerance: ptukey has some ten digits after the
            point, however small p is (an integration to 30 digits takes our side).
        nan_is_an_answer: R means its NaN: it keeps tests in place that were not made.
    """

    name: str
    title: str
    r_function: str
    cases: Callable[[], Sequence[Case]]
    ours: Callable[[Mapping[str, Any]], Ours]
    least_p: float = 0.0
    nan_is_an_answer: bool = False


def _quantities(result: TestResult, *names: str) -> Ours:
    """The named numbers of a result under the names that R's answers have, and whether it is flagged."""
    found = {name.removesuffix("_value"): getattr(result, name) for name in names}
    return found, any(reason is not None for reason in np.ravel(np.asarray(result.degenerate, dtype=object)))


def _tested(result: TestResult, *more: str) -> Ours:
    return _quantities(result, "statistic", "df", "p_value", "log10_p", *more)


def _delong(inputs: Mapping[str, Any]) -> Ours:
    result = delong_test(**inputs)
    return _quantities(result, "auc_a", "auc_b", "se", "statistic", "p_value", "log10_p", "ci_low", "ci_high")


def _interval(inputs: Mapping[str, Any]) -> Ours:
    quantities, flagged = _quantities(delong_ci(**inputs), "ci_low", "ci_high")
    return {"auc": auc(**inputs), **quantities}, flagged


def _covariance(inputs: Mapping[str, Any]) -> Ours:
    found = delong_covariance(**inputs)
    return {"auc": found.auc, "covariance": found.covariance}, found.degenerate is not None


def _counts(inputs: Mapping[str, Any]) -> Ours:
    return {"counts": confusion_between(**inputs)}, None


def _mcnemar(inputs: Mapping[str, Any]) -> Ours:
    return _tested(mcnemar_test(**inputs, exact=False))


def _mcnemar_exact(inputs: Mapping[str, Any]) -> Ours:
    return _quantities(mcnemar_test(**inputs, exact=True), "p_value", "log10_p")


def _clustered_mcnemar(inputs: Mapping[str, Any]) -> Ours:
    return _tested(clustered_mcnemar_test(**inputs, exact=False), "estimate", "ci_low", "ci_high")


def _clustered_exact(inputs: Mapping[str, Any]) -> Ours:
    return _quantities(clustered_mcnemar_test(**inputs), "p_value", "log10_p")


def _pool(inputs: Mapping[str, Any]) -> Ours:
    return _tested(pool_t_test(**inputs))


def _corrected(inputs: Mapping[str, Any]) -> Ours:
    return _tested(corrected_paired_t_test(**inputs))


def _wilcoxon(inputs: Mapping[str, Any]) -> Ours:
    return _quantities(wilcoxon_test(**inputs), "statistic", "p_value", "estimate", "ci_low", "ci_high")


def _nemenyi(inputs: Mapping[str, Any]) -> Ours:
    return _quantities(nemenyi(**inputs), "mean_ranks", "p_value")


def _holm(inputs: Mapping[str, Any]) -> Ours:
    return {"adjusted": holm(**inputs)}, None


def _benjamini_hochberg(inputs: Mapping[str, Any]) -> Ours:
    return {"adjusted": benjamini_hochberg(**inputs)}, None


def _power(inputs: Mapping[str, Any]) -> Ours:
    return {"power": power(**inputs).power}, None


QUESTIONS = (
    Question("delong_test", "DeLong", "pROC::roc.test", roc_cases.delong_cases, _delong),
    Question("delong_ci", "AUC and interval", "pROC::ci.auc", roc_cases.interval_cases, _interval),
    Question("delong_covariance", "covariance of AUCs", "pROC::cov", roc_cases.covariance_cases, _covariance),
    Question("delong_test_clustered", "DeLong by patients", WRITTEN_OUT, roc_cases.clustered_cases, _delong),
    Question(
        "stuart_maxwell_test",
        "Stuart-Maxwell",
        "coin::mh_test",
        table_cases.margin_cases,
        lambda inputs: _tested(stuart_maxwell_test(**inputs)),
    ),
    Question(
        "bowker_test",
        "Bowker",
        "mcnemar.test",
        table_cases.symmetry_cases,
        lambda inputs: _tested(bowker_test(**inputs)),
    ),
    Question("mcnemar_chi_squared", "McNemar", "mcnemar.test", table_cases.chi_squared_cases, _mcnemar),
    Question("mcnemar_exact", "McNemar, exact", "binom.test", table_cases.exact_cases, _mcnemar_exact),
    Question(
        "clustered_mcnemar_test",
        "McNemar by patients",
        WRITTEN_OUT,
        table_cases.clustered_cases,
        _clustered_mcnemar,
    ),
    Question(
        "clustered_mcnemar_exact",
        "McNemar by patients, exact",
        WRITTEN_OUT,
        table_cases.few_cluster_cases,
        _clustered_exact,
    ),
    Question("confusion_between", "counts of two", "table", table_cases.counted_cases, _counts),
    Question(
        "paired_t_test",
        "paired t",
        "t.test",
        paired_cases.t_cases,
        lambda inputs: _tested(paired_t_test(**inputs), "estimate", "ci_low", "ci_high"),
    ),
    Question("pool_t_test", "pool t", WRITTEN_OUT, paired_cases.pool_cases, _pool),
    Question("corrected_paired_t_test", "corrected t", WRITTEN_OUT, paired_cases.corrected_cases, _corrected),
    Question("wilcoxon_test", "Wilcoxon", "wilcox.test", paired_cases.signed_rank_cases, _wilcoxon),
    Question(
        "friedman_test",
        "Friedman",
        "friedman.test",
        paired_cases.block_cases,
        lambda inputs: _tested(friedman_test(**inputs), "estimate"),
    ),
    Question("nemenyi", "Nemenyi", "ptukey", paired_cases.block_cases, _nemenyi, least_p=1e-3),
    Question("holm", "Holm", "p.adjust", paired_cases.p_value_cases, _holm, nan_is_an_answer=True),
    Question(
        "benjamini_hochberg",
        "Benjamini-Hochberg",
        "p.adjust",
        paired_cases.p_value_cases,
        _benjamini_hochberg,
        nan_is_an_answer=True,
    ),
    Question("power", "power", "power.t.test", paired_cases.power_cases, _power),
)
