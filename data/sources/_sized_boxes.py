"""Boxes that a table states by their upper left corner, width and height."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..problems import Problems
from ..tables import at_row


def sized_boxes(
    table: pd.DataFrame, columns: list[str], ids: pd.Series, labels: pd.Series, path: Path, problems: Problems
) -> pd.DataFrame:
    """sample_id, label, x1, y1, x2, y2 (float, pixels) of each row of `table`, whose index counts the file's rows.

    A row without four numbers, or whose width or height is not above 0, is one of `problems` (`box without an area`)
    and left away. `columns` are those of the left edge, the upper edge, the width and the height.
    """
    stated = table[columns]
    numbers = stated.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(numbers).all(axis=1) | ~(numbers[:, 2:] > 0).all(axis=1)
    for at in np.flatnonzero(wrong).tolist():
        values = ", ".join("blank" if pd.isna(value) else str(value) for value in stated.iloc[at])
        what = f"x, y, width, height {values} of {ids.iloc[at]} are no box"
        problems.add("box without an area", at_row(path, table.index[at]), what, ids.iloc[at])
    left, top, width, height = numbers[~wrong].T
    corners = {"x1": left, "y1": top, "x2": left + width, "y2": top + height}
    names = {"sample_id": ids.to_numpy()[~wrong], "label": labels.to_numpy()[~wrong]}
    return pd.DataFrame({**names, **corners}).astype({"sample_id": "str", "label": "str"})
