"""A figure of images that trials made, with what records say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .shown_images import MOST_IMAGES

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ....results.figures.made_images import MadeColumn, MadeKind
    from ....results.figures.style import EncoderName
    from ....results.record import Record
    from .kept_images import KeptImages
    from .shown_trials import ShownTrials

_DECIMALS = {"psnr": 2, "fid": 2}


@dataclass(frozen=True)
class AskedMade:
    """The options of a figure of made images, as they were given.

    Attributes:
        sample: `--sample`.
        images: `--images`.
        replicate: `--replicate`.
        cache: `--cache`.
    """

    sample: str | None
    images: int | None
    replicate: int | None
    cache: Path | None


def made_images_figure(asked: AskedMade, trials: ShownTrials, kind: MadeKind) -> Figure:
    """The figure of one replicate of each encoder on the same test images.

    Args:
        asked: the options.
        trials: of one fraction.
        kind: what these trials keep.

    Raises:
        UserError: unknown samples, trials that keep other images, images no longer in the cache, hashed ids, too many
            columns.
        RefusedError: test sets, or what encoders were given, differ.
    """
    from ....foundation.errors import UserError
    from ....results.figures.image_grid import refuse_columns
    from ....results.figures.made_images import draw_made_images
    from ...config import parse_list
    from .kept_images import kept_images
    from .one_replicate import aligned, one_replicate, refuse_hashed

    named = parse_list("--sample", asked.sample)
    if named is not None and asked.images is not None:
        raise UserError("--images: --sample names them already; leave one of the two out")
    most = asked.images if named is None else len(named)
    if most is not None and not 1 <= most <= MOST_IMAGES:
        raise UserError(f"{'--images' if named is None else '--sample'}: a figure shows 1 to {MOST_IMAGES} images")
    refuse_columns(len(trials.encoders), kind.each, len(kind.given))
    chosen = one_replicate(trials, asked.replicate)
    refuse_hashed(chosen, trials.store)
    predictions = aligned(trials.store, chosen, (kind.caption,) if kind.caption else ())
    kept = kept_images(chosen, predictions, kind, asked.cache)
    ids, rule = _sample_ids(kept, named, asked.images or 4, kind.unit)
    return draw_made_images(
        kind,
        ids,
        _given(kept, ids, trials.encoders, kind),
        [
            _column(kept, number, ids, name, record, kind)
            for number, (name, record) in enumerate(zip(trials.names(), chosen, strict=True))
        ],
        title=_title(trials, chosen[0]),
        synthetic=trials.synthetic,
        notes=[rule, *_numbers(trials, chosen[0], len(predictions[0].table), kind)],
    )


def _title(trials: ShownTrials, record: Record) -> str:
    """What the trials are, in words; the fraction where the task has several."""
    from ....results.figures.titles import trials_in_words

    meta = trials.task.meta
    fraction = record.fraction if len(meta.replicates) > 1 or record.fraction not in meta.replicates else None
    return trials_in_words(meta.title, record.variant, record.protocol, fraction)


def _sample_ids(kept: KeptImages, named: Sequence[str] | None, count: int, unit: str) -> tuple[list[str], str]:
    """The ids of the images to show, each a `unit` in words, and the rule by which they were chosen."""
    from ....foundation.errors import RefusedError, UserError
    from ....results.figures.samples import named_samples

    if not kept.ids:
        raise RefusedError(
            f"--encoder: no test {unit} of which all trials keep an image; leave out an encoder, or run them again"
        )
    if named is None:
        shown = list(kept.ids[:count])
        units = unit if len(shown) == 1 else f"{unit}s"
        return shown, f"First {len(shown)} test {units} in the order of a hash of the id, which no result chooses."
    tested = kept.tables[0].index.tolist()
    named_samples(tested, named)
    absent = [each for each in named if each not in kept.ids]
    if absent:
        raise UserError(
            f"--sample: {absent[0]!r} is a test {unit}, but {len(kept.ids)} of the {len(tested)} are kept for figures; "
            f"one of them is {kept.ids[0]!r}"
        )
    return list(named), f"{unit.capitalize()}s as named by --sample."


def _given(kept: KeptImages, ids: Sequence[str], names: Sequence[str], kind: MadeKind) -> dict[str, np.ndarray]:
    """What encoders were given. Raises RefusedError where it differs."""
    import numpy as np

    from ....foundation.errors import RefusedError

    found: dict[str, list[np.ndarray]] = {stack: [] for stack in kind.given}
    for sample_id in ids:
        having = [number for number, places in enumerate(kept.places) if sample_id in places]
        for stack, images in found.items():
            shown = [kept.made[number].stacks[stack][kept.places[number][sample_id]] for number in having]
            for number, other in zip(having, shown, strict=True):
                if not np.array_equal(other, shown[0]):
                    raise RefusedError(
                        f"--encoder: {names[having[0]]} and {names[number]} have different images as {stack} of "
                        f"{sample_id}; run one of them again on the data of the other"
                    )
            images.append(shown[0])
    return {stack: np.stack(images) for stack, images in found.items()}


def _column(
    kept: KeptImages, number: int, ids: Sequence[str], name: EncoderName, record: Record, kind: MadeKind
) -> MadeColumn:
    """What the encoder with that number made of the images `ids`."""
    import numpy as np

    from ....results.figures.made_images import MadeColumn

    stack, places = kept.made[number].stacks[kind.made], kept.places[number]
    table = kept.tables[number].loc[list(ids)]
    blank = np.zeros(kept.made[0].stacks[kind.made].shape[1:], dtype=np.uint8)
    values = table[kind.caption].to_numpy(dtype=np.float64) if kind.caption else np.full(len(ids), np.nan)
    return MadeColumn(
        name=name,
        result=_result(record.metrics, kind),
        made=np.stack([stack[places[each]] if each in places else blank for each in ids]),
        captions=[_value(kind.caption, value) for value in values.tolist()],
        failed=np.array([each in kept.failed[number] for each in ids]),
    )


def _result(metrics: Mapping[str, float | None], kind: MadeKind) -> str:
    """`PSNR 27.13, SSIM 0.812`: the first of the kind's metrics that have a value."""
    shown = [_value(name, value) for name in _shown(metrics, kind) if (value := metrics.get(name)) is not None]
    return ", ".join(shown) or f"{_words(kind.metrics[-1])} undefined"


def _shown(metrics: Mapping[str, float | None], kind: MadeKind) -> list[str]:
    return [name for name in kind.metrics if metrics.get(name) is not None][: kind.most]


def _value(metric: str, value: float) -> str:
    """`PSNR 27.13`; empty for NaN."""
    import math

    if math.isnan(value):
        return ""
    number = "∞" if math.isinf(value) else f"{value:.{_DECIMALS.get(metric, 3)}f}"
    return f"{_words(metric)} {number}"


def _words(metric: str) -> str:
    from ....results.figures.metric_words import metric_in_words

    return metric_in_words(metric)


def _numbers(trials: ShownTrials, record: Record, tested: int, kind: MadeKind) -> list[str]:
    """What the numbers over columns and panels are, a note each."""
    over = f"; over a panel: that {kind.unit} alone" if kind.caption else ""
    notes = [f"Under the names: all {tested} test {kind.unit}s of replicate {record.replicate}{over}."]
    for name in _shown(record.metrics, kind):
        about = trials.task.about(name)
        if about:
            notes.append(f"{about}." if about.startswith(_words(name)) else f"{_words(name)}: {about}.")
    return notes
