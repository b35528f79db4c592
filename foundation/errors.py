"""Errors that a user can act on, and names close to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Wrong input: one or two lines that name the file, option or key and the way out.

    The command line prints the message without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class RefusedError(UserError):
    """The input was understood and the answer is no (a leak, a regression, test sets that differ)."""

    exit_code = 1


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among `known`, with the nearest known one where there is one."""
    names = sorted(known)
    # `lr` is meant to be `training.lr`, however far apart the two look.
    inside = [each for each in names if each.endswith(f".{name}")]
    near = inside or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
    return UserError(f"unknown {kind} {name!r}; {hint}")
