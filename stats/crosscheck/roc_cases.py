"""Scores of two models on one test set."""

from __future__ import annotations

import numpy as np

from .case import Case, generator, integers, normal

NAN = float("nan")
INFINITE = np.array([0, 0, 0, 0, 1, 1, 1, 1.0]), np.array([-np.inf, 1, 2, 3, 2, 4, np.inf, np.inf])

# Samples, share of positives, decimals of the scores: one decimal makes ties.
SHAPES = [
    (samples, share, decimals)
    for samples in (10, 40, 200, 1000)
    for share in (0.5, 0.08)
    for decimals in (6, 1)
    if samples * share >= 2
]


def delong_cases() -> list[Case]:
    """Two scores each: random, tied, imbalanced, far apart, in a batch, and degenerate."""
    return [*_random_pairs(), _far_apart(), _batch(), *_degenerate_pairs()]


def interval_cases() -> list[Case]:
    """One score each: the first of the two above, where it is a new one."""
    found: dict[str, Case] = {}
    for case in map(_one_score, delong_cases()):
        found.setdefault(case.digest(), case)
    return list(found.values())


def covariance_cases() -> list[Case]:
    """Several scores [K, N] on one test set."""
    cases = []
    for number, (models, samples, decimals) in enumerate(
        [(models, samples, decimals) for models in (2, 3, 8) for samples in (20, 100, 500) for decimals in (6, 1)]
    ):
        rng = generator(3, number)
        truth = _truth(rng, samples, 0.3)
        scores = (normal(rng, models, samples) + truth * rng.random((models, 1)) * 2).round(decimals)
        cases.append(
            Case(f"{models} models, {samples} samples, {_kind(decimals)}", {"y_true": truth, "scores": scores})
        )
    truth, score = INFINITE
    cases.append(Case("infinite scores", {"y_true": truth, "scores": np.stack([score, score[::-1]])}))
    return cases


def clustered_cases() -> list[Case]:
    """Two scores each with several samples a patient, one sample a patient, and patients of one class only."""
    cases = []
    for number, (patients, images, share) in enumerate(
        [(patients, images, share) for patients in (8, 30, 150) for images in (2, 9) for share in (0.5, 0.3, 0.1)]
    ):
        rng = generator(4, number)
        groups = np.sort(integers(rng, patients, patients * images))
        # Images of a patient are alike in label and in score.
        sick = rng.random(patients)[groups.astype(int)]
        truth = (0.6 * sick + 0.4 * rng.random(groups.shape) > np.quantile(sick, 1 - share)).astype(float)
        truth[[0, -1]], truth[[1, -2]] = 1, 0
        own = normal(rng, 2, patients)[:, groups.astype(int)]
        scores = (own + normal(rng, 2, len(groups)) + truth * np.array([[1.2], [0.8]])).round(2)
        inputs = {"y_true": truth, "score_a": scores[0], "score_b": scores[1], "groups": groups}
        cases.append(Case(f"{patients} patients, {len(groups)} images, {share:.0%} positive", inputs))
    one_each = {**_pair(generator(4, 99), 80, 0.4, 1), "groups": np.arange(80.0)}
    cases.append(Case("each patient once", one_each))
    lone = {
        "y_true": np.array([1, 1, 0, 0, 0.0]),
        "score_a": np.arange(5.0),
        "score_b": np.array([4, 0, 1, 2, 3.0]),
        "groups": np.array([0, 0, 0, 1, 2.0]),
    }
    unknown: dict[str, float] = dict.fromkeys(("se", "statistic", "p", "log10_p", "ci_low", "ci_high"), NAN)
    return [*cases, Case("all positives of one patient", lone, flagged=True, convention=unknown)]


def _random_pairs() -> list[Case]:
    cases = []
    for number, (samples, share, decimals) in enumerate(SHAPES):
        name = f"{samples} samples, {share:.0%} positive, {_kind(decimals)}"
        cases.append(Case(name, _pair(generator(1, number), samples, share, decimals)))
    return cases


def _kind(decimals: int) -> str:
    return "tied" if decimals == 1 else "untied"


def _pair(rng: np.random.Generator, samples: int, share: float, decimals: int) -> dict[str, np.ndarray]:
    truth = _truth(rng, samples, share)
    both = normal(rng, samples)
    a, b = (both + normal(rng, 2, samples) + truth * np.array([[1.5], [1.0]])).round(decimals)
    return {"y_true": truth, "score_a": a, "score_b": b}


def _truth(rng: np.random.Generator, samples: int, share: float) -> np.ndarray:
    """Labels in random order, at least two positive."""
    return (rng.random(samples).argsort() < max(2, round(samples * share))).astype(float)


def _far_apart() -> Case:
    rng = generator(2, 0)
    truth = _truth(rng, 4000, 0.5)
    a, b = normal(rng, 2, 4000)
    return Case("p below the smallest float", {"y_true": truth, "score_a": (a + 4 * truth).round(6), "score_b": b})


def _batch() -> Case:
    rows = [_pair(generator(2, 1 + row), 120, share, 1) for row, share in enumerate((0.5, 0.3, 0.1, 0.05))]
    return Case("batch of 4", {name: np.stack([row[name] for row in rows]) for name in rows[0]}, batch=True)


def _degenerate_pairs() -> list[Case]:
    truth, up, flat = np.array([0, 0, 0, 1, 1, 1.0]), np.arange(6.0), np.ones(6)
    other = np.array([2, 1, 0, 3, 5, 4.0])
    rng = generator(2, 9)
    noise = {"y_true": _truth(rng, 60, 0.3), "score_a": normal(rng, 60)}
    nothing = {name: NAN for name in ("statistic", "p", "log10_p", "ci_low", "ci_high")}
    infinite_truth, infinite = INFINITE

    def case(name: str, a: np.ndarray, b: np.ndarray, y: np.ndarray = truth, flagged: bool = True) -> Case:
        convention = nothing if y.sum() in (1, len(y) - 1) else {}
        return Case(name, {"y_true": y, "score_a": a, "score_b": b}, flagged=flagged, convention=convention)

    return [
        case("one model twice", noise["score_a"], noise["score_a"], noise["y_true"]),
        case("equal ranks", noise["score_a"], np.exp(noise["score_a"]).round(9), noise["y_true"]),
        case("both separate perfectly", up, other),
        case("both separate perfectly the wrong way", -up, -other),
        case("perfect against constant", up, flat),
        case("constant against perfect", flat, up),
        case("perfect against reversed", up, -up),
        case("both constant", flat, 2 * flat),
        case("one perfect", up, np.array([0, 1, 4, 2, 3, 5.0]), flagged=False),
        case("a single positive", up, other, np.array([0, 0, 0, 0, 1, 0.0])),
        case("a single negative", up, other, np.array([1, 1, 0, 1, 1, 1.0])),
        case("one positive, one negative", up[:2], -up[:2], np.array([0, 1.0])),
        case("infinite scores", infinite, infinite[[1, 0, 3, 2, 4, 7, 5, 6]], infinite_truth, flagged=False),
    ]


def _one_score(case: Case) -> Case:
    truth, score = np.asarray(case.inputs["y_true"]), np.asarray(case.inputs["score_a"])
    lone = not case.batch and truth.sum() in (1, len(truth) - 1)
    # A model that separates perfectly, or not at all, has an area without variance.
    flagged = (case.flagged and len(truth) <= 6) or case.name == "one perfect"
    convention = {"ci_low": NAN, "ci_high": NAN} if lone else {}
    return Case(case.name, {"y_true": truth, "score": score}, case.batch, flagged, convention)
