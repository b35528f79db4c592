"""Tables of two raters' decisions: which category each gave to every sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import special

from .case import Case, generator, integers

NAN = float("nan")
CERTAIN = {"p": 1.0, "log10_p": 0.0}
DOES_NOTHING = {"statistic": 0.0, "df": 0.0, **CERTAIN}


def margin_cases() -> list[Case]:
    """Square tables for tests of equal margins and of symmetry."""
    return [*_random_tables(), _batch(), *_sparse_tables(), *_tables_without_a_test()]


def symmetry_cases() -> list[Case]:
    """The same tables; R's test of symmetry has no answer where a pair of categories was never swapped."""
    return [_for_symmetry(case) for case in margin_cases()]


def chi_squared_cases() -> list[Case]:
    """Tables [2, 2] and whether the statistic is corrected for continuity."""
    cases = []
    for counts in _two_by_two():
        for correction in (False, True):
            name = f"{counts}, {'corrected' if correction else 'plain'}"
            inputs = {"table": np.array(counts, dtype=float), "correction": correction}
            cases.append(Case(name, inputs))
    nothing = {"table": np.array([[9, 0], [0, 4.0]]), "correction": False}
    cases.append(Case("no discordant pair", nothing, flagged=True, convention={"statistic": 0.0, "df": 1.0, **CERTAIN}))
    stacked = {"table": np.array(_two_by_two(), dtype=float), "correction": False}
    cases.append(Case("batch of all", stacked, batch=True))
    return cases


def exact_cases() -> list[Case]:
    """Tables [2, 2] for the exact binomial test."""
    tables = _two_by_two()
    cases = [Case(str(counts), {"table": np.array(counts, dtype=float)}) for counts in tables]
    nothing = {"table": np.array([[9, 0], [0, 4.0]])}
    cases.append(Case("no discordant pair", nothing, flagged=True, convention=CERTAIN))
    cases.append(Case("batch of all", {"table": np.array(tables, dtype=float)}, batch=True))
    return cases


def clustered_cases() -> list[Case]:
    """Which samples two models got right, several samples a patient."""
    sizes = [(patients, images) for patients in (8, 30, 100, 400) for images in (1, 2, 4, 9)]
    cases = [_clustered(number, patients, images) for number, (patients, images) in enumerate(sizes)]
    return [*cases, *_clusters_without_a_test()]


def few_cluster_cases() -> list[Case]:
    """The same of so few patients that all signs of their differences can be written out."""
    sizes = [(patients, images) for patients in (2, 5, 9, 14) for images in (1, 2, 4, 30)]
    cases = [_clustered(100 + number, patients, images) for number, (patients, images) in enumerate(sizes)]
    one_sided = {"correct_a": np.ones(4), "correct_b": np.array([0, 0, 0, 0.0]), "groups": np.arange(4.0)}
    *nothing, one_patient = _clusters_without_a_test()
    return [
        *(case for case in cases if not _agree(case)),
        Case("4 patients, a always right", one_sided),
        *nothing,
        dataclasses.replace(one_patient, convention={"p": NAN, "log10_p": NAN}),
    ]


def counted_cases() -> list[Case]:
    """Categories that two raters gave, to be counted."""
    cases = []
    for number, (samples, categories) in enumerate([(5, 2), (60, 3), (500, 6), (2000, 14), (1, 2)]):
        rng = generator(15, number)
        a, b = integers(rng, categories, 2, samples)
        inputs = {"pred_a": a, "pred_b": b, "labels": np.arange(float(categories))}
        cases.append(Case(f"{samples} samples, {categories} categories", inputs))
    unused = {"pred_a": np.array([0, 3, 3.0]), "pred_b": np.array([0, 0, 3.0]), "labels": np.arange(5.0)}
    cases.append(Case("unused categories", unused))
    return cases


def _clustered(seed: int, patients: int, images: int) -> Case:
    rng = generator(14, seed)
    groups = np.sort(integers(rng, patients, patients * images)) if images > 1 else np.arange(float(patients))
    ease = rng.random((2, patients))[:, groups.astype(int)]
    a, b = (0.5 * ease + 0.5 * rng.random((2, len(groups))) > np.array([[0.45], [0.5]])).astype(float)
    inputs = {"correct_a": a, "correct_b": b, "groups": groups}
    return Case(f"{patients} patients, {len(groups)} images", inputs)


def _agree(case: Case) -> bool:
    """Whether the two models are as often right on every patient, which has no test, or there is one patient only."""
    a, b, groups = (np.asarray(case.inputs[name]) for name in ("correct_a", "correct_b", "groups"))
    return not np.bincount(groups.astype(int), weights=a - b).any() or len(np.unique(groups)) < 2


def _two_by_two() -> Sequence[list[list[int]]]:
    """Few and many discordant pairs, balanced and one-sided, and p below the smallest float."""
    return [
        [[10, 3], [5, 12]],
        [[0, 1], [0, 0]],
        [[5, 7], [7, 5]],
        [[100, 24], [0, 50]],
        [[100, 12], [13, 50]],
        [[100, 11], [13, 50]],
        [[1000, 180], [140, 900]],
        [[0, 60], [20, 0]],
        [[30, 1], [0, 30]],
        [[30, 0], [2, 30]],
        [[12000, 9], [3000, 9000]],
    ]


