"""The training of a generator, from what was asked for to the finished file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.preprocessing import PREPROCESSING_VERSION
from ...foundation.errors import UserError
from ...foundation.files import new_file
from ...foundation.progress import Progress, SilentProgress
from ...foundation.settings import flattened
from ...training.device import resolve_device, resolve_precision
from ...training.loss_watch import NotFiniteLossError
from ...training.torchrun import started_by_torchrun
from ..running.folder import CHECKPOINT, SETTINGS, alone_in, begin, refuse_other
from ..running.images import PretrainingImages, pretraining_images
from ..running.interruption import stop_on_signals
from .files import read_generator_meta, save_generator
from .fitting import fit_generator
from .meta import GeneratorMeta
from .spec import GeneratorSpec, is_resolution
from .training_settings import AutoencoderSettings, Form, GanSettings, training_settings

if TYPE_CHECKING:
    from ...data.radiographs import Radiographs

SUFFIX = ".safetensors"
_SMALLEST = 8
_SCHEMA = 1
# What changes nothing about the weights.
_WITHOUT_EFFECT = ("checkpoint_seconds", "unreadable_limit")


class TrainingState(StrEnum):
    """What lies at the place of the file."""

    new = "new"
    unfinished = "unfinished"
    finished = "finished"


@dataclass(frozen=True)
class GeneratorRequest:
    """What a user asks for.

    Attributes:
        form: autoencoder or gan.
        size: side of the images in pixels.
        out: file of the result, .safetensors.
        resume: go on with what was interrupted there.
        values: dotted key -> value of the settings that were set.
        seed: of everything that is drawn.
        name: what the generator is called; empty for the name of the file.
        licence: of the weights.
    """

    form: Form
    size: int
    out: Path
    resume: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    name: str = ""
    licence: str = "not stated"


@dataclass(frozen=True)
class GeneratorPlan:
    """A request of which everything was checked that needs no image.

    Attributes:
        request: what was asked for.
        settings: of its form.
        spec: shape of the generator.
        state: of the place of its file.
    """

    request: GeneratorRequest
    settings: AutoencoderSettings | GanSettings
    spec: GeneratorSpec
    state: TrainingState

    @property
    def workplace(self) -> Path:
        """The folder beside the file where an unfinished training lies."""
        return self.request.out.with_name(f"{self.request.out.name}.partial")

    def identity(self) -> dict[str, Any]:
        """Dotted key -> value, JSON-ready, of what decides the weights and is known before an image is read."""
        settings = flattened(self.settings.model_dump(mode="json", exclude=set(_WITHOUT_EFFECT)), "settings.")
        training = self.settings.training
        precision = resolve_precision(training.precision, resolve_device(training.device))
        request = self.request
        return {
            "form": request.form,
            "size": request.size,
            "seed": request.seed,
            **dict(settings),
            "precision": precision,
            "preprocessing_version": PREPROCESSING_VERSION,
        }


@dataclass(frozen=True)
class TrainedGenerator:
    """What a training came to.

    Attributes:
        path: the file.
        meta: what it says.
        images: how many it was trained on.
        rows: of the history.
    """

    path: Path
    meta: GeneratorMeta
    images: int
    rows: list[dict[str, float]]


def plan_generator(request: GeneratorRequest) -> GeneratorPlan:
    """Check all that can be checked before an image is read.

    Raises:
        UserError: a size that no generator has, settings out of range, a file that is there, or an unfinished training
            that is not to be gone on with or is another one.
    """
    if not is_resolution(request.size) or request.size < _SMALLEST:
        raise UserError(f"--size {request.size}: a generator's images have a power of two from {_SMALLEST} to 2048")
    if request.out.suffix != SUFFIX:
        raise UserError(f"--out {request.out}: name a file that ends in {SUFFIX}")
    if started_by_torchrun():
        raise UserError("a generator is trained in one process; start `cxrbench generator train` without torchrun")
    settings = training_settings(request.form, request.values)
    spec = settings.generator.spec(request.size)
    resolve_device(settings.training.device)
    plan = GeneratorPlan(request, settings, spec, TrainingState.new)
    state = _state(plan)
    if state is TrainingState.unfinished:
        refuse_other(plan.workplace, plan.identity())
    return GeneratorPlan(request, settings, spec, state)


def train_generator(
    plan: GeneratorPlan,
    radiographs: Sequence[Radiographs],
    *,
    cache: Path,
    contamination: Sequence[str] = (),
    audit: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> TrainedGenerator:
    """Decode the images, train, and write the file; SIGTERM and Ctrl-C write a checkpoint and raise.

    Beside FILE.safetensors two files are written: FILE.images.txt lists what was seen, as audits read lists, and
    FILE.training.json holds settings, history and provenance.

    Args:
        plan: what to train.
        radiographs: one entry a dataset, without the images that tasks test on.
        cache: folder of what can be made again.
        contamination: registered names of datasets whose test images are among them all the same.
        audit: sentences on what was left out and compared.
        provenance: versions and machine.
        progress: where the work is shown.

    Raises:
        UserError: fewer images than a batch, more unreadable ones than the limit, another training lies there.
        NotFiniteLossError: a loss became NaN or infinite; the last checkpoint is kept.
        StoppedError: SIGTERM (exit code 143) or Ctrl-C (130); the checkpoint holds the last step.
    """
    progress = progress or SilentProgress()
    request, settings = plan.request, plan.settings
    _refuse_few(sum(map(len, radiographs)), settings)
    images = pretraining_images(
        radiographs,
        request.size,
        settings.preprocessing,
        settings.unreadable_limit,
        cache=cache,
        progress=progress,
    )
    _refuse_few(len(images), settings)
    place = plan.workplace
    with alone_in(place), stop_on_signals() as stop:
        # Again, now that nobody else can begin there.
        _state(plan)
        begin(place, {**plan.identity(), "images": images.sha256, "order": images.order}, {"audit": list(audit)})
        if request.resume:
            there = (place / CHECKPOINT).is_file()
            words = "going on from its checkpoint" if there else "no checkpoint was written yet, so it begins"
            progress.say(f"{request.out}: {words}")
        try:
            fitted = fit_generator(
                plan.spec,
                settings,
                images.parts,
                request.seed,
                checkpoint=place / CHECKPOINT,
                checkpoint_must_fit=True,
                stop=stop,
                progress=progress,
                title=f"training {request.out.stem}",
            )
        except NotFiniteLossError as error:
            raise NotFiniteLossError(f"{error}; begin again with another --out") from None
        meta = _meta(plan, images, contamination)
        _write_beside(plan, images, fitted.rows, meta, audit, provenance or {})
        meta = save_generator(fitted.generator, request.out, meta)
        shutil.rmtree(place, ignore_errors=True)
    return TrainedGenerator(request.out, meta, len(images), fitted.rows)


def _state(plan: GeneratorPlan) -> TrainingState:
    """What lies at the place of the file. Raises UserError where it must not be written over, or gone on with."""
    out, resume = plan.request.out, plan.request.resume
    if out.exists():
        if out.is_dir():
            raise UserError(f"--out {out}: is a folder; name a file")
        try:
            read_generator_meta(out)
        except UserError as error:
            raise UserError(f"--out {out}: is there and is no generator ({error}); name another file") from None
        if not resume:
            raise UserError(f"--out {out}: holds a finished generator; name another file")
        return TrainingState.finished
    if (plan.workplace / SETTINGS).is_file():
        if not resume:
            raise UserError(f"--out {out}: its training is unfinished: go on with --resume, or name another file")
        return TrainingState.unfinished
    return TrainingState.new


def _refuse_few(n: int, settings: AutoencoderSettings | GanSettings) -> None:
    size = settings.training.batch_size
    if n < size:
        raise UserError(
            f"{n} images are fewer than a batch of {size}: give more with --data, or --set training.batch_size={n}"
        )


def _meta(plan: GeneratorPlan, images: PretrainingImages, contamination: Iterable[str]) -> GeneratorMeta:
    request = plan.request
    counts = ", ".join(f"{count:,} images of {name}" for name, count in images.datasets.items())
    normal = ", normal ones only" if plan.settings.normal else ""
    among = ", ".join(contamination)
    seen = f"; test images of {among} are among them" if among else "; without the images that tasks test on"
    form = "an autoencoder" if request.form == "autoencoder" else "a GAN"
    kind = "StyleGAN2-architecture autoencoder" if request.form == "autoencoder" else "StyleGAN2"
    return GeneratorMeta(
        name=request.name or request.out.stem,
        kind=kind,
        spec=plan.spec,
        trained_on=f"{counts}{normal}, as {form}{seen}",
        licence=request.licence,
        synthetic=images.synthetic,
    )


def _write_beside(
    plan: GeneratorPlan,
    images: PretrainingImages,
    rows: list[dict[str, float]],
    meta: GeneratorMeta,
    audit: Sequence[str],
    provenance: Mapping[str, Any],
) -> None:
    out = plan.request.out
    with new_file(out.with_suffix(".images.txt")) as beside, beside.open("w", encoding="utf-8") as file:
        file.write("# seen in the training of a generator: one name a line\n")
        file.writelines(f"{name}\n" for name in dict.fromkeys([*images.names(), *images.others_names()]))
    content = {
        "schema_version": _SCHEMA,
        "name": meta.name,
        "kind": meta.kind,
        "trained_on": meta.trained_on,
        "synthetic": meta.synthetic,
        "datasets": images.datasets,
        "images": len(images),
        "images_sha256": images.sha256,
        "unreadable": len(images.left_out),
        "audit": list(audit),
        "size": plan.request.size,
        "seed": plan.request.seed,
        "settings": plan.settings.model_dump(mode="json"),
        "history": rows,
        "provenance": dict(provenance),
    }
    with new_file(out.with_suffix(".training.json")) as beside:
        beside.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
