"""A paper's table filled with our numbers, and the paper's beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ...foundation.errors import UserError, unknown_name
from ...foundation.progress import Progress, SilentProgress
from ..grid import About, Column, Entry, Grid, Row
from ..record import Record
from .cells import BLANK, PaperCell, cells_of, entry, in_order
from .layout import BEST, Block, Layout, PaperColumn, PaperRow, Place, PlaceKey
from .marks import Compare, Marks, significance
from .notes import IMPOSSIBLE, Choice, impossible, notes
from .printed import printed_number
from .selection import select

OTHERS = "other encoders"

_NO_MARKS = Marks({}, (), ())


@dataclass(frozen=True)
class _Line:
    """One row of the table to be: in which block, which row of the paper (None: an encoder that is not in it)."""

    block: Block
    row: PaperRow | None
    encoder: str


def paper_table(
    layout: Layout,
    records: Sequence[Record],
    known_tasks: Collection[str],
    compare: Compare | None = None,
    choice: Choice | None = None,
    progress: Progress | None = None,
) -> Grid:
    """Fill `layout` with the means of `records`.

    Args:
        layout: rows and columns.
        records: of one store; what the table does not show is passed over.
        known_tasks: names of the registered tasks: the others are named in a note.
        compare: makes the paired tests; None leaves the signs of significance out.
        choice: what the user asked for.
        progress: who is told.

    Raises:
        UserError: an unknown row, encoder, protocol or settings hash in `choice`.
        RefusedError: several settings or versions in one column, or test sets that differ.
    """
    choice = choice or Choice()
    protocol = _protocol(layout, records, choice.protocol)
    layout = layout if protocol is None else _under(layout, protocol)
    places = list(layout.places())
    shown = select(records, places, choice.settings)
    rows = _mapped(layout, choice.encoders, {record.encoder for record in records})
    cells = cells_of(shown, places)
    lines = _lines(layout, rows, cells)
    orders = {place.key: in_order(cells[place.key], place.lower_is_better) for place in places}
    references = _references(layout, rows, cells, orders)
    marks = _NO_MARKS
    if compare is not None:
        marks = significance(
            places,
            {key: [name for name, cell in column.items() if cell.mean is not None] for key, column in cells.items()},
            references,
            shown,
            compare,
            progress or SilentProgress(),
            layout.reference == BEST,
        )
    columns = _columns(layout, choice.published)
    filled = _Filled(layout, cells, orders, marks, choice.spread)
    table = tuple(filled.row(line, columns) for line in lines)
    incomplete = any(each.count for row in table for each in row.entries)
    return Grid(
        name=layout.name,
        title=f"{layout.title} (as {' Table '.join(filter(None, (layout.paper, layout.number)))})",
        columns=tuple(heading for heading, _ in columns),
        rows=table,
        notes=notes(layout, rows, shown, known_tasks, incomplete, references, marks, choice),
        synthetic=any(record.synthetic for record in shown),
        row_title="Model",
    )


class _Filled:
    """Entries of the table."""

    def __init__(
        self,
        layout: Layout,
        cells: Mapping[PlaceKey, Mapping[str, PaperCell]],
        orders: Mapping[PlaceKey, list[list[str]]],
        marks: Marks,
        spread: bool,
    ):
        self._layout, self._cells, self._orders, self._marks, self._spread = layout, cells, orders, marks, spread

    def row(self, line: _Line, columns: Sequence[tuple[Column, PaperColumn]]) -> Row:
        """The row of one line, a cell a column."""
        entries = []
        for heading, column in columns:
            place = self._layout.place(line.block, column)
            entries.append(
                _printed(self._layout.paper, line.row, place) if heading.published else self._ours(line.encoder, place)
            )
        group = line.row.group if line.row else OTHERS
        block = line.block.title
        return Row(
            label=line.row.label if line.row else line.encoder,
            entries=tuple(entries),
            group=", ".join(filter(None, (block, group))),
            encoder=line.encoder,
        )

    def _ours(self, encoder: str, place: Place) -> Entry:
        cell = self._cells[place.key].get(encoder)
        about = About(*place.key, settings=cell.settings if cell else "")
        if cell is None:
            return replace(BLANK, about=about)
        order = self._orders[place.key]
        return replace(
            entry(cell, place, self._layout.decimals, place.spread or self._spread),
            best=bool(order) and encoder in order[0],
            second=len(order) > 1 and encoder in order[1],
            marks=self._marks.signs.get((place.key, encoder), ""),
            about=about,
        )


def _printed(paper: str, row: PaperRow | None, place: Place) -> Entry:
    """The paper's own number, or a blank one."""
    # Under another protocol than the paper's, the printed number stays that of the paper's.
    about = About(place.task, place.variant, place.printed.protocol or "", place.fraction, place.metric)
    number = None if row is None else printed_number(paper, row, place)
    if number is None:
        return Entry(published=True, about=about)
    marks = IMPOSSIBLE if impossible(number) else ""
    return Entry(
        number.value, number.sd, number.decimals, marks=marks, published=True, source=number.source, about=about
    )


