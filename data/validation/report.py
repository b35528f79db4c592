"""What a validation found, for people and for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from ..problems import Problem

SCHEMA_VERSION = 1


class State(StrEnum):
    """How much of the dataset is there."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    MORE = "more than a full copy"
    NOT_COMPARED = "not compared"
    NOT_READ = "cannot be read"


@dataclass(frozen=True)
class CountLine:
    """One quantity of `data.counts`, such as `train/images`.

    Attributes:
        name: part and quantity.
        known: in a full copy, by the dataset's card; None where it does not say.
        listed: in the tables of this copy.
        found: among the images that are on disk.
    """

    name: str
    known: int | None
    listed: int
    found: int


@dataclass(frozen=True)
class Report:
    """A validated folder.

    Attributes:
        dataset, folder, layout: what was read, and which of its layouts lay there.
        state: how much of it is there; a partial copy is not wrong.
        synthetic: a phantom, whose counts are not those of the real images.
        listed: images that the tables name.
        found: those that are on disk.
        tried: those of them that were decoded as a check; fewer than `found` in a quick validation.
        decoded: those of them whose file could be decoded.
        counts: compared with the card's.
        problems: all that is wrong, in the order in which it was found.
        missing: sample_id of each image that is listed and not on disk.
        notes: what is worth knowing and not wrong.
    """

    dataset: str
    folder: Path
    layout: str = ""
    state: State = State.NOT_COMPARED
    synthetic: bool = False
    quick: bool = False
    listed: int = 0
    found: int = 0
    tried: int = 0
    decoded: int = 0
    counts: tuple[CountLine, ...] = ()
    problems: tuple[Problem, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing that is there is wrong; a partial copy may be."""
        return not self.problems

    def by_kind(self) -> dict[str, list[Problem]]:
        """The problems of each kind, the most frequent kind first."""
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        return dict(sorted(kinds.items(), key=lambda each: -len(each[1])))

    def to_json(self) -> str:
        """All of it, every problem included, as a JSON document."""
        kinds = {
            kind: [{"where": each.where, "what": each.what, "sample_id": each.sample_id} for each in found]
            for kind, found in self.by_kind().items()
        }
        document = {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "folder": str(self.folder),
            "layout": self.layout,
            "state": self.state.value,
            "ok": self.ok,
            "synthetic": self.synthetic,
            "quick": self.quick,
            "images": {"listed": self.listed, "found": self.found, "tried": self.tried, "decoded": self.decoded},
            "counts": [asdict(line) for line in self.counts],
            "problem_counts": {kind: len(found) for kind, found in kinds.items()},
            "problems": kinds,
            "missing": list(self.missing),
            "notes": list(self.notes),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
