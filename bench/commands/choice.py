"""Options with a few possible values."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import typer

E = TypeVar("E", bound=StrEnum)


def choice(kind: type[E], option: str) -> Callable[[str], E]:
    """What reads a value of `option` for typer, as its `parser`; see `values` for its `metavar`.

    An unknown value is a UserError in one line with the nearest one, where typer's own words are those of a library.
    """

    def parse(text: str) -> E:
        from ...foundation.errors import UserError, unknown_name

        try:
            return kind(text)
        except ValueError:
            name = option.removeprefix("--")
            error = unknown_name(name, text, [each.value for each in kind])
            raise UserError(f"{option}: {error}" if option.startswith("--") else str(error)) from None

    return parse


def choice_option(kind: type[StrEnum], option: str, help: str) -> Any:
    """A typer option that takes the values of `kind`; `--help` lists them."""
    return typer.Option(option, parser=choice(kind, option), metavar=values(kind), help=help)


def values(kind: type[StrEnum]) -> str:
    """`text|csv|json`, for `--help`."""
    return "|".join(kind)
