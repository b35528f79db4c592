"""What a table of a paper looks like: rows, columns and blocks, one TOML a table in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ...foundation.errors import UserError, unknown_name
from ...foundation.settings import Settings, read_toml, validated
from ...tasks.trial import TestName

FOLDER = Path(__file__).parent
BEST = "best"

PlaceKey = tuple[str, str, str, float, str]


class Printed(Settings):
    """Where a published number stands in the CSVs; an empty field stands for nothing printed.

    Attributes:
        table: number of the table as the paper writes it, or `abstract`.
        label: as printed; where none is given, the title of the column.
        protocol: as printed; None takes the protocol of the cell.
        fraction: as printed; None takes the fraction of the cell.
    """

    table: str = ""
    dataset: str = ""
    label: str = ""
    metric: str = ""
    protocol: str | None = None
    fraction: str | None = None


class Place(Settings):
    """What a cell shows of every encoder.

    Attributes:
        replicates: how many the paper runs.
        lower_is_better: direction of the metric.
        paper_test: the paper's own test of this column, or empty.
        deciding_test: the test that says which of two encoders is better, or empty.
        spread: whether the paper prints standard deviations.
        decimals: digits after the point; None takes those of the table.
        needs: what a run must be given for this metric to have a value, where it is more than the data.
        printed: the published number of the same place.
    """

    task: str
    variant: str = "default"
    protocol: Literal["frozen", "finetune"]
    fraction: float = Field(gt=0, le=100)
    metric: str
    replicates: int = Field(default=1, ge=1)
    lower_is_better: bool = False
    paper_test: TestName | Literal[""] = ""
    deciding_test: TestName | Literal[""] = ""
    spread: bool = True
    decimals: int | None = Field(default=None, ge=0)
    needs: str = ""
    printed: Printed = Printed()

    @property
    def key(self) -> PlaceKey:
        """Task, variant, protocol, fraction and metric."""
        return self.task, self.variant, self.protocol, self.fraction, self.metric


class PaperRow(Settings):
    """A row of a paper.

    Attributes:
        label: as the paper prints it.
        encoder: name under which a store holds it; empty where it is not known which one that would be.
        group: rows of one group stand together under its name.
        model: as the CSVs name it; empty where it is the label.
    """

    label: str
    encoder: str = ""
    group: str = ""
    model: str = ""


class PaperColumn(Settings):
    """A column of a paper.

    Attributes:
        group: columns of one group share a heading.
        beside: whether the published numbers get a column beside it.
        cells: what its cells show, over what all cells share.
    """

    title: str
    group: str = ""
    beside: bool = True
    cells: dict[str, Any] = Field(default_factory=dict)


class Block(Settings):
    """All rows once more at another fraction or protocol; encoders are ranked inside a block."""

    title: str = ""
    cells: dict[str, Any] = Field(default_factory=dict)


class Layout(Settings):
    """A table of a paper.

    Attributes:
        name: how the command line calls it.
        paper: CheSS, IFA or MLVICX.
        number: of the table, as the paper writes it; empty where its numbers stand in no table of it that is open.
        text: how the CSVs name the paper's text about this table.
        protocol: to show instead of the paper's; empty for the paper's own.
        reference: `best` (of the column) or a row's label: what the others are tested against; empty for no tests.
        cells: what all cells share.
        groups: what the columns of one group share over that.
        notes: sentences for whoever reads the table.
        published_notes: sentences about the published numbers.
    """

    name: str
    paper: str
    number: str = ""
    title: str
    source: str
    text: str = ""
    protocol: Literal["", "frozen", "finetune"] = ""
    reference: str = ""
    decimals: int = 3
    cells: dict[str, Any] = Field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = Field(default_factory=dict)
    rows: tuple[PaperRow, ...]
    columns: tuple[PaperColumn, ...]
    blocks: tuple[Block, ...] = (Block(),)
    notes: tuple[str, ...] = ()
    published_notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = (
            ("cell", [" ".join(map(str, place.key)) for place in self.places()]),
            ("row", [row.label for row in self.rows]),
            ("encoder", [row.encoder for row in self.rows if row.encoder]),
        )
        for what, given in names:
            twice = sorted({name for name in given if given.count(name) > 1})
            if twice:
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        strangers = set(self.groups) - {column.group for column in self.columns}
        if strangers:
            raise ValueError(f"groups without a column: {', '.join(sorted(strangers))}")
        if self.reference not in ("", BEST, *(row.label for row in self.rows)):
            raise ValueError(f"reference {self.reference!r} is not a row")
        return self

    def place(self, block: Block, column: PaperColumn) -> Place:
        """What stands in `column` of `block`. Raises UserError where the TOML does not say all of it."""
        values: dict[str, Any] = {"printed": {"label": column.title}}
        for over in (self.cells, self.groups.get(column.group, {}), block.cells, column.cells):
            values = _merged(values, over)
        place = validated(Place, values, f"{self.name}: {' '.join(filter(None, (block.title, column.title)))}")
        own = {"protocol": place.protocol, "fraction": f"{place.fraction:g}%"}
        printed = place.printed.model_copy(
            update={name: given for name, given in own.items() if getattr(place.printed, name) is None}
        )
        return place.model_copy(update={"printed": printed, "protocol": self.protocol or place.protocol})

    def places(self) -> Iterator[Place]:
        """All places, block by block."""
        for block in self.blocks:
            for column in self.columns:
                yield self.place(block, column)

    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks it shows, in their order."""
        return tuple(dict.fromkeys(place.task for place in self.places()))


def layout_names() -> tuple[str, ...]:
    """Names of all tables: `chess`, `ifa-5` ... `mlvicx-4`, in the papers' order."""
    names = (path.stem.replace("_", "-") for path in FOLDER.glob("*.toml"))
    return tuple(sorted(names, key=_paper_and_number))


@cache
def layout_of(name: str) -> Layout:
    """The table `name`. Raises UserError for an unknown name or a broken TOML."""
    if name not in layout_names():
        raise unknown_name("table", name, layout_names())
    return read_layout(FOLDER / f"{name.replace('-', '_')}.toml")


def read_layout(path: Path) -> Layout:
    """Read and check a table's TOML. Raises UserError naming file and key."""
    try:
        return validated(Layout, {"name": path.stem.replace("_", "-"), **read_toml(path)}, str(path))
    except UserError as error:
        # An error in a cell names the table, not the file.
        raise error if str(path) in str(error) else UserError(f"{path}: {error}") from error


def _paper_and_number(name: str) -> tuple[str, int]:
    paper, _, number = name.partition("-")
    return paper, int(number or 0)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`under` with the keys of `over`, tables merged in depth."""
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
