"""One trial an encoder, all of one replicate, and what they said of the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....results.record import Record
    from ....results.store import Store
    from ....tasks.predictions import Predictions
    from .shown_trials import ShownTrials


def one_replicate(trials: ShownTrials, replicate: int | None) -> tuple[Record, ...]:
    """One record an encoder, all of one replicate: the given one, or the first that all have.

    Raises UserError where encoders lack it, or have none in common.
    """
    from ....foundation.errors import UserError

    found = [{each.replicate: each for each in trials.of(name)} for name in trials.encoders]
    common = sorted(set.intersection(*map(set, found)))
    if replicate is None and not common:
        raise UserError("--encoder: no replicate that all of them have; name encoders that share one")
    number = common[0] if replicate is None else replicate
    if number not in common:
        have = ", ".join(map(str, common)) or "none"
        raise UserError(f"--replicate {number}: not one that all encoders have; they share {have}")
    return tuple(each[number] for each in found)


def refuse_hashed(records: Sequence[Record], store: Store) -> None:
    """Raise UserError where images cannot be found by the ids of `records`, because these are hashed."""
    from ....foundation.errors import UserError

    if any("hashed_ids" in record.dataset for record in records):
        raise UserError(
            f"--store {store.path}: its ids are hashed (--hash-ids), so no image can be found; give a store of a run "
            "without --hash-ids"
        )


def aligned(store: Store, records: Sequence[Record], columns: Sequence[str]) -> tuple[Predictions, ...]:
    """The predictions of `records`, their rows in one order.

    Raises UserError where their tables lack one of `columns`, RefusedError where test sets differ.
    """
    from ....foundation.errors import UserError

    predictions = [store.predictions(record) for record in records]
    for record, each in zip(records, predictions, strict=True):
        lacking = [name for name in columns if name not in each.table]
        if lacking:
            raise UserError(
                f"--task {record.task}: its predictions have no {lacking[0]}, so this figure cannot show them; "
                "`cxrbench figure --help` lists the others"
            )
    return tuple(each.aligned_with(predictions[0])[0] for each in predictions)
