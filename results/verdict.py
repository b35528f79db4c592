"""What a comparison says, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..tasks.trial import PairedTest
    from .comparison import EncoderComparison

LEVEL = 0.05


def verdict(row: EncoderComparison) -> str:
    """`A is better than B: +0.021 auc, p = 0.003 (Holm), 10 replicates`, or why that cannot be said.

    The number is the better one's less the other's where one is better, else a's less b's.
    """
    if row.difference is None:
        return f"{row.metric} is undefined for one or both of them: nothing can be said"
    direction = "" if row.higher_is_better else " (lower is better)"
    a_minus_b = f"A - B {row.difference:+.3f} {row.metric}{direction}"
    test = row.decider
    if test is None:
        rest = "nothing can be said" if row.ci_low is None else "see its interval"
        return f"{a_minus_b}; no test of it decides, {rest}"
    counted = _counted(row, test)
    if test.degenerate is not None:
        return f"{a_minus_b}; {test.name} is degenerate ({test.degenerate}): nothing can be said, {counted}"
    p_value = test.p_value if test.p_adjusted is None else test.p_adjusted
    if p_value is None:
        return f"{a_minus_b}; {test.name} is undefined: nothing can be said, {counted}"
    sure = f"{p_in_words(p_value, test)}{'' if test.p_adjusted is None else ' (Holm)'}, {counted}"
    if p_value >= LEVEL or row.difference == 0:
        return f"no difference shown: {a_minus_b}, {sure}"
    if test.estimate is not None and (test.estimate > 0) != (row.difference > 0):
        return f"{a_minus_b}, but {test.name} finds {test.estimate:+.3f}: nothing can be said, {counted}"
    a_wins = (row.difference > 0) == row.higher_is_better
    better, worse = (row.a, row.b) if a_wins else (row.b, row.a)
    size = f"{row.difference if a_wins else -row.difference:+.3f} {row.metric}"
    words = f"{better} is better than {worse}: {size}{direction}, {sure}"
    if row.ci_low is not None and row.ci_high is not None and row.ci_low <= 0 <= row.ci_high:
        words += "; on this test set: with other patients it may not hold"
    return words


def p_in_words(p_value: float, test: PairedTest) -> str:
    """`p = 0.003`; below a thousandth `p < 0.001`, and where p is tiny its power of ten."""
    if p_value >= 0.001:
        return f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"
    if p_value < 1e-6 and test.p_adjusted is None and test.log10_p is not None:
        return f"p < 1e{int(test.log10_p) if test.log10_p > -1e6 else '-1000000'}"
    return "p < 0.001"


def _counted(row: EncoderComparison, test: PairedTest) -> str:
    if row.replicates > 1:
        if test.n == row.replicates:
            return f"{row.replicates} replicates"
        return f"{test.n} of {row.replicates} replicates (undefined in the others)"
    if row.n is None:
        return "one replicate"
    if row.patients is None or row.patients == row.n:
        return f"{row.n} images"
    return f"{row.n} images of {row.patients} patients"
