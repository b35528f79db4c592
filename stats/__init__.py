"""Statistics on plain arrays."""

from __future__ import annotations

# Not looked up on use as elsewhere: the function and its module share a name, and the first to be imported would win.
from .auc import auc

__all__ = ["auc"]
