"""Answers to the questions of the cross-check, whoever gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Numbers by quantity; a batch gives one list, its rows one after another.
Answer = Mapping[str, list[float]]


@dataclass(frozen=True)
class RAnswer:
    """What R said to one case: numbers by quantity, NaN where it has none; or the error it stopped with."""

    digest: str
    quantities: Answer
    error: str | None = None


@dataclass(frozen=True)
class Referee:
    """R's answers by question and name of the case, and who gave them.

    Attributes:
        versions: of R, pROC and coin.
        recorded: the day on which the answers were written down; None for R itself, asked just now.
        answers: [question][case].
    """

    versions: Mapping[str, str]
    recorded: str | None
    answers: Mapping[str, Mapping[str, RAnswer]]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{versions}, asked now" if self.recorded is None else f"{versions}, as recorded on {self.recorded}"
