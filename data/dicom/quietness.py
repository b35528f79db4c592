"""Keeps pydicom's warnings off the terminal: they quote what stands in a file, which may name a patient."""

from __future__ import annotations

import re
import warnings

# As `warnings` keeps its filters; pydicom attributes each warning to a module of its own.
_OURS = ("ignore", None, Warning, re.compile(r"pydicom(\.|$)"), 0)


def silence_pydicom() -> None:
    """Have this process ignore warnings that come from pydicom's modules, and no others.

    A filter that stays, because `warnings.catch_warnings` restores those of all threads at once. Called before each
    file is read, as someone else's `catch_warnings` may have taken it away; where it stands, this does nothing.
    """
    if tuple(warnings.filters[:1]) != (_OURS,):
        warnings.filterwarnings("ignore", module=_OURS[3].pattern)