def _random_tables() -> list[Case]:
    cases = []
    for categories in (2, 3, 4, 6, 8):
        for samples in (30, 200, 1500):
            rng = generator(11, categories, samples)
            cases.append(
                Case(f"{samples} samples, {categories} categories", {"table": _table(rng, categories, samples)})
            )
    rng = generator(11, 99)
    shifted = _table(rng, 3, 900)
    shifted[0, 2] += 4000
    cases.append(Case("p below the smallest float", {"table": shifted}))
    return cases


def _table(rng: np.random.Generator, categories: int, samples: int) -> np.ndarray:
    """Counts of two raters who mostly follow the same truth; the second is a little biased to the last category."""
    truth = integers(rng, categories, samples)
    follows = rng.random((2, samples)) < np.array([[0.7], [0.6]])
    a, b = np.where(follows, truth, integers(rng, categories, 2, samples)).astype(int)
    b = np.where(rng.random(samples) < 0.05, categories - 1, b)
    table = np.zeros((categories, categories))
    np.add.at(table, (a, b), 1)
    # Each pair of categories is swapped at least once: R's test of symmetry needs that.
    return table + np.triu(np.ones_like(table), 1)


def _batch() -> Case:
    rng = generator(12, 0)
    return Case("batch of 5", {"table": np.stack([_table(rng, 4, 150) for _ in range(5)])}, batch=True)


def _sparse_tables() -> list[Case]:
    """Tables with unused categories or a singular covariance, on which there is still something to test."""
    unused = np.zeros((5, 5))
    unused[np.ix_([0, 2, 4], [0, 2, 4])] = [[20, 5, 1], [9, 30, 2], [4, 3, 11]]
    alone = np.array([[20, 5, 0], [9, 30, 0], [0, 0, 11.0]])
    blocks = np.array([[10, 2, 0, 0], [4, 20, 0, 0], [0, 0, 5, 6], [0, 0, 1, 9.0]])
    triple = np.zeros((6, 6))
    for first, (swapped, back) in zip((0, 2, 4), ((7, 3), (2, 9), (4, 5)), strict=True):
        triple[first, first + 1], triple[first + 1, first] = swapped, back
    chain = np.diag([5, 6, 7, 8.0]) + np.diag([3, 1, 4], 1)
    return [
        Case("unused categories", {"table": unused}),
        Case("a category never swapped", {"table": alone}),
        Case("two separate blocks", {"table": blocks}),
        Case("three separate blocks, nothing on the diagonal", {"table": triple}),
        Case("a chain in one direction", {"table": chain}),
        Case("one swapped sample", {"table": np.array([[4, 1, 0], [0, 4, 0], [0, 0, 4.0]])}),
        Case("symmetric", {"table": np.array([[4, 2, 3], [2, 4, 5], [3, 5, 4.0]])}),
        Case("equal margins, not symmetric", {"table": np.array([[4, 6, 0], [0, 4, 6], [6, 0, 4.0]])}),
    ]


def _tables_without_a_test() -> list[Case]:
    tables = {
        "nothing but the diagonal": np.diag([3, 4, 5.0]),
        "all zero": np.zeros((3, 3)),
        "one category used": np.array([[0, 0, 0], [0, 7, 0], [0, 0, 0.0]]),
        "one category": np.array([[5.0]]),
    }
    return [Case(name, {"table": table}, flagged=True, convention=DOES_NOTHING) for name, table in tables.items()]


def _clusters_without_a_test() -> list[Case]:
    right, groups = np.array([1, 0, 1, 1, 0, 1.0]), np.array([0, 0, 1, 1, 2, 2.0])
    width = float(1 / (1 + 3 / special.chdtri(1, 0.05)))
    certain = {"statistic": 0.0, "df": 1.0, **CERTAIN, "ci_low": -width, "ci_high": width}
    unknown = dict.fromkeys(("statistic", "p", "log10_p", "ci_low", "ci_high"), NAN)

    def case(name: str, other: np.ndarray, groups: np.ndarray, convention: dict[str, float]) -> Case:
        inputs = {"correct_a": right, "correct_b": other, "groups": groups}
        return Case(name, inputs, flagged=True, convention=convention)

    return [
        case("no discordant pair", right, groups, certain),
        case("each patient cancels", right[[1, 0, 2, 3, 5, 4]], groups, certain),
        case("one patient", right[::-1][[1, 0, 3, 2, 4, 5]], 0 * groups, {**unknown, "df": 1.0}),
    ]


def _for_symmetry(case: Case) -> Case:
    """Where pairs of categories were never swapped R answers NaN; we sum over the others."""
    table = np.asarray(case.inputs["table"])
    if case.batch or case.flagged:
        return case
    upper = np.triu_indices(len(table), 1)
    total, difference = (table + table.T)[upper], (table - table.T)[upper]
    if total.all():
        return case
    statistic, df = float((difference**2 / np.maximum(total, 1)).sum()), float((total > 0).sum())
    p = float(special.chdtrc(df, statistic))
    return Case(case.name, case.inputs, convention={"statistic": statistic, "df": df, "p": p, "log10_p": np.log10(p)})
