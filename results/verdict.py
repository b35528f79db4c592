"""What a comparison says, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..tasks.trial import PairedTest
    from .comparison import EncoderComparison

LEVEL = 0.05


def verdict(row: EncoderComparison) -> str:
    """`A is better than B: +0.021 auc, p = 0.003 (Holm), 10 replicates`, or why that cannot be said."""
    if row.difference is None:
        return f"{row.metric} is undefined for one of them: nothing can be said"
    size = f"{row.difference:+.3f} {row.metric}"
    test = row.decider
    if test is None:
        return f"{size}; no test of it decides, see its interval"
    counted = f"{row.replicates} replicates" if row.replicates > 1 else _images(row)
    if test.degenerate is not None:
        return f"{size}; {test.name} is degenerate ({test.degenerate}): nothing can be said, {counted}"
    p_value = test.p_value if test.p_adjusted is None else test.p_adjusted
    if p_value is None:
        return f"{size}; {test.name} is undefined: nothing can be said, {counted}"
    adjusted = "" if test.p_adjusted is None else " (Holm)"
    said = f"{size}, {p_in_words(p_value, test)}{adjusted}, {counted}"
    if p_value >= LEVEL or row.difference == 0:
        return f"no difference shown: {said}"
    a_wins = (row.difference > 0) == row.higher_is_better
    better, worse = (row.a, row.b) if a_wins else (row.b, row.a)
    words = f"{better} is better than {worse}: {said}"
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


def _images(row: EncoderComparison) -> str:
    if row.n is None:
        return "one replicate"
    if row.patients is None or row.patients == row.n:
        return f"{row.n} images"
    return f"{row.n} images of {row.patients} patients"
