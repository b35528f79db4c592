"""A small table with everything in it that a form must show."""

from __future__ import annotations

from cxrbench.results.grid import About, Column, Entry, Grid, Row

NASTY = r'a_b & 50 % of $x$ #1 {y} \z ~t ^u <v> "w" | --row é ± 中'


def small(synthetic: bool = True) -> Grid:
    best = Entry(
        value=0.81234,
        sd=0.0123,
        best=True,
        contaminated=True,
        about=About("chexpert", "default", "frozen", 1.0, "auc", "aaaaaaaa"),
    )
    second = Entry(value=0.7, sd=0.02, count="7/10", second=True, marks="*†")
    printed = Entry(value=0.79, decimals=3, published=True, marks="§", source="A paper, Table 1")
    return Grid(
        name="ifa-7",
        title="AUC & more",
        columns=(Column("1 %", "mean AUC"), Column("10 %", "mean AUC"), Column("1 %", "published", published=True)),
        rows=(
            Row("CheSS", (best, Entry(), printed), "radiographs", "chess"),
            Row(
                "my_encoder",
                (second, Entry(text="undefined", count="0/10"), Entry(published=True)),
                "other encoders",
                "my_encoder",
            ),
        ),
        notes=("* p < 0.05: a test.", NASTY),
        synthetic=synthetic,
        row_title="Model",
    )


def wide() -> Grid:
    """14 + 14 columns with long headings, 60 rows."""
    titles = [f"Consolidation {number}" for number in range(14)]
    columns = [Column(title, "AUC") for title in titles]
    columns += [Column(title, "AUC, published", published=True) for title in titles]
    entries = tuple(Entry(value=0.5, published=column.published) for column in columns)
    rows = tuple(Row(f"encoder {number}", entries, f"{number // 15} %") for number in range(60))
    return Grid("wide", "Wide", tuple(columns), rows, ("A note.",))
