"""Our answers beside R's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .answers import RAnswer, Referee
from .case import Case
from .questions import QUESTIONS, Question
from .recording import AGAIN, RecordError

# Areas are compared by their difference, everything else by its share of R's value.
AREA_TOLERANCE = 1e-12
STATISTIC_TOLERANCE = 1e-9
P_TOLERANCE = 1e-8
# What is 0 in exact arithmetic is a rounding error in floating point, here and in R.
ROUNDING = 1e-15

KINDS = ("area", "statistic", "p")
_AREAS = ("auc", "auc_a", "auc_b")
_CHANCES = ("p", "log10_p", "adjusted", "power")


@dataclass(frozen=True)
class Disagreement:
    """One quantity of one case on which we differ from R, or from our convention where R has no answer."""

    case: str
    quantity: str
    ours: str
    expected: str
    by: str


@dataclass(frozen=True)
class Verified:
    """One test, all its cases.

    Attributes:
        cases: how many; the sum of the three below.
        agreements: cases in which every number is R's.
        unanswered: cases in which R has no answer for some number, and ours is what our convention says.
        disagreements: by case; empty where all is well.
        largest: by kind of number (those there are) the largest difference from R, absolute for areas and relative
            otherwise.
    """

    question: Question
    cases: int
    agreements: int
    unanswered: int
    disagreements: Mapping[str, Sequence[Disagreement]]
    largest: Mapping[str, float]


def verify(referee: Referee, questions: Sequence[Question] = QUESTIONS) -> list[Verified]:
    """Compare our answers with the referee's, test by test; RecordError where it was not asked about a case."""
    return [_verify(question, referee.answers.get(question.name, {})) for question in questions]


def _verify(question: Question, answers: Mapping[str, RAnswer]) -> Verified:
    agreements, unanswered = 0, 0
    disagreements: dict[str, list[Disagreement]] = {}
    largest: dict[str, float] = {}
    cases = question.cases()
    for case in cases:
        answer = answers.get(case.name)
        if answer is None or answer.digest != case.digest():
            raise RecordError(f"R was not asked about {question.title}, {case.name!r}, as it is now; {AGAIN}")
        wrong, answered = _compare(question, case, answer, largest)
        if wrong:
            disagreements[case.name] = wrong
        elif answered:
            agreements += 1
        else:
            unanswered += 1
    return Verified(question, len(cases), agreements, unanswered, disagreements, largest)


def _compare(
    question: Question, case: Case, answer: RAnswer, largest: dict[str, float]
) -> tuple[list[Disagreement], bool]:
    """What is wrong in one case, and whether R had an answer to all of it; `largest` grows."""
    try:
        quantities, flagged = question.ours(case.inputs)
        ours = {name: _flat(value) for name, value in quantities.items()}
    except Exception as error:  # whatever we raise on a case that R was asked about is a disagreement
        return [Disagreement(case.name, "all", f"{type(error).__name__}: {error}", "a number", "expected")], True
    wrong = []
    if flagged is not None and flagged != case.flagged:
        words = {True: "flagged", False: "not flagged"}
        wrong.append(Disagreement(case.name, "degenerate", words[flagged], words[case.flagged], "expected"))
    answered = True
    if not answer.quantities and not case.convention:
        wrong.append(Disagreement(case.name, "all", "some", f"{answer.error or 'nothing'}, and no convention", "R"))
    for name in dict.fromkeys([*answer.quantities, *(name for name in case.convention if name in ours)]):
        theirs = answer.quantities.get(name)
        by = "R"
        if theirs is None or (not question.nan_is_an_answer and any(math.isnan(value) for value in theirs)):
            answered, by = False, "convention"
            if name not in case.convention:
                said = answer.error or "NaN"
                wrong.append(Disagreement(case.name, name, _shown(ours.get(name)), f"{said}, and no convention", "R"))
                continue
            theirs = [case.convention[name]] * len(ours.get(name, [math.nan]))
        kind = _kind(name)
        agree, difference = _beside(ours.get(name), theirs, kind, _floor(question, name))
        if not agree:
            wrong.append(Disagreement(case.name, name, _shown(ours.get(name)), _shown(theirs), by))
        elif by == "R":
            largest[kind] = max(largest.get(kind, 0.0), difference)
    return wrong, answered


def _flat(value: object) -> list[float]:
    """A number, or an array of any shape, as the list of numbers that answers are made of."""
    return np.ravel(np.asarray(value, dtype=np.float64)).tolist()


def _kind(quantity: str) -> str:
    return "area" if quantity in _AREAS else "p" if quantity in _CHANCES else "statistic"


def _floor(question: Question, quantity: str) -> float:
    """The absolute difference that is always allowed."""
    if quantity == "p":
        return question.least_p * P_TOLERANCE
    return 0.0 if quantity == "adjusted" else ROUNDING


def _beside(ours: Sequence[float] | None, theirs: Sequence[float], kind: str, floor: float) -> tuple[bool, float]:
    """Whether all numbers agree, and their largest difference: absolute for areas, else of R's value.

    Numbers so small that only the absolute difference counts are left out of the latter.
    """
    if ours is None or len(ours) != len(theirs):
        return False, math.nan
    a, b = np.asarray(ours), np.asarray(theirs)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b))
    if kind == "area":
        return bool((same | (difference <= AREA_TOLERANCE)).all()), float(difference.max(initial=0.0))
    relative = {"statistic": STATISTIC_TOLERANCE, "p": P_TOLERANCE}[kind] * np.abs(b)
    share = np.divide(difference, np.abs(b), out=np.zeros_like(b), where=(relative > floor) & ~same)
    return bool((same | (difference <= np.maximum(relative, floor))).all()), float(share.max(initial=0.0))


def _shown(values: Sequence[float] | None) -> str:
    if values is None:
        return "nothing"
    shown = ", ".join(f"{value:.15g}" for value in values[:6])
    return shown if len(values) == 1 else f"[{shown}{', …' if len(values) > 6 else ''}]"
