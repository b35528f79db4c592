"""What is wrong with single rows and files of a dataset, collected while it is read instead of one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..foundation.errors import UserError

SHOWN = 20
MISSING_IMAGE = "missing image"
INCOMPLETE = "incomplete copy"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in a form that a person can act on.

    Attributes:
        kind: what sort of problem, in few words, such as `missing image` or `box outside its image`; problems are
            counted by it.
        where: the file, and the row where there is one: `train.csv, row 17`.
        what: what is wrong there, in words, with the value found.
        sample_id: the sample that is left out if the user goes on without it; empty where the problem concerns no
            single sample, and then nothing is left out.
    """

    kind: str
    where: str
    what: str
    sample_id: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def only_incomplete(self) -> bool:
        """Whether something is not there, as in a part of the download, and nothing that is there is wrong."""
        return self.kind in (MISSING_IMAGE, INCOMPLETE)


class Problems:
    """Problems in the order in which they were found."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, kind: str, where: str | Path, what: str, sample_id: str = "") -> None:
        """Remember one problem."""
        self._found.append(Problem(kind, str(where), what, sample_id))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Remember several."""
        self._found.extend(problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def counts(self) -> dict[str, int]:
        """Number of problems of each kind, the most frequent first."""
        return dict(Counter(problem.kind for problem in self._found).most_common())

    def reasons(self) -> dict[str, str]:
        """sample_id -> the first thing that is wrong with it, for each sample that would be left out."""
        reasons: dict[str, str] = {}
        for problem in self._found:
            if problem.sample_id:
                reasons.setdefault(problem.sample_id, str(problem))
        return reasons

    def refusal(self, dataset: str) -> UserError:
        """One error that names up to 20 of the problems and how many there are of each kind."""
        way_out = self._way_out()
        if len(self) == 1:
            return UserError(f"{dataset}: {self._found[0]}; {way_out}")
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.counts().items())
        shown = "".join(f"\n  {problem}" for problem in self._found[:SHOWN])
        more = f"\n  ... and {len(self) - SHOWN} more" if len(self) > SHOWN else ""
        return UserError(f"{dataset}: {len(self)} problems ({kinds}):{shown}{more}\n{way_out}")

    def _way_out(self) -> str:
        if all(problem.only_incomplete for problem in self._found):
            mend = "complete the copy"
        else:
            mend = "mend it" if len(self) == 1 else "mend them"
        without = any(problem.sample_id for problem in self._found)
        images = "this image" if len(self) == 1 else "these images"
        return f"{mend}, or go on without {images}: --skip-unreadable" if without else mend
