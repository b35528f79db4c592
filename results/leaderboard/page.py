"""All boards as one HTML file that asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from ..rendering.protocols import protocol_in_words
from .board import Board, BoardCell
from .board_csv import boards_csv
from .board_grid import board_notes
from .ranking import Ranking, places

FOLDER = Path(__file__).parent
# A number shown with four decimals needs no more; shorter pages, and the CSV inside has all digits.
DIGITS = 7


def page(ranked: Sequence[tuple[Board, Ranking]]) -> str:
    """The text of a self-contained HTML page; equal boards give equal pages.

    Style, script, data and the CSV to download are inside; its content security policy forbids every request.
    """
    data = {"boards": [_board(board, ranking) for board, ranking in ranked], "csv": boards_csv(ranked)}
    synthetic = all(board.synthetic for board, _ in ranked)
    return Template(_text("page.html")).substitute(
        title=f"{'SYNTHETIC: ' if synthetic else ''}chest X-ray encoder leaderboard",
        style=_text("page.css"),
        script=_text("page.js"),
        data=embedded_json(data),
    )


def embedded_json(value: Any) -> str:
    """JSON for a `<script>` element: nothing in it, a name included, can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").rstrip("\n")


def _board(board: Board, ranking: Ranking) -> dict[str, Any]:
    texts: dict[str, int] = {}
    marked = places(board)
    words = protocol_in_words(board.protocol)
    return {
        "words": words[0].upper() + words[1:],
        "synthetic": board.synthetic,
        "tested": bool(ranking.letters),
        "ranked": len(ranking.encoders),
        "reading": ranking.reading,
        "columns": [
            {
                "task": column.task,
                "block": column.block,
                "fraction": column.fraction,
                "metric": column.metric,
                "higher": column.higher_is_better,
                "title": column.title,
                "dataset": column.dataset,
                "settings": column.settings_hash,
                "replicates": column.replicates,
            }
            for column in board.columns
        ],
        "rows": [_row(board, ranking, name, marked, texts) for name in (*ranking.encoders, *ranking.incomplete)],
        "notes": [note for note in board_notes(board, ranking) if note != ranking.reading],
        "texts": list(texts),
    }


def _row(
    board: Board, ranking: Ranking, name: str, marked: dict[tuple[str, int], int], texts: dict[str, int]
) -> dict[str, Any]:
    low, high = ranking.intervals.get(name, (None, None))
    found = [board.cells.get((name, position)) for position in range(len(board.columns))]
    return {
        "name": name,
        "weights": board.weights[name],
        "average": ranking.average.get(name),
        "low": low,
        "high": high,
        "group": ranking.letters.get(name, ""),
        "missing": list(ranking.incomplete.get(name, ())),
        "contaminated": board.contaminated(name),
        "unverified": board.unverified(name),
        "cells": [
            None
            if one is None
            else {
                **_cell(one, texts),
                "rank": ranking.column_ranks.get((name, position)),
                "place": marked.get((name, position), 0),
            }
            for position, one in enumerate(found)
        ],
    }


def _cell(one: BoardCell, texts: dict[str, int]) -> dict[str, Any]:
    return {
        "mean": _rounded(one.cell.mean),
        "sd": _rounded(one.cell.sd),
        "defined": one.cell.defined,
        "replicates": one.cell.replicates,
        "complete": one.complete,
        "contaminated": one.contaminated,
        "leftOut": one.cell.left_out,
        "unverified": one.cell.unverified,
        "notes": [texts.setdefault(note, len(texts)) for note in one.notes],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
