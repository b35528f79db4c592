"""The test images that a figure of panels shows, and what its encoders said about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ....foundation.progress import Progress
    from ....results.figures.style import EncoderName
    from ....results.record import Record
    from ....tasks.predictions import Predictions
    from ....tasks.task import Task
    from .shown_trials import ShownTrials

MOST_IMAGES = 20


@dataclass(frozen=True)
class Asked:
    """The options of a figure of panels, as they were given.

    Attributes:
        sample: `--sample`.
        images: `--images`.
        replicate: `--replicate`.
        data, preset, assign, cache, include: as `run` takes them.
    """

    sample: str | None
    images: int | None
    replicate: int | None
    data: str | None
    preset: str | None
    assign: list[str] | None
    cache: Path | None
    include: list[Path] | None


@dataclass(frozen=True)
class Panels:
    """One trial an encoder, and the test images to show.

    Attributes:
        predictions: of these trials, rows in one order.
        rows: of the tables [R].
        images: [H, W] in original pixels, one for each of `rows`.
        names: of the encoders.
        results: a line on each encoder's result.
        notes: which images and trials these are.
    """

    predictions: tuple[Predictions, ...]
    rows: np.ndarray
    images: tuple[np.ndarray, ...]
    names: tuple[EncoderName, ...]
    results: tuple[str, ...]
    notes: tuple[str, ...]


def shown_panels(
    asked: Asked,
    trials: ShownTrials,
    columns: Sequence[str],
    is_positive: Callable[[Predictions], np.ndarray],
    progress: Progress,
) -> Panels:
    """What `figure detections` and `figure masks` draw: one replicate of each encoder on the same images.

    Args:
        asked: the options.
        trials: of one fraction.
        columns: what the tables of predictions must have.
        is_positive: predictions -> bool [N], whether there is something to be found.
        progress: who is told.

    Raises:
        UserError: unknown samples, predictions of another kind, hashed ids, too many columns, no data.
        RefusedError: test sets that differ, or data other than the trials'.
    """
    from ....foundation.errors import UserError
    from ....results.figures.image_grid import refuse_columns
    from ...config import parse_list
    from .one_replicate import aligned, one_replicate, refuse_hashed

    named = parse_list("--sample", asked.sample)
    if named is not None and asked.images is not None:
        raise UserError("--images: --sample names them already; leave one of the two out")
    refuse_columns(len(trials.encoders))
    chosen = one_replicate(trials, asked.replicate)
    refuse_hashed(chosen, trials.store)
    predictions = aligned(trials.store, chosen, columns)
    tables = [each.table for each in predictions]
    rows, rule = _rows(predictions[0], named, asked.images, is_positive)
    progress.say(f"images: {', '.join(tables[0]['sample_id'].iloc[rows])}")
    numbers = f"Under the names: all {len(tables[0])} test images of replicate {chosen[0].replicate}"
    # Over a panel stands one image's number, which means something else than that of all: a mean with empty ones, say.
    about = trials.task.about(trials.task.meta.main_metric)
    numbers = f"{numbers}; {about}" if about else numbers
    return Panels(
        predictions=predictions,
        rows=rows,
        images=_read(asked, chosen, predictions[0], rows, progress),
        names=tuple(trials.names()),
        results=tuple(_result(trials.task, record) for record in chosen),
        notes=(rule, f"{numbers}."),
    )


def _rows(
    predictions: Predictions,
    named: Sequence[str] | None,
    count: int | None,
    is_positive: Callable[[Predictions], np.ndarray],
) -> tuple[np.ndarray, str]:
    from ....foundation.errors import UserError
    from ....results.figures.samples import named_samples, picked_samples

    ids = predictions.table["sample_id"].tolist()
    most = count if named is None else len(named)
    if most is not None and not 1 <= most <= MOST_IMAGES:
        raise UserError(f"{'--images' if named is None else '--sample'}: a figure shows 1 to {MOST_IMAGES} images")
    if named is not None:
        return named_samples(ids, named), "Images as named by --sample."
    return picked_samples(ids, is_positive(predictions), count or 4)


def _read(
    asked: Asked, records: Sequence[Record], predictions: Predictions, rows: np.ndarray, progress: Progress
) -> tuple[np.ndarray, ...]:
    """The images of `rows`, found by their ids in the data that the trials were made of."""
    from ....data.image_reading import read_image
    from ....foundation.errors import RefusedError
    from ..data.task_data import task_data

    more = {"skip_unreadable": True} if records[0].left_out else {}
    task = records[0].task
    config, data = task_data(task, asked.data, asked.preset, asked.assign, asked.cache, asked.include, progress, more)
    name = data.radiographs.dataset
    if records[0].dataset.get("fingerprint") != data.fingerprint:
        raise RefusedError(
            f"--data {config.data_of(task, name)}: not the data that the records of {task} were made of; "
            f"give the same copy of {name} (of a phantom the same n, size and seed), --preset and --set as the run"
        )
    samples = data.radiographs.samples
    place_of = dict(zip(samples["sample_id"], samples["path"], strict=True))
    images = []
    with progress.step("images", len(rows)) as step:
        for row in rows:
            entry = predictions.table.iloc[row]
            path = data.radiographs.root / place_of[entry["sample_id"]]
            image = read_image(path)
            if image.shape != (entry["height"], entry["width"]):
                raise RefusedError(
                    f"{path}: {image.shape[1]} x {image.shape[0]} pixels, and the predictions are of an image of "
                    f"{entry['width']} x {entry['height']}; give the data of the run"
                )
            images.append(image)
            step.advance(1, str(entry["sample_id"]))
    return tuple(images)


def _result(task: Task, record: Record) -> str:
    from ....results.figures.metric_words import metric_in_words

    value = record.metrics.get(task.meta.main_metric)
    return f"{metric_in_words(task.meta.main_metric)} {'undefined' if value is None else f'{value:.3f}'}"
