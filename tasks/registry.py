"""Tasks by name: a TOML a task in the catalog, plug-ins, and included files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import Field

from ..foundation.errors import UserError
from ..foundation.registry import Registry
from ..foundation.settings import Settings, read_toml, validated
from .task import Task, TaskMeta
from .trial import TestName

CATALOG = Path(__file__).parent / "catalog"


class TaskDefinition(Settings):
    """What a task's TOML says.

    Attributes:
        family: the folder in tasks/ that runs it.
        tests: what `compare` asks, by name: the papers' tests and those that decide.
        replicates: fraction in per cent (a number, written as text) -> number of replicates.
        settings: what differs from the family's defaults.
        presets: name -> settings of a paper, over `settings`.
    """

    name: str
    version: int = Field(ge=1)
    title: str
    family: str
    dataset: str
    main_metric: str
    tests: tuple[TestName, ...]
    protocols: tuple[str, ...] = ("frozen", "finetune")
    variants: tuple[str, ...] = ("default",)
    replicates: dict[str, int]
    source: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def meta(self, metrics: Mapping[str, bool]) -> TaskMeta:
        """The description that every task has; `metrics` (name -> higher is better) come from the family."""
        return TaskMeta(
            name=self.name,
            version=self.version,
            title=self.title,
            dataset=self.dataset,
            main_metric=self.main_metric,
            metrics=metrics,
            tests=self.tests,
            protocols=self.protocols,
            variants=self.variants,
            replicates={float(fraction): count for fraction, count in self.replicates.items()},
            source=self.source,
        )


def read_definition(path: Path) -> TaskDefinition:
    """Read and check one task's TOML; the file's name is the task's name."""
    return validated(TaskDefinition, {"name": path.stem, **read_toml(path)}, str(path))


def task_from_definition(definition: TaskDefinition) -> Task:
    """The task that `definition` describes, run by its family. Raises UserError for an unknown family."""
    families = sorted(path.parent.name for path in Path(__file__).parent.glob("*/task.py"))
    if definition.family not in families:
        raise UserError(f"task {definition.name}: no family {definition.family!r}; known: {', '.join(families)}")
    family = import_module(f"{__package__}.{definition.family}.task")
    return family.from_definition(definition)


def _builtin() -> dict[str, partial[Task]]:
    return {path.stem: partial(_load, path) for path in sorted(CATALOG.glob("*.toml"))}


def _load(path: Path) -> Task:
    return task_from_definition(read_definition(path))


tasks: Registry[Task] = Registry("task", "cxrbench.tasks", _builtin)


@dataclass(frozen=True)
class TaskDescription:
    """A task in words, for a list."""

    name: str
    title: str
    dataset: str
    protocols: str
    plan: str
    variants: str
    presets: str


def descriptions() -> list[TaskDescription]:
    """Every task in words; families are not imported for ours."""
    return [_described(name) for name in tasks.names()]


def _described(name: str) -> TaskDescription:
    path = CATALOG / f"{name}.toml"
    if path.is_file():
        definition = read_definition(path)
        meta, presets = definition.meta({}), tuple(definition.presets)
    else:
        task = tasks.get(name)
        meta, presets = task.meta, task.presets
    return TaskDescription(
        name=name,
        title=meta.title,
        dataset=meta.dataset,
        protocols=" or ".join(meta.protocols),
        plan=", ".join(f"{fraction:g} % x {count}" for fraction, count in meta.replicates.items()),
        variants=", ".join(meta.variants),
        presets=", ".join(presets),
    )
