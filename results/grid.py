"""A table as people see it, before it is text, Markdown, CSV or LaTeX."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """What a cell shows, as records name it.

    Attributes:
        fraction: per cent of the training patients.
        settings: hash of the settings of our number; empty for a paper's.
    """

    task: str
    variant: str
    protocol: str
    fraction: float
    metric: str
    settings: str = ""


@dataclass(frozen=True)
class Entry:
    """One cell.

    Attributes:
        value: the number; None where there is none.
        sd: standard deviation over replicates, None where there is none.
        decimals: digits after the point.
        text: what stands there instead of a number: `undefined`, a rank interval, a letter.
        count: how it is made, where cells differ in that: `7/10`.
        best, second: place in its column.
        marks: signs of tests, such as `*` and `†`; the notes say what they mean.
        published: a paper's number, not ours.
        contaminated: the encoder saw images of this dataset in pretraining.
        left_out: how many images of the dataset the user went on without.
        unverified: the weights are not known to be the published ones.
        source: where a published number stands.
        about: what it is a number of; None for what is not measured, such as a rank.
    """

    value: float | None = None
    sd: float | None = None
    decimals: int = 3
    text: str = ""
    count: str = ""
    best: bool = False
    second: bool = False
    marks: str = ""
    published: bool = False
    contaminated: bool = False
    left_out: int = 0
    unverified: bool = False
    source: str = ""
    about: About | None = None


@dataclass(frozen=True)
class Column:
    """A column's heading; neighbours of one group share a heading above."""

    title: str
    group: str = ""
    published: bool = False


@dataclass(frozen=True)
class Row:
    """A row's label and one Entry a column; neighbours of one group stand together under its name.

    Attributes:
        encoder: behind the row; empty where it has none.
    """

    label: str
    entries: tuple[Entry, ...]
    group: str = ""
    encoder: str = ""


@dataclass(frozen=True)
class Grid:
    """A whole table.

    Attributes:
        name: how the command line calls it, and the label in LaTeX.
        title: caption.
        notes: what must be read with the numbers; printed below.
        synthetic: whether any of our numbers comes of phantoms: said in every form.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    row_title: str = "Encoder"
