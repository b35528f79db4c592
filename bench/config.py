"""What to run, from the command line and cxrbench.toml, checked before anything expensive starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ..foundation.errors import UserError
from ..foundation.files import default_cache, expanded
from ..foundation.settings import Settings, flattened, parse_assignment, read_toml, validated

CONFIG_FILE = "cxrbench.toml"
DEFAULT_STORE = Path("cxrbench-results")
_COMMAND_LINE = "command line"
_LEAST_SALT = 8


class RunConfig(Settings):
    """One `cxrbench run`.

    Attributes:
        encoders: zoo names, `timm:NAME`, or `NAME=PATH` of a checkpoint.
        tasks: registered task names.
        data: task or dataset name -> folder, or `phantom[:n=…,size=…,seed=…]`; the key `*` serves all.
        store: folder of records.
        cache: folder of what can be made again.
        fractions: per cent of the training patients; None takes the task's plan.
        replicates: number of draws a fraction; None takes the task's plan.
        variants: versions of the tasks; None takes all of a task's.
        protocol: frozen or finetune; None takes the task's first.
        preset: settings of a paper, by name.
        settings: dotted overrides of task settings.
        include: Python files that register encoders, datasets and tasks.
        jobs: fine-tuning trials at a time.
        splits: file of splits to use instead of drawing them, as `data splits export` writes it.
        skip_unreadable: go on without images that are missing, unreadable or wrongly listed.
        hash_ids: salt with which the ids of patients, studies and samples are hashed before they are stored; None
            stores them as they are.
    """

    encoders: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    data: dict[str, str] = Field(default_factory=dict)
    store: Path = DEFAULT_STORE
    cache: Path = Field(default_factory=default_cache)
    fractions: tuple[float, ...] | None = None
    replicates: int | None = Field(default=None, ge=1, le=1000)
    variants: tuple[str, ...] | None = None
    protocol: str | None = None
    preset: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    include: tuple[Path, ...] = ()
    jobs: int = Field(default=1, ge=1, le=256)
    splits: Path | None = None
    skip_unreadable: bool = False
    hash_ids: str | None = None

    @field_validator("fractions")
    @classmethod
    def _per_cents(cls, fractions: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if fractions is None:
            return None
        wrong = [value for value in fractions if not 0 < value <= 100]
        if wrong or not fractions:
            raise ValueError(f"{wrong[0] if wrong else 'nothing'} is not a per cent above 0, up to 100")
        return tuple(dict.fromkeys(fractions))

    @field_validator("encoders", "tasks", "variants")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(dict.fromkeys(names))

    def data_of(self, task: str, dataset: str) -> str:
        """Folder or phantom for one task. Raises UserError where none was given."""
        for key in (task, dataset, "*"):
            if key in self.data:
                return self.data[key]
        raise UserError(f"no data for task {task}: give --data PATH (the folder of {dataset}) or --data phantom")


def run_config(
    given: Mapping[str, Any], assignments: Iterable[str] = (), file: Path | None = None, needs_grid: bool = True
) -> RunConfig:
    """Options of the command line (None = not given) over those of cxrbench.toml.

    Args:
        given: option name -> value, None where the option was not used.
        assignments: texts of `--set`.
        file: configuration file; None takes ./cxrbench.toml where it exists.
        needs_grid: whether encoders and tasks must be named.

    Raises:
        UserError: unknown keys, values out of range, nothing to run; one line naming option or file.
    """
    values = _from_file(file)
    values.update({key: value for key, value in given.items() if value not in (None, (), [])})
    settings = dict(flattened(values.pop("settings", {})))
    settings.update(parse_assignment(text) for text in assignments)
    try:
        config = validated(RunConfig, {**values, "settings": settings}, _COMMAND_LINE)
    except UserError as error:
        option, colon, rest = str(error).removeprefix(f"{_COMMAND_LINE}: ").partition(":")
        raise UserError(f"--{option.replace('_', '-')}{colon}{rest}") from error
    if config.hash_ids is not None and len(config.hash_ids) < _LEAST_SALT:
        # Without the text itself: it is a secret, and what is printed ends in logs.
        raise UserError(
            f"--hash-ids: a secret of {_LEAST_SALT} characters or more keeps ids from being found by trying"
        )
    if needs_grid and not config.encoders:
        raise UserError("nothing to run: name encoders with --encoder A,B; `cxrbench ls encoders` lists them")
    if needs_grid and not config.tasks:
        raise UserError("nothing to run: name tasks with --task T; `cxrbench ls tasks` lists them")
    return config


def parse_list(option: str, text: str | None) -> tuple[str, ...] | None:
    """`A,B` -> ("A", "B"), each once. Raises UserError for an empty entry."""
    if text is None:
        return None
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if "" in parts:
        raise UserError(f"{option} {text!r}: an entry is empty; separate names with single commas")
    return parts


def parse_fractions(text: str | None, option: str = "--fractions") -> tuple[float, ...] | None:
    """`1,10,50` -> (1.0, 10.0, 50.0). Raises UserError for what is not above 0 and at most 100."""
    parts = parse_list(option, text)
    if parts is None:
        return None
    fractions = []
    for part in parts:
        try:
            value = float(part.removesuffix("%"))
        except ValueError:
            value = float("nan")
        if not 0 < value <= 100:
            raise UserError(
                f"{option}: {part!r} is not a per cent of the training patients; use numbers above 0, up to 100"
            )
        fractions.append(value)
    return tuple(dict.fromkeys(fractions))


def parse_data(text: str | None) -> dict[str, str] | None:
    """`PATH`, `phantom`, or `TASK=PATH,TASK=PATH` -> name -> place; `*` where no name is given."""
    if text is None:
        return None
    if is_phantom_spec(text) or "=" not in text or Path(text).exists():
        return {"*": text}
    places: dict[str, str] = {}
    # A phantom's own options (chexpert=phantom:n=600,size=128) hold = and commas too.
    for part in re.split(r",(?!(?:n|size|seed)=)", text):
        name, equals, place = part.partition("=")
        if not equals or not name or not place:
            raise UserError(f"--data {text!r}: write PATH, phantom, or TASK=PATH,TASK=PATH")
        places[name.strip()] = place.strip()
    return places


def is_phantom_spec(place: str) -> bool:
    """True for `phantom` and `phantom:n=…`; a folder whose name only begins so is a folder."""
    return place.split(":")[0] == "phantom"


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or Path(CONFIG_FILE)
    if file is None and not path.is_file():
        return {}
    values = read_toml(path)
    # Relative paths in the file are relative to the file.
    here = path.parent
    for key in ("store", "cache", "splits"):
        if isinstance(values.get(key), str):
            values[key] = here / expanded(values[key])
    if isinstance(values.get("include"), list):
        values["include"] = [here / expanded(str(name)) for name in values["include"]]
    if isinstance(values.get("data"), str):
        values["data"] = {"*": values["data"]}
    if isinstance(values.get("data"), dict):
        values["data"] = {
            key: place if is_phantom_spec(str(place)) else str(here / expanded(str(place)))
            for key, place in values["data"].items()
        }
    validated(RunConfig, values, str(path))
    return values
