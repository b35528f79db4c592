"""`cxrbench generator train`: a generator of one's own."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..choice import choice_option
from ..options import AssignOption, CacheOption, IncludeOption

if TYPE_CHECKING:
    from ....pretrain.generator.generator_training import GeneratorPlan, TrainedGenerator
    from ...pretraining_data import TrainingData


class Form(StrEnum):
    """How a generator is trained."""

    autoencoder = "autoencoder"
    gan = "gan"


def train(
    data: Annotated[
        str,
        typer.Option(
            help="Images: DATASET=FOLDER, a folder, or a list of images, several with commas between; "
            "or phantom[:n=600,size=128,seed=1], DATASET=phantom."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write, .safetensors.")],
    form: Annotated[
        Form,
        choice_option(Form, "--form", "autoencoder: quick and stable; gan: R1 and adaptive augmentation, for a GPU."),
    ],
    size: Annotated[int, typer.Option(help="Side of its images in pixels: a power of two.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was interrupted.")] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="TASK=FOLDER,...", help="Refuse images that these test on, however they are named."),
    ] = None,
    allow_contamination: Annotated[
        bool, typer.Option("--allow-contamination", help="Train on test images all the same; the file will say so.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    name: Annotated[str | None, typer.Option(help="What it is called.  (default: the name of FILE)")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
    assign: AssignOption = None,
    include: IncludeOption = None,
    cache: CacheOption = None,
) -> None:
    """Train a StyleGAN2 on radiographs, as a GAN or as the decoder of an autoencoder.

    What a task tests on is left out of named datasets. A training that was interrupted goes on with --resume, and ends
    as it would have ended. --set normal=true takes images without a finding only.
    """
    from ....foundation.files import expanded
    from ....foundation.progress import progress_for_terminal
    from ....foundation.registry import include as include_file
    from ....foundation.settings import parse_assignment
    from ....pretrain.generator.generator_training import (
        GeneratorRequest,
        TrainingState,
        plan_generator,
        train_generator,
    )
    from ...config import run_config
    from ...pretraining_data import split_entries, training_data
    from ...provenance import provenance
    from ..written import refuse_unwritable

    for file in include or []:
        include_file(file)
    request = GeneratorRequest(
        form=form.value,
        size=size,
        out=expanded(out),
        resume=resume,
        values=dict(parse_assignment(text) for text in assign or ()),
        seed=seed,
        name=name or "",
        licence=licence or "not stated",
    )
    folder = run_config({"cache": cache}, needs_grid=False).cache
    refuse_unwritable("--out", request.out)
    plan = plan_generator(request)
    if plan.state is TrainingState.finished:
        typer.echo(f"{request.out}: finished; nothing to do")
        return
    progress = progress_for_terminal()
    tested = split_entries(against) if against else []
    found = training_data(data, tested, allow_contamination=allow_contamination, cache=folder, progress=progress)
    found = _normal_ones(found) if plan.settings.normal else found
    for sentence in found.audit:
        progress.say(sentence)
    trained = train_generator(
        plan,
        found.radiographs,
        cache=folder,
        contamination=found.contamination,
        audit=found.audit,
        provenance=provenance(),
        progress=progress,
    )
    _tell(trained, plan)


def _normal_ones(found: TrainingData) -> TrainingData:
    """Only the frontal images without a finding. Raises UserError where no label says which they are."""
    from dataclasses import replace

    from ....data.normal_images import normals
    from ....foundation.errors import UserError

    kept, audit = [], list(found.audit)
    for radiographs in found.radiographs:
        if not radiographs.labels:
            raise UserError(
                f"--set normal=true: {radiographs.root} has no labels that say which images are normal; name a dataset "
                "with --data DATASET=FOLDER"
            )
        chosen = normals(radiographs)
        kept.append(radiographs.where(chosen))
        audit.append(f"{radiographs.dataset}: {int(chosen.sum())} of {len(radiographs)} images are normal and frontal")
    return replace(found, radiographs=tuple(kept), audit=tuple(audit))


def _tell(trained: TrainedGenerator, plan: GeneratorPlan) -> None:
    meta, path = trained.meta, trained.path
    synthetic = " (synthetic phantom data)" if meta.synthetic else ""
    typer.echo(f"{path}: {meta.kind}, {plan.request.size} px, {trained.images:,} images{synthetic}")
    typer.echo(f"  trained on: {meta.trained_on}; licence: {meta.licence}; SHA-256 {meta.sha256}")
    images = "phantom" if meta.synthetic else "FOLDER"
    typer.echo(f"use it: cxrbench run --encoder A,B --task gan_inversion --data {images} --set generator={path}")
