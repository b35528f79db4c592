"""A board as a Grid, for text, Markdown and LaTeX."""

from __future__ import annotations

from ..grid import Column, Entry, Grid, Row
from ..rendering.cell import CONTAMINATED, UNVERIFIED_WORDS, left_out_notes
from ..rendering.protocols import protocol_in_words
from .board import Board, BoardCell
from .ranking import Ranking, places

MOST_MISSING = 3
READING = "Mean ± SD over n replicates; columns are per cent of the training patients; · was not run."


def board_grids(board: Board, ranking: Ranking, most_columns: int | None = None) -> list[Grid]:
    """Ranked encoders first, best at the top, then the incomplete ones by name.

    Args:
        board: what to show.
        ranking: of `board`.
        most_columns: where there are more columns of results, the board is several grids, each of whole tasks where
            that fits; ranks and notes stand in the first.
    """
    parts = _parts(board, most_columns)
    name = f"leaderboard-{board.protocol}{'-synthetic' if board.synthetic else ''}"
    title = f"Leaderboard, {protocol_in_words(board.protocol)}"
    if len(parts) == 1:
        return [_grid(board, ranking, parts[0], name, title)]
    return [
        _grid(board, ranking, part, f"{name}-{number}", f"{title} ({number} of {len(parts)})")
        for number, part in enumerate(parts, 1)
    ]


def _parts(board: Board, most: int | None) -> list[list[int]]:
    """Positions of columns, cut between tasks, and inside one that alone has more than `most` columns."""
    if most is None:
        return [list(range(len(board.columns)))]
    parts: list[list[int]] = [[]]
    for task in board.tasks:
        positions = [position for position, column in enumerate(board.columns) if column.task == task]
        if parts[-1] and len(parts[-1]) + len(positions) > most:
            parts.append([])
        for position in positions:
            if len(parts[-1]) == most:
                parts.append([])
            parts[-1].append(position)
    return parts


def _grid(board: Board, ranking: Ranking, positions: list[int], name: str, title: str) -> Grid:
    first = 0 in positions
    marked = places(board)
    rows = []
    for encoder in (*ranking.encoders, *ranking.incomplete):
        cells = [
            _entry(board.cells.get((encoder, at)), marked.get((encoder, at), 0), board.columns[at].replicates)
            for at in positions
        ]
        rows.append(Row(encoder, (*(_standing(encoder, board, ranking) if first else ()), *cells)))
    titles = [Column("Average rank")] if first else []
    titles += [Column("Rank interval"), Column("Group")] if first and ranking.letters else []
    for at in positions:
        column = board.columns[at]
        titles.append(Column(f"{column.fraction:g} % (n={column.replicates})", f"{column.block}: {column.metric}"))
    saw = any(entry.contaminated for row in rows for entry in row.entries)
    signs = [f"{CONTAMINATED} contaminated: the encoder saw images of the dataset in pretraining."] if saw else []
    signs += [UNVERIFIED_WORDS] if any(entry.unverified for row in rows for entry in row.entries) else []
    return Grid(
        name=name,
        title=title,
        columns=tuple(titles),
        rows=tuple(rows),
        notes=(*signs, *((READING, *board_notes(board, ranking)) if first else ())),
        synthetic=board.synthetic,
    )


def board_notes(board: Board, ranking: Ranking) -> tuple[str, ...]:
    """What must be read with the ranks, in sentences: how they were made, how certain they are, who has none."""
    notes = []
    if ranking.average:
        notes.append(
            "Average rank: rank inside each task, averaged over tasks; 1 is best. Fractions and variants of a task are "
            "averaged inside it, so a task counts once."
        )
    notes.append(ranking.reading)
    for name, missing in ranking.incomplete.items():
        more = f" and {len(missing) - MOST_MISSING} more" if len(missing) > MOST_MISSING else ""
        notes.append(f"{name} has no rank; it lacks {', '.join(missing[:MOST_MISSING])}{more}.")
    lower = sorted({column.metric for column in board.columns if not column.higher_is_better})
    if lower:
        notes.append(f"Lower is better: {', '.join(lower)}.")
    contaminated = sorted(
        {(name, board.columns[position].dataset) for (name, position), one in board.cells.items() if one.contaminated}
    )
    for name, dataset in contaminated:
        notes.append(f"Contaminated: {name} saw images of {dataset} in pretraining; its rank counts those cells.")
    for name in sorted({name for (name, _), one in board.cells.items() if one.cell.unverified}):
        notes.append(f"Unverified weights: the file of {name} is not the published one.")
    counts = sorted((board.columns[at].dataset, one.cell.left_out) for (_, at), one in board.cells.items())
    # Of several counts of one dataset the largest stands last.
    notes += left_out_notes(dict(counts))
    return (*notes, *(f"Left out: {note}." if note.startswith("task ") else f"{note}." for note in board.notes))


def _standing(name: str, board: Board, ranking: Ranking) -> tuple[Entry, ...]:
    if name not in ranking.average:
        absent = Entry(text="incomplete" if name in ranking.incomplete else "not ranked")
        return (absent, Entry(), Entry()) if ranking.letters else (absent,)
    average = Entry(
        value=ranking.average[name],
        decimals=2,
        contaminated=board.contaminated(name),
        unverified=board.unverified(name),
    )
    if not ranking.letters:
        return (average,)
    low, high = ranking.intervals[name]
    return average, Entry(text=f"{low} to {high}" if low < high else f"{low}"), Entry(text=ranking.letters[name])


def _entry(one: BoardCell | None, place: int, replicates: int) -> Entry:
    if one is None:
        return Entry()
    cell = one.cell
    return Entry(
        value=cell.mean,
        sd=cell.sd,
        text="undefined" if cell.mean is None else "",
        count="" if one.complete or cell.mean is None else f"{cell.defined}/{replicates}",
        best=place == 1,
        second=place == 2,
        contaminated=one.contaminated,
        left_out=cell.left_out,
        unverified=cell.unverified,
    )
