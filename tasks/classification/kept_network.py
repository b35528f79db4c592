"""Networks of fine-tuning trials, trained again once and kept in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ...foundation.errors import UserError
from ...foundation.files import writing
from ...training.device import Device, channels_last, resolve_device
from .classifier import Classifier
from .finetune import scored
from .training import train_classifier

if TYPE_CHECKING:
    from ...data.images import Images
    from ...pretrain.encoder import Encoder
    from ..task import Context
    from ..trial import Trial
    from .task import ClassificationTask

FOLDER = "networks"
_ABOUT = "cxrbench"


@dataclass(frozen=True)
class KeptNetwork:
    """A trial's trained network, and what it said of the test set.

    Attributes:
        network: on its device, in eval mode, with the weights of its best epoch.
        device: that device.
        metrics: of the test set: what a record of the trial holds.
        trained_on: device on which it was trained.
        was_kept: whether it came out of the cache.
    """

    network: Classifier
    device: Device
    metrics: dict[str, float | None]
    trained_on: str
    was_kept: bool


def network_of_trial(
    task: ClassificationTask, encoder: Encoder, trial: Trial, fingerprint: str, images: Images, context: Context
) -> KeptNetwork:
    """The network of a fine-tuning trial: a record keeps no weights, but the same trial gives the same network.

    It is trained where `<cache>/networks/<fingerprint>.safetensors` is not there, and then written there as a whole. A
    training that was interrupted goes on from its checkpoint beside it; a second process waits for the first. A file
    that cannot be read is told of and made again.

    Raises what `finetune` raises.
    """
    folder = context.cache / FOLDER
    file = folder / f"{fingerprint}.safetensors"
    device = resolve_device(task.settings.training.device)
    found = _read(file, encoder, trial, images)
    if isinstance(found, str):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with _claimed(file, trial, context):
            found = _read(file, encoder, trial, images)
            if isinstance(found, str):
                if found:
                    context.progress.say(f"{file} cannot be read ({found}); {trial} is trained again")
                return _trained(task, encoder, trial, file, images, context)
    network, about = found
    # As `fit` leaves the network that it trained: equal layouts give equal maps.
    channels_last(network).eval().to(device)
    return KeptNetwork(network, device, about["metrics"], about["device"], True)


def _trained(
    task: ClassificationTask, encoder: Encoder, trial: Trial, file: Path, images: Images, context: Context
) -> KeptNetwork:
    from ...pretrain.saving import write_tensors

    checkpoint = file.with_name(f".{file.stem}.ckpt")
    trained = train_classifier(task, encoder, trial, images, replace(context, checkpoint_of=lambda _: checkpoint))
    metrics = task.score(scored(task, trained).predictions)
    about = {"trial": str(trial), "metrics": metrics, "device": trained.device}
    write_tensors(file, trained.network.state_dict(), {_ABOUT: json.dumps(about, allow_nan=False)})
    checkpoint.unlink(missing_ok=True)
    return KeptNetwork(trained.network, trained.device, metrics, trained.device, False)


def _read(file: Path, encoder: Encoder, trial: Trial, images: Images) -> tuple[Classifier, dict[str, Any]] | str:
    """The network in `file`, on the CPU, and what is written beside it; or why not, empty where there is no file."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return ""
    network = Classifier(encoder.fresh(trial.replicate), len(images.radiographs.labels), trial.replicate)
    try:
        with safe_open(file, framework="pt") as content:
            about = json.loads((content.metadata() or {})[_ABOUT])
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (no mapping)
        network.load_state_dict(tensors)
        return network, {"metrics": dict(about["metrics"]), "device": str(about["device"])}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        return type(error).__name__


@contextmanager
def _claimed(file: Path, trial: Trial, context: Context) -> Iterator[None]:
    """Wait, with a word, until nobody else makes `file`."""
    place = file.with_name(f".{file.stem}.lock")
    lock = FileLock(place)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        context.progress.say(f"{trial} is being trained by another process; waiting for it")
        lock.acquire(poll_interval=0.2)
    except NotImplementedError as error:
        raise UserError(f"{file.parent}: the file system has no locks; choose another --cache") from error
    try:
        yield
    finally:
        if file.is_file():
            # Whoever opened the lock before it goes still gets it, and finds the file.
            place.unlink(missing_ok=True)
        lock.release()
