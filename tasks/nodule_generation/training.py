"""One trial: a generator trained against a discriminator with an encoder's loss, and nodules painted by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...data.keys import fold
from ...data.splits import ROLES, Split
from ...pretrain.initialisation import private_randomness
from ...stats.frechet_distance import frechet_distance
from ...training.adversarial import fit_adversarial
from ...training.data_loader import BatchLoader
from ...training.device import resolve_device, resolve_precision
from ..made_images import MadeImages, shown_rows, write_made_images
from ..network_input import as_input
from ..trial import Trial, TrialResult
from .discriminator import PatchDiscriminator
from .feature_nets import load_feature_nets
from .generator import NoduleGenerator
from .losses import DiscriminatorLoss, GeneratorLoss
from .nodules import Patches, cut_patches
from .painting import Painted, paint
from .predictions import predictions_of
from .reconstruction import reconstruction_of
from .scores import meaning
from .training_patches import training_patches
from .windows import keys_of

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from .feature_nets import FeatureNets
    from .nodules import Nodules
    from .settings import NoduleGenerationSettings
    from .task import NoduleGenerationTask

# Threads that prepare batches; cutting is done before.
_WORKERS = 1
# Training nodules that the painting error is measured on, beside that of the validation nodules.
_MOST_ERRORS = 256


def train_and_score(
    task: NoduleGenerationTask, encoder: Encoder, trial: Trial, images: Images, nodules: Nodules, context: Context
) -> TrialResult:
    """Train a generator with `encoder` as its perceptual loss and paint the nodules of the test part."""
    start = time.perf_counter()
    settings, radiographs = task.settings, images.radiographs
    split = task.split(radiographs, trial)
    device = resolve_device(settings.training.device)
    precision = resolve_precision(settings.training.precision, device)
    nets = load_feature_nets(task.feature_net, settings.inception, device)
    train = nodules.of(split.train)
    patches = training_patches(images, nodules, train, settings.patch)
    reconstruction, resolved = reconstruction_of(
        encoder, trial.variant, settings, Patches(patches.pixels[0], patches.ellipses[0]), device
    )
    with private_randomness(trial.replicate):
        generator = NoduleGenerator(settings.patch.size, settings.network)
        discriminator = PatchDiscriminator(settings.network.discriminator_channels)
    batches = BatchLoader(patches.prepare, len(train), settings.training.batch_size, trial.replicate, workers=_WORKERS)
    history = fit_adversarial(
        generator,
        discriminator,
        GeneratorLoss(settings.loss, settings.patch.rim, reconstruction),
        DiscriminatorLoss(settings.patch.rim),
        batches,
        len(batches),
        settings.training,
        trial.replicate,
        progress=context.progress,
        title=str(trial),
        checkpoint=context.checkpoint_of(trial),
    )
    painter = history.average if isinstance(history.average, NoduleGenerator) else generator

    def painted(places: np.ndarray) -> Painted:
        return paint(
            painter,
            cut_patches(images, nodules, places, settings.patch),
            fold(keys_of(nodules.names[places]), trial.replicate),
            settings.patch.rim,
            settings.training.batch_size,
            device,
            precision,
        )

    test = nodules.of(split.test)
    made = painted(test)
    real_features, features = nets.of(made.real), nets.of(made.painted)
    predictions = predictions_of(radiographs, nodules, test, list(zip(real_features, features, strict=True)))
    measures = _measures(nets, made, real_features[0], _other_real(images, nodules, train, len(test), settings))
    errors = {"train": train[:_MOST_ERRORS], "validation": nodules.of(split.validation)}
    error = {name: painted(places).error() if len(places) else None for name, places in errors.items()}
    shown = shown_rows(nodules.names[test], trial.task)
    stacks = {name: stack[shown] for name, stack in made.shown().items()}
    write_made_images(context.made_images_of(trial), MadeImages(nodules.names[test][shown], stacks))
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=pd.DataFrame(history.rows),
        split=_split_in_words(radiographs, split, nodules),
        resolved={"device": device, **resolved, "painting_error": error, **measures},
        notes=(_what_frechet_is(task.feature_net.meta.name, measures),),
        seconds=time.perf_counter() - start,
    )


def _other_real(
    images: Images, nodules: Nodules, train: np.ndarray, count: int, settings: NoduleGenerationSettings
) -> Patches | None:
    """As many patches of training nodules, those with the lowest keys; None where there are fewer."""
    if len(train) < count:
        return None
    chosen = train[np.argsort(keys_of(nodules.names[train]), kind="stable")[:count]]
    return cut_patches(images, nodules, chosen, settings.patch)


def _measures(nets: FeatureNets, made: Painted, real: np.ndarray, other: Patches | None) -> dict[str, object]:
    """What the distance of the painted patches lies between: nothing painted, and other real nodules elsewhere."""
    empty = frechet_distance(real, nets.of(made.filled)[0])
    apart = None if other is None else frechet_distance(real, nets.of(as_input(other.pixels))[0])
    return {
        "frechet_nothing_painted": float(empty),
        "frechet_of_other_real_nodules": None if apart is None else float(apart),
    }


def _what_frechet_is(feature_net: str, measures: dict[str, object]) -> str:
    words = f"{meaning('frechet', feature_net)}; with nothing painted it is {measures['frechet_nothing_painted']:.4g}"
    other = measures["frechet_of_other_real_nodules"]
    return words if other is None else f"{words}, of as many other real nodules, surroundings included, {other:.4g}"


def _split_in_words(radiographs: Radiographs, split: Split, nodules: Nodules) -> dict[str, object]:
    """Counts of images, patients and nodules a role."""
    patients = radiographs.samples["patient_id"].to_numpy()
    described: dict[str, object] = {}
    for role in ROLES:
        rows = getattr(split, role)
        described[role] = {
            "images": len(rows),
            "patients": len(np.unique(patients[rows])),
            "nodules": len(nodules.of(rows)),
        }
    return described
