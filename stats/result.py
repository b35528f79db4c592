"""What a test of two encoders gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class TestResult:
    """One hypothesis test or interval; for a batch, arrays over the batch's axes.

    What a function does not compute is NaN.

    Attributes:
        statistic: value of the test statistic; may be infinite, see `degenerate`.
        df: degrees of freedom; infinite for a normal distribution.
        p_value: two-sided, 0 to 1; 0 where it is below the smallest float.
        log10_p: logarithm of p to base 10, finite where p underflows and -inf only where p is exactly 0.
        estimate: what is tested, such as a difference a - b or an area.
        ci_low, ci_high: ends of its confidence interval.
        n: samples, pairs or replicates behind it.
        degenerate: None, or a short reason why the statistic is a convention rather than a computation; its
            p-value gets no star. An object array of these for a batch.
    """

    # pytest takes classes by this name for tests.
    __test__: ClassVar[bool] = False

    statistic: Any = float("nan")
    df: Any = float("nan")
    p_value: Any = float("nan")
    log10_p: Any = float("nan")
    estimate: Any = float("nan")
    ci_low: Any = float("nan")
    ci_high: Any = float("nan")
    n: Any = 0
    degenerate: Any = None
