"""Measurements in pairs and in blocks, and p-values to adjust."""

from __future__ import annotations

import numpy as np

from .case import Case, generator, integers, normal

NAN = float("nan")
CERTAIN = {"statistic": 0.0, "p": 1.0, "log10_p": 0.0}
IMPOSSIBLE = {"p": 0.0, "log10_p": -np.inf}
SIZES = (2, 3, 5, 10, 30, 100, 1000)


def t_cases() -> list[Case]:
    """Pairs for the paired t-test."""
    cases = [
        Case(f"{pairs} pairs, mean difference {shift:g}", _pairs(generator(21, pairs, number), pairs, shift))
        for pairs in SIZES
        for number, shift in enumerate((0.0, 0.3))
    ]
    rng = generator(21, 0)
    cases.append(Case("p below the smallest float", _pairs(rng, 900, 30.0)))
    rows = [_pairs(rng, 10, shift) for shift in (0, 0.1, 1, -5)]
    cases.append(Case("batch of 4", {name: np.stack([row[name] for row in rows]) for name in ("a", "b")}, batch=True))
    return [*cases, *_constant_differences()]


def pool_cases() -> list[Case]:
    """Differences in every draw of a share of one pool."""
    drawn = [(draws, share) for draws in (2, 3, 10, 30) for share in (0.01, 0.1, 0.5, 0.9)]
    cases = [
        Case(f"{draws} draws of {share:.0%}", {"differences": _differences(number, draws), "fraction": share})
        for number, (draws, share) in enumerate(drawn)
    ]
    return [*cases, *_with_degenerate({"fraction": 0.1})]


def corrected_cases() -> list[Case]:
    """Differences in every split of a cross-validation, and the sizes of its parts."""
    parts = [
        (splits, n_train, n_test) for splits in (2, 5, 10, 100) for n_train, n_test in ((900, 100), (50, 50), (80, 400))
    ]
    cases = [
        Case(
            f"{splits} splits of {n_train} + {n_test}",
            {"differences": _differences(50 + number, splits), "n_train": float(n_train), "n_test": float(n_test)},
        )
        for number, (splits, n_train, n_test) in enumerate(parts)
    ]
    return [*cases, *_with_degenerate({"n_train": 900.0, "n_test": 100.0})]


def signed_rank_cases() -> list[Case]:
    """Pairs for Wilcoxon's signed-rank test: without ties up to 50 exact, above or with ties approximate."""
    cases = []
    for pairs in (3, 5, 6, 10, 25, 49, 60, 300):
        for kind, decimals in (("untied", 6), ("tied", 1)):
            inputs = {**_pairs(generator(23, pairs, decimals), pairs, 0.3, decimals), "correction": True}
            cases.append(Case(f"{pairs} pairs, {kind}", inputs))
            if kind == "tied" or pairs >= 50:
                cases.append(Case(f"{pairs} pairs, {kind}, not corrected", {**inputs, "correction": False}))
    far = _pairs(generator(23, 0), 5000, 9.0)
    same, certain = np.arange(6.0), {"statistic": 0.0, "p": 1.0}
    rows = [_pairs(generator(23, 1, row), 12, row / 4) for row in range(4)]
    stacked = {name: np.stack([row[name] for row in rows]) for name in ("a", "b")}
    return [
        *cases,
        Case("p below the smallest float", {**far, "correction": True}),
        Case("some pairs equal", {"a": same, "b": np.array([0, 3, 2, 2, 1, 4.5]), "correction": True}),
        Case("one pair", {"a": same[1:2], "b": same[:1], "correction": True}),
        Case("batch of 4", {**stacked, "correction": True}, batch=True),
        Case("no difference", {"a": same, "b": same, "correction": True}, flagged=True, convention=certain),
    ]


def block_cases() -> list[Case]:
    """Blocks [n, k]: k treatments measured in each of n blocks."""
    cases = []
    for blocks, treatments in ((2, 3), (5, 3), (5, 7), (10, 4), (20, 6), (50, 10), (200, 3)):
        for kind, decimals in (("untied", 6), ("tied", 0)):
            rng = generator(24, blocks, treatments, decimals)
            values = normal(rng, blocks, treatments) + np.linspace(0, 0.7, treatments)
            cases.append(Case(f"{blocks} blocks, {treatments} treatments, {kind}", {"blocks": values.round(decimals)}))
    always = np.arange(5.0) + np.zeros((300, 1))
    cases.append(Case("always the same order", {"blocks": always}))
    flat = {"blocks": np.ones((4, 3))}
    cases.append(Case("all tied", flat, flagged=True, convention={**CERTAIN, "df": 2.0, "estimate": 0.0}))
    return cases


