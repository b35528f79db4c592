"""The list of trials a run is made of, and which of them are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data import datasets
from ..data.preprocessing import PREPROCESSING_VERSION
from ..data.split_files import DrawName
from ..foundation.errors import UserError, unknown_name
from ..foundation.files import expanded, sha256_of_json
from ..foundation.progress import Progress
from ..foundation.registry import include, included_code
from ..foundation.settings import dotted_keys
from ..results.record import Identity, place_of
from ..tasks.trial import Trial
from .config import RunConfig, is_phantom_spec
from .contamination import Seen, seen_in_pretraining

if TYPE_CHECKING:
    import numpy as np

    from ..data.radiographs import Radiographs
    from ..pretrain.encoder import Encoder
    from ..results.store import Store
    from ..tasks.task import Task


@dataclass(frozen=True)
class PlannedTrial:
    """One trial with what identifies it, and whether the store has it."""

    trial: Trial
    identity: Identity
    fingerprint: str
    place: Path
    done: bool


@dataclass(frozen=True)
class TaskData:
    """A configured task with the radiographs it will use, read but not decoded.

    Attributes:
        task: with its settings.
        radiographs: those that the task selects.
        fingerprint: of all that a result depends on, see `dataset_fingerprint`.
        salt: with which ids are hashed before they are stored; None stores them as they are.
    """

    task: Task
    radiographs: Radiographs
    fingerprint: str
    salt: str | None = None

    @property
    def code(self) -> tuple[tuple[str, str | None], ...]:
        """Hashes of included files that define the dataset and the task."""
        source = datasets.get(self.task.meta.dataset)
        return ("dataset", included_code(source)), ("task", included_code(self.task))


@dataclass(frozen=True)
class Group:
    """Trials of one encoder, task, variant and protocol: they share images, and features where frozen."""

    encoder: Encoder
    data: TaskData
    seen: Seen
    trials: tuple[PlannedTrial, ...]

    @property
    def pending(self) -> tuple[PlannedTrial, ...]:
        return tuple(each for each in self.trials if not each.done)


@dataclass(frozen=True)
class Plan:
    """All groups of a run, in the order in which they run."""

    groups: tuple[Group, ...]

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        return tuple(each for group in self.groups for each in group.trials)

    @property
    def pending(self) -> tuple[PlannedTrial, ...]:
        return tuple(each for group in self.groups for each in group.pending)


def make_plan(config: RunConfig, store: Store, progress: Progress) -> Plan:
    """Everything that can be wrong is checked here, cheap things first; nothing is trained or decoded.

    Raises:
        UserError, RefusedError: unknown names, wrong settings, missing data or weights, leaking splits.
    """
    from ..pretrain import load_encoder

    for file in config.include:
        include(file)
    configured = [(task, list(cells(config, task))) for task in _configured_tasks(config)]
    asked = [load_encoder(spec) for spec in config.encoders]
    _refuse_equal_names(asked)
    for encoder in asked:
        if encoder.meta.unverified:
            progress.say(f"WARNING: {encoder.meta.name}: {encoder.meta.weights}; its records are marked")
    groups = []
    for task, grid in configured:
        data = _read(config, task, progress)
        splits: dict[tuple[str, float, int], str] = {}
        encoders = [*asked, *task.references()]
        _refuse_equal_names(encoders)
        for encoder in encoders:
            seen = seen_in_pretraining(encoder.meta, data.radiographs)
            for note in seen.notes:
                progress.say(f"note: {encoder.meta.name} on {task.meta.name}: {note}")
            for variant, protocol, draws in grid:
                trials = [
                    Trial(encoder.meta.name, task.meta.name, variant, protocol, fraction, replicate)
                    for fraction, replicate in draws
                ]
                task.check_encoder(encoder, trials[0])
                planned = tuple(_planned(each, encoder, data, store, splits) for each in trials)
                groups.append(Group(encoder, data, seen, planned))
    _say_what_is_unused(config, groups, progress)
    return Plan(tuple(groups))


def read_task_data(config: RunConfig, progress: Progress) -> list[TaskData]:
    """The configured tasks with their radiographs; nothing is decoded. Raises as `make_plan` does."""
    for file in config.include:
        include(file)
    return [_read(config, task, progress) for task in _configured_tasks(config)]


def _configured_tasks(config: RunConfig) -> list[Task]:
    from ..tasks.registry import tasks

    known = {name for task in config.tasks for name in (task, tasks.get(task).meta.dataset)}
    for name in config.data:
        if name != "*" and name not in known:
            raise UserError(f"--data {name}=…: {unknown_name('task or dataset of this run', name, known)}")
    where = "--set (or [settings] in the configuration)" if config.settings else "task"
    found = []
    for name in config.tasks:
        task = tasks.get(name).configured(config.preset, config.settings, where)
        for variant in config.variants or ():
            task.check(config.protocol or task.meta.protocols[0], variant)
        if config.protocol is not None:
            task.check(config.protocol, task.meta.variants[0])
        config.data_of(name, task.meta.dataset)
        found.append(task)
    return found


def cells(config: RunConfig, task: Task) -> Iterator[tuple[str, str, list[tuple[float, int]]]]:
    """Variant, protocol, and the (fraction, replicate) pairs of the grid, small fractions first.

    Where the splits come from a file its draws are the plan, among which fractions, replicates and variants choose.
    """
    protocol = config.protocol or task.meta.protocols[0]
    if config.splits is not None:
        for variant, draws in _draws_of_file(config.splits, config, task).items():
            yield variant, protocol, draws
        return
    planned = task.meta.replicates
    fractions = sorted(config.fractions or planned)
    draws = []
    for fraction in fractions:
        # A fraction that the task does not plan gets as many replicates as the smallest that it does.
        count = config.replicates or planned.get(fraction) or planned[min(planned)]
        draws += [(fraction, replicate) for replicate in range(count)]
    for variant in config.variants or task.meta.variants:
        yield variant, protocol, draws


def _draws_of_file(path: Path, config: RunConfig, task: Task) -> dict[str, list[tuple[float, int]]]:
    from ..data.imported_splits import chosen_draws, refuse_other
    from ..data.split_files import read_splits

    file = read_splits(path)
    refuse_other(file, task.meta.name, task.meta.dataset)
    draws = chosen_draws(file, config.variants, config.fractions, config.replicates)
    for variant in draws:
        if variant not in task.meta.variants:
            raise UserError(f"{path}: {task.meta.name}: {unknown_name('variant', variant, task.meta.variants)}")
    return draws


def _read(config: RunConfig, task: Task, progress: Progress) -> TaskData:
    from ..data import load
    from ..data.fingerprint import content_hashes, dataset_fingerprint, target_hashes
    from ..data.readability import unreadable
    from ..data.reading import Reading
    from ..data.source import without

    place = config.data_of(task.meta.name, task.meta.dataset)
    if is_phantom_spec(place):
        from ..data.phantom.dataset import parse_phantom, phantom_folder

        spec = parse_phantom(place)
        folder = phantom_folder(task.meta.dataset, config.cache, spec.n, spec.size, spec.seed, progress)
    else:
        folder = expanded(place)
    reading = Reading(progress=progress, cache=config.cache)
    radiographs = load(task.meta.dataset, folder, reading=reading, skip_unreadable=config.skip_unreadable)
    radiographs = task.select(radiographs)
    if config.skip_unreadable:
        # Before anybody is drawn: a file that cannot be decoded must not be found out in the middle of a run.
        radiographs = without(radiographs, unreadable(radiographs, config.cache, progress))
    hashes = content_hashes(radiographs, config.cache, progress)
    fingerprint = dataset_fingerprint(radiographs, hashes, target_hashes(radiographs, config.cache, progress))
    if config.splits is not None:
        radiographs = _with_splits(config.splits, task, radiographs, fingerprint, hashes, progress)
    return TaskData(task, radiographs, fingerprint, config.hash_ids)


def _with_splits(
    path: Path, task: Task, radiographs: Radiographs, fingerprint: str, hashes: np.ndarray, progress: Progress
) -> Radiographs:
    """`radiographs` with the splits of the file `path`, which the task then uses instead of drawing."""
    from ..data.imported_splits import import_splits
    from ..data.split_files import SplitsOf

    of = SplitsOf(task.meta.name, task.meta.version, radiographs.dataset, fingerprint)
    splits = import_splits(path, radiographs, of, hashes)
    for note in splits.notes:
        progress.say(f"note: {path}: {note}")
    return replace(radiographs, splits=splits)


def _planned(
    trial: Trial,
    encoder: Encoder,
    data: TaskData,
    store: Store,
    splits: dict[tuple[str, float, int], str],
) -> PlannedTrial:
    draw = (trial.variant, trial.fraction, trial.replicate)
    if draw not in splits:
        split = data.task.split(data.radiographs, trial)
        if data.radiographs.splits is not None:
            # A task that draws by itself would pass over the file in silence.
            data.radiographs.splits.require(split, data.radiographs, trial.task, DrawName(*draw))
        splits[draw] = split.digest(data.radiographs)
    meta = encoder.meta
    if meta.seed is not None and trial.protocol == "finetune":
        # Random weights are drawn anew for every replicate: see Encoder.fresh.
        meta = meta.with_seed(trial.replicate)
    identity = Identity(
        encoder=trial.encoder,
        task=trial.task,
        task_version=data.task.meta.version,
        variant=trial.variant,
        protocol=trial.protocol,
        fraction=trial.fraction,
        replicate=trial.replicate,
        weights={
            "sha256": meta.sha256,
            "arch": meta.arch,
            "channels": meta.channels,
            "mean": list(meta.mean),
            "std": list(meta.std),
            "seed": meta.seed,
        },
        dataset={
            "name": data.radiographs.dataset,
            "fingerprint": data.fingerprint,
            "synthetic": data.radiographs.synthetic,
            "images": len(data.radiographs),
            "size": data.task.image_size,
            "preprocessing": data.task.preprocessing,
            "preprocessing_version": PREPROCESSING_VERSION,
            # Only where there are any, so that other trials keep their fingerprint.
            **_left_out(data.radiographs),
            **({} if data.salt is None else {"hashed_ids": sha256_of_json(data.salt)[:8]}),
        },
        split=splits[draw],
        settings=data.task.settings_of(trial),
        seed=trial.replicate,
        code={part: sha for part, sha in (("encoder", included_code(encoder.network)), *data.code) if sha},
    )
    fingerprint = identity.fingerprint()
    place = place_of(trial, fingerprint)
    return PlannedTrial(trial, identity, fingerprint, place, store.has(place))


def _left_out(radiographs: Radiographs) -> dict[str, int]:
    return {} if radiographs.left_out is None else {"left_out": len(radiographs.left_out)}


def _say_what_is_unused(config: RunConfig, groups: list[Group], progress: Progress) -> None:
    """A word on settings that no trial of this run depends on: usually they are meant for the other protocol."""
    used = {key for group in groups for key in dotted_keys(group.trials[0].identity.settings)}
    for key in config.settings:
        # What lies in a table that is used is used too: free entries. Where a task runs is in no identity.
        if key not in used and key.split(".")[0] not in used and key != "device":
            protocols = sorted({group.trials[0].trial.protocol for group in groups})
            progress.say(f"note: {key} has no effect with --protocol {', '.join(protocols)}")


def _refuse_equal_names(encoders: list[Encoder]) -> None:
    names = [encoder.meta.name for encoder in encoders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"--encoder: two encoders are called {twice[0]!r}; name a checkpoint with NAME=PATH")
