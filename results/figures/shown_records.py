"""Which records a figure shows: one task, variant and protocol, and one set of settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...foundation.errors import UserError, unknown_name
from ..record import Record
from ..settings_choice import of_settings
from ..table import refuse_mixture, refuse_several_weights
from .style import EncoderName


def shown_records(
    records: Iterable[Record],
    encoders: Sequence[str] | None = None,
    protocol: str | None = None,
    variant: str | None = None,
    settings: Sequence[str] = (),
) -> list[Record]:
    """The records that one figure can show, of a task's records.

    Args:
        records: of one task; at least one.
        encoders: names; None takes all.
        protocol, variant: None where there is no choice to make.
        settings: hashes to choose by, see `of_settings`.

    Raises:
        UserError: a name that no record has, or several protocols or variants and none chosen.
        RefusedError: several settings, splits, or weights of one name, see `refuse_mixture`.
    """
    shown = _chosen(list(records), "protocol", protocol)
    shown = _chosen(shown, "variant", variant)
    known = {record.encoder for record in shown}
    for name in encoders or ():
        if name not in known:
            raise UserError(f"--encoder: {unknown_name('encoder in these records', name, known)}")
    shown = [record for record in of_settings(shown, settings) if not encoders or record.encoder in encoders]
    if not shown:
        raise UserError("--settings: these encoders have no records of such settings; leave one of the two out")
    refuse_mixture(shown)
    refuse_several_weights(shown)
    return shown


def of_fraction(records: Sequence[Record], fraction: float | None) -> list[Record]:
    """Those of one fraction: the given one, or the largest that all encoders have.

    Raises UserError where an encoder lacks it, or where encoders have none in common.
    """
    by_encoder: dict[str, set[float]] = {}
    for record in records:
        by_encoder.setdefault(record.encoder, set()).add(record.fraction)
    common = set.intersection(*by_encoder.values())
    if fraction is None and not common:
        have = "; ".join(f"{name}: {_per_cents(found)}" for name, found in sorted(by_encoder.items()))
        raise UserError(f"--encoder: no fraction that all of them have ({have}); name encoders that share one")
    chosen = max(common) if fraction is None else fraction
    for name, found in by_encoder.items():
        if chosen not in found:
            raise UserError(
                f"--fraction {chosen:g}: {name} has {_per_cents(found)} only; choose another, or leave it out of "
                "--encoder"
            )
    return [record for record in records if record.fraction == chosen]


def in_order(records: Sequence[Record], encoders: Sequence[str] | None) -> list[str]:
    """Names of the encoders: as they were asked for, else sorted."""
    return list(encoders) if encoders else sorted({record.encoder for record in records})


def encoder_name(records: Iterable[Record], name: str) -> EncoderName:
    """`name` with the signs of its records."""
    mine = [record for record in records if record.encoder == name]
    return EncoderName(
        name,
        contaminated=any(record.contaminated for record in mine),
        unverified=any(record.unverified for record in mine),
        left_out=max((record.left_out for record in mine), default=0),
    )


def _chosen(records: list[Record], what: str, wanted: str | None) -> list[Record]:
    known = sorted({getattr(record, what) for record in records})
    if wanted is None:
        if len(known) > 1:
            raise UserError(f"--{what}: there are records of {', '.join(known)}; choose one")
        return records
    if wanted not in known:
        raise UserError(f"--{what}: {unknown_name(f'{what} in these records', wanted, known)}")
    return [record for record in records if getattr(record, what) == wanted]


def _per_cents(fractions: Iterable[float]) -> str:
    return ", ".join(f"{each:g}" for each in sorted(fractions)) + " %"
