"""Heatmaps of a plan's trials: each network trained again (or taken from the cache), its maps, and where they point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data.splits import DrawKey
from ..foundation.errors import UserError
from ..foundation.progress import Progress
from ..foundation.registry import include
from ..results.figures.heatmaps import HeatmapColumn, HeatmapRow
from ..results.figures.style import EncoderName
from ..results.pointing_numbers import MEAN, Cases, PointingRow, pointing_rows
from ..results.record import Record
from ..results.store import RECORD, Store
from ..tasks.task import Context
from .config import RunConfig
from .out_of_memory import is_out_of_memory, what_to_lower
from .plan import Group, PlannedTrial, TaskData, make_plan
from .runner import Runner

if TYPE_CHECKING:
    from ..data.images import Images
    from ..tasks.classification.grad_cam import GradCam
    from ..tasks.classification.kept_network import KeptNetwork
    from ..tasks.classification.localisation import BoxedCases, Pointed
    from ..tasks.classification.task import ClassificationTask


@dataclass(frozen=True)
class HeatmapRequest:
    """What is asked for beside the trials.

    Attributes:
        fraction: per cent of the training patients.
        replicate: number of the draw.
        labels: only boxes of these; empty for all.
        images: how many are shown.
        tolerance: pixels beside a box that still count as in it.
    """

    fraction: float
    replicate: int
    labels: tuple[str, ...]
    images: int
    tolerance: float


@dataclass(frozen=True)
class HeatmapsOfTrials:
    """What is drawn and written.

    Attributes:
        trials: one an encoder, in the order that was asked for.
        data: what they were trained on.
        shown: the images with their maps.
        columns: the encoders with their scores.
        numbers: these and those of every label.
    """

    trials: tuple[PlannedTrial, ...]
    data: TaskData
    shown: tuple[HeatmapRow, ...]
    columns: tuple[HeatmapColumn, ...]
    numbers: tuple[PointingRow, ...]

    @property
    def mean(self) -> PointingRow:
        """The first encoder's mean over labels; chance and cases are those of all."""
        return next(row for row in self.numbers if row.label == MEAN)


def heatmaps_of_trials(config: RunConfig, request: HeatmapRequest, progress: Progress) -> HeatmapsOfTrials:
    """Train what is not in the cache, map every boxed test image, and score where the maps point.

    Raises:
        UserError: a task that is no classification or is frozen only, an encoder without stages, a dataset without
            boxes, and what `make_plan` and training raise; all that can be known before is said before any training.
    """
    from ..tasks.classification.kept_network import network_of_trial
    from ..tasks.classification.localisation import (
        BATCH_SIZE,
        boxed_cases,
        case_maps,
        hits_by_chance,
        pointed,
        shown_cases,
    )

    task = _fine_tuned_classification(config)
    _refuse_without_stages(config)
    store = Store(config.store)
    groups, trials = _chosen(config, request, store, progress)
    data = groups[0].data
    radiographs = data.radiographs
    test = task.split(radiographs, trials[0].trial).test
    cases = boxed_cases(radiographs, test, request.labels, config.cache, progress)
    # Before any training: a box may lie outside its image.
    chance, centre = hits_by_chance(cases, task.image_size, request.tolerance)
    shown = shown_cases(cases, request.images, DrawKey(task.meta.name, task.meta.version, 0))
    images = Runner(store, config.cache, progress).prepare(groups[0])
    context = Context(config.cache, progress=progress)
    batch_size = min(BATCH_SIZE, task.settings.training.batch_size)
    found = []
    for group, trial in zip(groups, trials, strict=True):
        with _way_out_of_memory(trial, group):
            kept = network_of_trial(task, group.encoder, trial.trial, trial.fingerprint, images, context)
            _say_of_record(trial, kept, store, task.meta.main_metric, progress)
            where = kept.network, kept.device, images
            everywhere = pointed(*where, cases, request.tolerance, batch_size, progress)
            found.append(_Found(everywhere, case_maps(*where, cases.of(shown), batch_size)))
    hits, for_label = (np.stack([getattr(each.pointed, name) for each in found]) for name in ("hits", "for_label"))
    named = Cases(
        labels=np.array(cases.names)[cases.labels],
        patients=cases.patients,
        boxes=np.bincount(cases.case, minlength=len(cases)),
        chance=chance,
        centre=centre,
    )
    numbers = pointing_rows([group.encoder.meta.name for group in groups], hits, for_label, named)
    return HeatmapsOfTrials(
        trials=trials,
        data=data,
        shown=_rows(images, cases.of(shown), [each.maps for each in found], hits[:, shown]),
        columns=tuple(_column(group, numbers) for group in groups),
        numbers=tuple(numbers),
    )


