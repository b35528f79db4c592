"""All boards as one CSV for machines: a line an encoder and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from .board import Board
from .ranking import Ranking

FIELDS: tuple[str, ...] = (
    "protocol",
    "data",
    "encoder",
    "weights",
    "task",
    "variant",
    "fraction",
    "metric",
    "higher_is_better",
    "mean",
    "sd",
    "defined",
    "replicates",
    "contaminated",
    "left_out",
    "unverified",
    "rank",
    "average_rank",
    "rank_low",
    "rank_high",
    "group",
    "complete",
    "settings_hash",
)


def boards_csv(ranked: Sequence[tuple[Board, Ranking]]) -> str:
    """One line an (encoder, column), those not run included with 0 replicates; blank where there is no number.

    `data` is `real` or `synthetic`; `rank` is the rank in the column among complete encoders, `complete` says whether
    the encoder has every result that others have: it has a rank over tasks then, unless it is alone in that.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for board, ranking in ranked:
        for name in (*ranking.encoders, *ranking.incomplete):
            for position in range(len(board.columns)):
                writer.writerow(_line(board, ranking, name, position))
    return text.getvalue()


def _line(board: Board, ranking: Ranking, name: str, position: int) -> dict[str, object]:
    column, one = board.columns[position], board.cells.get((name, position))
    low, high = ranking.intervals.get(name, ("", ""))
    return {
        "protocol": board.protocol,
        "data": "synthetic" if board.synthetic else "real",
        "encoder": name,
        "weights": board.weights[name],
        "task": column.task,
        "variant": column.variant,
        "fraction": f"{column.fraction:g}",
        "metric": column.metric,
        "higher_is_better": _word(column.higher_is_better),
        "mean": None if one is None else one.cell.mean,
        "sd": None if one is None else one.cell.sd,
        "defined": 0 if one is None else one.cell.defined,
        "replicates": 0 if one is None else one.cell.replicates,
        "contaminated": "" if one is None else _word(one.contaminated),
        "left_out": "" if one is None else one.cell.left_out,
        "unverified": "" if one is None else _word(one.cell.unverified),
        "rank": ranking.column_ranks.get((name, position)),
        "average_rank": ranking.average.get(name),
        "rank_low": low,
        "rank_high": high,
        "group": ranking.letters.get(name, ""),
        "complete": _word(name not in ranking.incomplete),
        "settings_hash": column.settings_hash,
    }


def _word(truth: bool) -> str:
    return "true" if truth else "false"