def _columns(layout: Layout, published: bool) -> list[tuple[Column, PaperColumn]]:
    """Headings with what stands below: the columns of a group, then the published ones of that group."""
    columns: list[tuple[Column, PaperColumn]] = []
    for group in dict.fromkeys(column.group for column in layout.columns):
        ours = [column for column in layout.columns if column.group == group]
        columns += [(Column(column.title, group), column) for column in ours]
        if published:
            heading = f"{group}, published" if group else "published"
            columns += [(Column(column.title, heading, published=True), column) for column in ours if column.beside]
    return columns


def _lines(layout: Layout, rows: Sequence[PaperRow], cells: Mapping[PlaceKey, Mapping[str, PaperCell]]) -> list[_Line]:
    """The paper's rows, and below them in each block the encoders that are not in the paper."""
    known = {row.encoder for row in rows}
    lines = []
    for block in layout.blocks:
        lines += [_Line(block, row, row.encoder) for row in rows]
        keys = [layout.place(block, column).key for column in layout.columns]
        others = {encoder for key in keys for encoder in cells[key]} - known
        lines += [_Line(block, None, encoder) for encoder in sorted(others)]
    return lines


def _mapped(layout: Layout, encoders: Mapping[str, str], stored: Collection[str]) -> tuple[PaperRow, ...]:
    """The paper's rows with the encoders that the user put behind them."""
    for label, encoder in encoders.items():
        if label not in {row.label for row in layout.rows}:
            raise UserError(f"--row: {layout.name}: {unknown_name('row', label, [row.label for row in layout.rows])}")
        if encoder not in stored:
            raise UserError(f"--row {label}={encoder}: {unknown_name('encoder', encoder, stored)}")
    rows = tuple(row.model_copy(update={"encoder": encoders.get(row.label, row.encoder)}) for row in layout.rows)
    used: dict[str, str] = {}
    for row in rows:
        other = used.setdefault(row.encoder, row.label) if row.encoder else row.label
        if other != row.label:
            raise UserError(
                f"--row: {row.encoder} would stand for two rows, {other!r} and {row.label!r}; map the other one too"
            )
    return rows


def _protocol(layout: Layout, records: Sequence[Record], asked: str | None) -> str | None:
    """The protocol to show instead of the paper's; None for the paper's own."""
    own = {place.protocol for place in layout.places()}
    tasks = layout.tasks()
    stored = {record.protocol for record in records if record.task in tasks}
    if asked is not None and len(own) > 1:
        raise UserError(f"--protocol: {layout.name} shows both protocols; leave the option out")
    if asked is not None and stored and asked not in stored:
        raise UserError(f"--protocol: {unknown_name(f'protocol in this store for {layout.name}', asked, stored)}")
    if asked is not None or len(own) > 1:
        return None if {asked} == own else asked
    return None if stored & own or not stored else sorted(stored)[0]


def _under(layout: Layout, protocol: str) -> Layout:
    """`layout` under another protocol; published numbers are those of the paper's own."""
    return layout.model_copy(update={"protocol": protocol})


def _references(
    layout: Layout,
    rows: Sequence[PaperRow],
    cells: Mapping[PlaceKey, Mapping[str, PaperCell]],
    orders: Mapping[PlaceKey, list[list[str]]],
) -> dict[PlaceKey, str]:
    """Place -> the encoder that the others are tested against, where there is one with a value."""
    if not layout.reference:
        return {}
    if layout.reference == BEST:
        return {key: order[0][0] for key, order in orders.items() if order}
    encoder = next(row.encoder for row in rows if row.label == layout.reference)
    return {key: encoder for key, column in cells.items() if encoder in column and column[encoder].mean is not None}
