"""Tables in the cache of what was read from the files of a folder: unharmed, or made again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from ..foundation.errors import UserError
from ..foundation.files import new_file


def remembered(path: Path, columns: Sequence[str]) -> pd.DataFrame | None:
    """`columns` of the Parquet file `path`; None where it is absent, damaged or another table."""
    try:
        with ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(list(columns))
    except (OSError, ValueError, pa.ArrowException):
        return None
    # What stands at the end of the file has no checksum: column names, their types, and words for pandas.
    if table.column_names != list(columns) or any(map(pa.types.is_binary, table.schema.types)):
        return None
    return table.replace_schema_metadata(None).to_pandas()


def remember(path: Path, table: pd.DataFrame, folder: Path) -> None:
    """Write `table`, of the files of `folder`, with checksums of its pages; whole or not at all.

    A cache that cannot be written is left alone: that makes the next reading slower and nothing else.
    """
    # For whoever lists caches.
    table.attrs = {"folder": str(folder.resolve())}
    with suppress(UserError), new_file(path) as beside:
        table.to_parquet(beside, index=False, write_page_checksum=True)
