"""Is a dataset's folder whole and right."""

from .report import CountLine, Report, State
from .validate import validate

__all__ = ["CountLine", "Report", "State", "validate"]
