"""Numbers that the papers print, each with where it stands."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "published"
MEAN_CHECK = "mlvicx_table1_mean_check.csv"

# Label of the means that follow from the fourteen printed AUCs of a row; the paper prints another one.
COMPUTED_MEAN = "Mean of 14, computed"


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a paper.

    Attributes:
        paper: IFA, CheSS or MLVICX.
        table: number of the table as the paper writes it (`II`), or `text(T7)` for the text about a table.
        dataset, model, protocol, fraction, label, metric: what it is about, as printed.
        printed: the value as printed; empty where only a p-value is given.
        printed_sd: its standard deviation as printed, or empty.
        p_value: as printed (`<0.001`), or empty.
        source: paper and place.
    """

    paper: str
    table: str
    dataset: str
    model: str
    protocol: str
    fraction: str
    label: str
    metric: str
    printed: str
    printed_sd: str
    p_value: str
    source: str

    @property
    def value(self) -> float | None:
        """The printed value; None where there is none."""
        return float(self.printed) if self.printed else None

    @property
    def sd(self) -> float | None:
        """The printed standard deviation; None where there is none."""
        return float(self.printed_sd) if self.printed_sd else None

    @property
    def decimals(self) -> int:
        """Digits after the point as printed."""
        return len(self.printed.partition(".")[2])


@dataclass(frozen=True)
class MeanCheck:
    """A printed mean of MLVICX's Table I beside the mean of the fourteen AUCs printed in its row.

    Attributes:
        computed: mean of the fourteen, to four digits, as text.
        printed: what the paper prints.
        flag: rounding, minor or inconsistent.
    """

    fraction: str
    model: str
    computed: str
    printed: float
    flag: str

    @property
    def fifteenth(self) -> float:
        """AUC that a fifteenth label would need for the printed mean to be a mean of fifteen; above 1: impossible."""
        return 15 * self.printed - 14 * float(self.computed)


@cache
def published_numbers() -> tuple[PublishedNumber, ...]:
    """All numbers in the order of their files; the means computed in the check of Table I come last."""
    found: list[PublishedNumber] = []
    for path in sorted(FOLDER.glob("*.csv")):
        if path.name != MEAN_CHECK:
            found += [_number(line) for line in _lines(path)]
    return (*found, *(_computed(check) for check in mean_checks()))


def published_number(
    paper: str, table: str, dataset: str, model: str, protocol: str, fraction: str, label: str, metric: str
) -> PublishedNumber | None:
    """The number printed at one place; None where nothing is printed."""
    return _by_place().get((paper, table, dataset, model, protocol, fraction, label, metric))


@cache
def mean_checks() -> tuple[MeanCheck, ...]:
    """The check of every printed mean of MLVICX's Table I."""
    return tuple(
        MeanCheck(
            fraction=line["fraction"],
            model=line["model"],
            computed=line["computed_mean_14"],
            printed=float(line["printed_mean"]),
            flag=line["flag"],
        )
        for line in _lines(FOLDER / MEAN_CHECK)
    )


@cache
def _by_place() -> dict[tuple[str, ...], PublishedNumber]:
    return {
        (each.paper, each.table, each.dataset, each.model, each.protocol, each.fraction, each.label, each.metric): each
        for each in published_numbers()
        if each.printed
    }


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _number(line: dict[str, str]) -> PublishedNumber:
    rest = {key: text for key, text in line.items() if key not in ("value", "sd")}
    return PublishedNumber(printed=line["value"], printed_sd=line["sd"], **rest)


def _computed(check: MeanCheck) -> PublishedNumber:
    return PublishedNumber(
        paper="MLVICX",
        table="I",
        dataset="NIH ChestX-ray14",
        model=check.model,
        protocol="finetune",
        fraction=check.fraction,
        label=COMPUTED_MEAN,
        metric="AUC",
        printed=check.computed,
        printed_sd="",
        p_value="",
        source="computed: mean of the 14 AUCs printed in this row of MLVICX (arXiv:2403.11504v1), Table I",
    )
