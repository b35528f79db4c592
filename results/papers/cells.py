"""Our cells of a paper's table: mean and SD over replicates, and their places in a column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..grid import Entry
from ..record import Record
from ..table import mean_and_sd
from .layout import Place, PlaceKey

UNDEFINED = "undefined"
UNAVAILABLE = "unavailable"
NOT_RECORDED = "not recorded"
BLANK = Entry()


@dataclass(frozen=True)
class PaperCell:
    """One encoder at one place.

    Attributes:
        values: replicate -> the metric; None where it is undefined.
        recorded: whether the records know this metric at all.
        contaminated: whether the encoder saw images of this dataset in pretraining.
        left_out: how many images of the dataset the user went on without.
        unverified: whether the weights are not known to be the published ones.
        settings: hash of the settings that its records share.
    """

    values: Mapping[int, float | None]
    recorded: bool
    contaminated: bool
    settings: str = ""
    left_out: int = 0
    unverified: bool = False

    @property
    def defined(self) -> dict[int, float]:
        """The replicates that have a value."""
        return {replicate: value for replicate, value in self.values.items() if value is not None}

    @property
    def mean(self) -> float | None:
        """Mean over the defined replicates; None without one."""
        return mean_and_sd(list(self.defined.values()))[0]

    @property
    def sd(self) -> float | None:
        """Sample standard deviation (n - 1); None with fewer than two."""
        return mean_and_sd(list(self.defined.values()))[1]


def cells_of(records: Iterable[Record], places: Iterable[Place]) -> dict[PlaceKey, dict[str, PaperCell]]:
    """Place -> encoder -> its cell. `records` must hold every draw once."""
    found: dict[tuple[str, str, str, float], list[Record]] = defaultdict(list)
    for record in records:
        found[record.task, record.variant, record.protocol, record.fraction].append(record)
    cells: dict[PlaceKey, dict[str, PaperCell]] = {}
    for place in places:
        by_encoder: dict[str, list[Record]] = defaultdict(list)
        for record in found.get(place.key[:4], ()):
            by_encoder[record.encoder].append(record)
        cells[place.key] = {encoder: _cell(mine, place.metric) for encoder, mine in by_encoder.items()}
    return cells


def in_order(column: Mapping[str, PaperCell], lower_is_better: bool) -> list[list[str]]:
    """Encoders from best to last, those of equal means together.

    Only encoders that are defined on all replicates of the column have a place: a mean over other draws is not
    comparable. Empty with fewer than two of them, for then nothing is best.
    """
    draws = {replicate for cell in column.values() for replicate in cell.defined}
    means = {
        encoder: cell.mean for encoder, cell in column.items() if cell.mean is not None and set(cell.defined) == draws
    }
    if len(means) < 2:
        return []
    values = sorted(set(means.values()), reverse=not lower_is_better)
    return [[encoder for encoder, mean in means.items() if mean == value] for value in values]


def entry(cell: PaperCell, place: Place, decimals: int, spread: bool) -> Entry:
    """What stands in the table, without its place in the column and without marks.

    Args:
        cell: of one encoder.
        place: where it stands.
        decimals: digits after the point where the place has none of its own.
        spread: whether the standard deviation is shown.
    """
    marked = Entry(contaminated=cell.contaminated, left_out=cell.left_out, unverified=cell.unverified)
    if cell.mean is None and place.needs:
        return replace(marked, text=UNAVAILABLE)
    if cell.mean is None:
        text = UNDEFINED if cell.recorded else NOT_RECORDED
        count = f"0/{max(len(cell.values), place.replicates)}"
        return replace(marked, text=text, count=count)
    return replace(
        marked,
        value=cell.mean,
        sd=cell.sd if spread else None,
        decimals=decimals if place.decimals is None else place.decimals,
        count=_count(len(cell.defined), len(cell.values), place.replicates),
    )


def _cell(records: list[Record], metric: str) -> PaperCell:
    return PaperCell(
        values={record.replicate: record.metrics.get(metric) for record in records},
        recorded=any(metric in record.metrics for record in records),
        contaminated=any(record.contaminated for record in records),
        settings=records[0].settings_hash,
        left_out=max(record.left_out for record in records),
        unverified=any(record.unverified for record in records),
    )


def _count(defined: int, stored: int, planned: int) -> str:
    """`7/10` where replicates are missing or undefined, `12` where there are more than the paper has."""
    if defined == planned == stored:
        return ""
    return f"{defined}/{max(stored, planned)}" if defined < max(stored, planned) else str(defined)