@dataclass(frozen=True)
class _Found:
    """One encoder: where it points on all cases, and the maps of those that are shown."""

    pointed: Pointed
    maps: GradCam


def _fine_tuned_classification(config: RunConfig) -> ClassificationTask:
    from ..tasks.classification.task import ClassificationTask
    from ..tasks.registry import tasks

    for file in config.include:
        include(file)
    (name,) = config.tasks
    task = tasks.get(name)
    if not isinstance(task, ClassificationTask):
        raise UserError(f"--task {name}: heatmaps are of a label, and this is no classification task; take nih14")
    if "finetune" not in task.meta.protocols:
        raise UserError(f"--task {name}: heatmaps are of fine-tuned networks, and it has frozen encoders only")
    return task.configured(config.preset, config.settings, "--set (or [settings] in the configuration)")


def _refuse_without_stages(config: RunConfig) -> None:
    from ..pretrain import load_encoder
    from ..tasks.classification.grad_cam import without_stages

    for spec in config.encoders:
        encoder = load_encoder(spec)
        if not encoder.has_stages:
            raise without_stages(encoder.meta)


def _chosen(
    config: RunConfig, request: HeatmapRequest, store: Store, progress: Progress
) -> tuple[tuple[Group, ...], tuple[PlannedTrial, ...]]:
    """The plan of `run` for this fraction, of which one replicate is taken: a group and a trial an encoder."""
    of_one = config.model_copy(
        update={"protocol": "finetune", "fractions": (request.fraction,), "replicates": request.replicate + 1}
    )
    plan = make_plan(of_one, store, progress)
    variant = plan.groups[0].trials[0].trial.variant
    groups = tuple(group for group in plan.groups if group.trials and group.trials[0].trial.variant == variant)
    trials = [[each for each in group.trials if each.trial.replicate == request.replicate] for group in groups]
    if not all(trials):
        raise UserError(f"--replicate {request.replicate}: the splits have no such draw of {request.fraction:g} %")
    return groups, tuple(found[0] for found in trials)


@contextmanager
def _way_out_of_memory(trial: PlannedTrial, group: Group) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{trial.trial} failed: out of memory; {what_to_lower(trial, group)}") from error


def _say_of_record(trial: PlannedTrial, kept: KeptNetwork, store: Store, metric: str, progress: Progress) -> None:
    """Whether this network is the one that the store has a record of: its test metrics are the same."""
    how = "from the cache" if kept.was_kept else "trained"
    ours = f"{trial.trial}: {how}, test {metric} {_shown(kept.metrics.get(metric))}"
    if not store.has(trial.place):
        progress.say(f"{ours}; no record of this trial in {store.path} to compare it with")
        return
    record = Record.read(store.path / trial.place / RECORD)
    differing = [name for name in record.metrics if record.metrics[name] != kept.metrics.get(name)]
    if not differing:
        progress.say(f"{ours}, as in its record")
        return
    name = metric if metric in differing else differing[0]
    device = record.resolved.get("device", "unknown device")
    progress.say(
        f"WARNING: {ours}, which is not the network of its record: {name} is {_shown(kept.metrics.get(name))} here "
        f"({kept.trained_on}) and {_shown(record.metrics[name])} there ({device}); another device, number of threads "
        "or version of torch trains another network"
    )


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"


def _rows(images: Images, cases: BoxedCases, maps: Sequence[GradCam], hits: np.ndarray) -> tuple[HeatmapRow, ...]:
    pixels = images.batch(cases.rows)
    return tuple(
        HeatmapRow(
            label=cases.names[cases.labels[place]],
            pixels=pixels[place],
            height=int(cases.sizes[place, 0]),
            width=int(cases.sizes[place, 1]),
            boxes=cases.boxes[cases.case == place],
            maps=np.stack([each.ranked[place].numpy() for each in maps]),
            for_label=np.array([bool(each.for_label[place]) for each in maps]),
            hits=hits[:, place],
        )
        for place in range(len(cases))
    )


def _column(group: Group, numbers: Sequence[PointingRow]) -> HeatmapColumn:
    meta, radiographs = group.encoder.meta, group.data.radiographs
    mean = next(row for row in numbers if (row.encoder, row.label) == (meta.name, MEAN))
    name = EncoderName(
        meta.name,
        contaminated=radiographs.dataset in group.seen.datasets,
        unverified=meta.unverified,
        left_out=0 if radiographs.left_out is None else len(radiographs.left_out),
    )
    return HeatmapColumn(name, mean.share, mean.ci_low, mean.ci_high)
