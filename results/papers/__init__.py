"""The papers' tables: their layouts, and our numbers in them."""

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily
from .layout import Layout, layout_names, layout_of

if TYPE_CHECKING:
    from .build import paper_table

__all__ = ["Layout", "layout_names", "layout_of", "paper_table"]

__getattr__ = lazily(__name__, {"paper_table": "build"})
