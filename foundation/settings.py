"""Typed settings, and dotted overrides such as `training.lr=1e-4` applied to them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import UserError, unknown_name

M = TypeVar("M", bound="Settings")


class Settings(BaseModel):
    """Settings that never change once made and refuse keys they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse_assignment(text: str) -> tuple[str, Any]:
    """`training.lr=1e-4` -> ("training.lr", 0.0001); a value that is no TOML value is taken as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: write it as key=value, for example --set training.lr=1e-4")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return key.strip(), parsed


def override(settings: M, values: Mapping[str, Any], where: str) -> M:
    """`settings` with dotted keys replaced, checked again.

    Args:
        settings: what to start from.
        values: dotted key -> value; a value may be a table.
        where: what to name in errors: a file, or `--set`.

    Raises:
        UserError: a key that does not exist (with the nearest one), or a value out of its range.
    """
    if not values:
        return settings
    known = set(dotted_keys(settings.model_dump()))
    changed = settings.model_dump()
    for key, value in dict(flattened(values)).items():
        if key not in known and not _inside_mapping(key, settings):
            raise UserError(f"{where}: {unknown_name('setting', key, known)}")
        place = changed
        *folders, leaf = key.split(".")
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                raise UserError(f"{where}: {key}: {folder} is a table and cannot be {place!r}")
        place[leaf] = value
    return validated(type(settings), changed, where)


def validated(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """`values` as `model`; the first thing wrong with them is a UserError of one line that starts with `where`."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        # A mistyped key is why another one is missing, so it is named first.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = set(dotted_keys(model.model_construct().model_dump(warnings=False))) | set(model.model_fields)
            raise UserError(f"{where}: {unknown_name('key', key, known)}") from error
        # Where several keys do not fit each other the input is all of them, and the message names those that matter.
        given = "" if first["type"] == "missing" or not key else f" (given: {first['input']!r})"
        raise UserError(f"{': '.join(filter(None, (where, key, first['msg'])))}{given}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError naming the file, and the line where it is not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a valid TOML file: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf of nested tables."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def dotted_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all leaves and tables."""
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from dotted_keys(value, f"{prefix}{key}.")


def _inside_mapping(key: str, settings: BaseModel) -> bool:
    """True where `key` is an entry of a free-form table (a field declared as a dict), such as an amount per class."""
    value: Any = settings
    for part in key.split("."):
        if isinstance(value, BaseModel):
            if part not in type(value).model_fields:
                return False
            value = getattr(value, part)
        else:
            return isinstance(value, dict)
    return False