def p_value_cases() -> list[Case]:
    """Families of p-values: ties, tests that were not made, zeros and ones."""
    cases = []
    for number, tests in enumerate((1, 2, 3, 5, 14, 100)):
        rng = generator(25, number)
        p = (rng.random(tests) ** 3).round(9)
        cases.append(Case(f"{tests} tests", {"p": p}))
        if tests > 1:
            cases.append(Case(f"{tests} tests, tied", {"p": p.round(1)}))
            left_out = (rng.random(tests) < 0.3) | (np.arange(tests) == tests // 2)
            cases.append(Case(f"{tests} tests, some not made", {"p": np.where(left_out, NAN, p)}))
    cases.append(Case("no test made", {"p": np.full(3, NAN)}))
    cases.append(Case("zeros and ones", {"p": np.array([0, 1, 0, 1, 0.04])}))
    cases.append(Case("tiny", {"p": np.array([1e-300, 5e-324, 1e-290, 0.2])}))
    rng = generator(25, 99)
    rows = np.where(rng.random((4, 9)) < 0.2, NAN, (rng.random((4, 9)) ** 2).round(9))
    cases.append(Case("batch of 4", {"p": rows}, batch=True))
    return cases


def power_cases() -> list[Case]:
    """Replicates, true difference and its SD for the power of a paired t-test."""
    return [
        Case(f"{n} pairs, difference {difference:g} SD, level {level:g}", _power(n, difference, level))
        for n in (2, 5, 10, 40)
        for difference in (0.1, 0.5, 1.2)
        for level in (0.05, 0.001)
    ]


def _power(n: int, difference: float, level: float) -> dict[str, float]:
    return {"n": float(n), "difference": difference, "sd": 1.0, "level": level}


def _differences(seed: int, replicates: int) -> np.ndarray:
    return (0.02 * normal(generator(22, seed), replicates) + 0.01).round(9)


def _with_degenerate(settings: dict[str, float]) -> list[Case]:
    """A batch, and differences without variance."""
    stacked = np.stack([_differences(100 + row, 10) for row in range(4)])
    found = [Case("batch of 4", {"differences": stacked, **settings}, batch=True)]
    for name, difference in (("no difference", 0.0), ("always better", 0.25), ("always worse", -0.25)):
        test = {"statistic": np.sign(difference) * np.inf, **IMPOSSIBLE} if difference else CERTAIN
        inputs = {"differences": np.full(5, difference), **settings}
        found.append(Case(name, inputs, flagged=True, convention={**test, "df": 4.0}))
    return found


def _pairs(rng: np.random.Generator, pairs: int, shift: float, decimals: int = 6) -> dict[str, np.ndarray]:
    both = normal(rng, pairs)
    a, b = both + 0.5 * normal(rng, 2, pairs)
    return {"a": (a + shift).round(decimals), "b": b.round(decimals)}


def _constant_differences() -> list[Case]:
    """R stops where the differences are all equal, also up to rounding."""
    base = integers(generator(26, 0), 100, 10)
    # 0.3 + 0.1 - 0.3 is not 0.1: the differences vary in their last bit.
    fractions = (normal(generator(26, 1), 10) / 3 + 0.7).round(6)

    def case(name: str, a: np.ndarray, b: np.ndarray, difference: float) -> Case:
        point = {"df": 9.0, "estimate": difference, "ci_low": difference, "ci_high": difference}
        test = {"statistic": np.sign(difference) * np.inf, **IMPOSSIBLE} if difference else CERTAIN
        return Case(name, {"a": a, "b": b}, flagged=True, convention={**test, **point})

    return [
        case("no difference", base, base, 0.0),
        case("a always better by 2", base + 2, base, 2.0),
        case("b always better by 2", base, base + 2, -2.0),
        case("a better by 0.1 up to rounding", fractions + 0.1, fractions, 0.1),
    ]
