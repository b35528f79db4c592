"""The trials of one task, variant, protocol and fraction that a figure shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....results.figures.style import EncoderName
    from ....results.record import Record
    from ....results.store import Store
    from ....tasks.task import Task
    from ..options import Protocol


@dataclass(frozen=True)
class ShownTrials:
    """What the options of a figure leave of a store.

    Attributes:
        store: where the predictions lie.
        task: the task.
        records: of one variant, protocol, fraction and set of settings.
        encoders: names, in the order in which they are shown.
    """

    store: Store
    task: Task
    records: Sequence[Record]
    encoders: Sequence[str]

    @property
    def title(self) -> str:
        """What the trials are, in words."""
        from ....results.figures.titles import trials_in_words

        one = self.records[0]
        return trials_in_words(self.task.meta.title, one.variant, one.protocol, one.fraction)

    @property
    def synthetic(self) -> bool:
        """Whether any of them is of a phantom."""
        return any(record.synthetic for record in self.records)

    @property
    def fraction(self) -> float:
        """Per cent of the training patients."""
        return self.records[0].fraction

    def names(self) -> list[EncoderName]:
        """The encoders with their signs."""
        from ....results.figures.shown_records import encoder_name

        return [encoder_name(self.records, name) for name in self.encoders]

    def of(self, encoder: str) -> list[Record]:
        """The records of one encoder, a replicate each."""
        return [record for record in self.records if record.encoder == encoder]


def shown_trials(
    task: str,
    encoder: str | None,
    protocol: Protocol | None,
    variant: str | None,
    settings: str | None,
    fraction: str | None,
    store: Path | None,
    include: Sequence[Path] | None,
) -> ShownTrials:
    """The trials that these options, as they were given, leave.

    Raises UserError and RefusedError as `stored_records`, `cxrbench.results.figures.shown_records.shown_records` and
    `of_fraction` do.
    """
    from ....results.figures.shown_records import in_order, of_fraction, shown_records
    from ....tasks.registry import tasks
    from ...config import parse_list
    from ..stored import stored_records
    from .options import one_fraction

    encoders, hashes = parse_list("--encoder", encoder), parse_list("--settings", settings) or ()
    wanted = one_fraction(fraction)
    found, records = stored_records(store, include, task)
    records = shown_records(records, encoders, None if protocol is None else protocol.value, variant, hashes)
    return ShownTrials(found, tasks.get(task), of_fraction(records, wanted), in_order(records, encoders))
