from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxrbench.data import load, prepare_images
from cxrbench.data.cache_folders import cache_entries
from cxrbench.data.images import Images
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.tasks.classification import kept_network
from cxrbench.tasks.classification.finetune import finetune, scored
from cxrbench.tasks.classification.kept_network import KeptNetwork, network_of_trial
from cxrbench.tasks.classification.task import ClassificationTask
from cxrbench.tasks.classification.training import train_classifier
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial

from ...pretrain.tiny_encoder import tiny_encoder
from ...told import Told

TRIAL = Trial("tiny", "pediatric_pneumonia", "default", "finetune", 50.0, 1)
FINGERPRINT = "0123456789abcdef"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """A phantom of 48 images of 32 pixels."""
    root = tmp_path_factory.mktemp("phantom") / "pediatric_pneumonia"
    write_phantom_dataset("pediatric_pneumonia", root, 48, 32, rib_free=False)
    return prepare_images(load("pediatric_pneumonia", root), 32, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def task() -> ClassificationTask:
    small = {"image_size": 32, "training.epochs": 2, "training.batch_size": 8, "training.device": "cpu"}
    found = tasks.get("pediatric_pneumonia").configured(None, small, "test")
    assert isinstance(found, ClassificationTask)
    return found


def kept(task: ClassificationTask, images: Images, context: Context) -> KeptNetwork:
    return network_of_trial(task, tiny_encoder(), TRIAL, FINGERPRINT, images, context)


def weights(network: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in network.state_dict().items()}


def test_a_trial_trained_twice_gives_the_same_network_and_the_same_result(
    task: ClassificationTask, images: Images, tmp_path: Path
) -> None:
    context = Context(tmp_path)
    first, second = (train_classifier(task, tiny_encoder(), TRIAL, images, context) for _ in range(2))
    assert weights(first.network) == weights(second.network)
    assert weights(first.network.encoder) != weights(tiny_encoder().fresh(TRIAL.replicate))
    assert not first.network.training
    ran, again = finetune(task, tiny_encoder(), TRIAL, images, context), scored(task, first)
    assert ran.predictions.array("scores").tobytes() == again.predictions.array("scores").tobytes()
    assert (ran.resolved, ran.split, ran.notes) == (again.resolved, again.split, again.notes)
    assert ran.history["loss"].tolist() == again.history["loss"].tolist()


def test_the_second_time_nothing_is_trained(
    task: ClassificationTask, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(tmp_path)
    first = kept(task, images, context)
    monkeypatch.setattr(kept_network, "train_classifier", None)
    second = kept(task, images, context)
    assert (first.was_kept, second.was_kept) == (False, True)
    assert weights(first.network) == weights(second.network)
    assert first.metrics == second.metrics
    expected = task.score(finetune(task, tiny_encoder(), TRIAL, images, context).predictions)
    assert second.metrics == expected
    x = torch.rand(2, 1, 32, 32)
    assert torch.equal(first.network(x), second.network(x))
    assert [path.name for path in (tmp_path / "networks").iterdir()] == [f"{FINGERPRINT}.safetensors"]


def test_the_cache_lists_it_and_removes_it(task: ClassificationTask, images: Images, tmp_path: Path) -> None:
    from cxrbench.data.cache_folders import remove

    kept(task, images, Context(tmp_path))
    (tmp_path / "networks" / ".fedcba9876543210.ckpt").write_bytes(b"half")
    (tmp_path / "networks" / "mine.safetensors").write_bytes(b"not ours")
    whole, half = sorted(cache_entries(tmp_path), key=lambda entry: entry.building)
    assert (str(whole), whole.about) == (f"networks/{FINGERPRINT}.safetensors", str(TRIAL))
    assert (half.key, half.building) == ("fedcba9876543210.safetensors", True)
    for entry in (whole, half):
        remove(tmp_path, entry)
    assert [path.name for path in (tmp_path / "networks").iterdir()] == ["mine.safetensors"]


def test_a_damaged_file_is_told_of_and_made_again(task: ClassificationTask, images: Images, tmp_path: Path) -> None:
    told = Told()
    first = kept(task, images, Context(tmp_path))
    file = tmp_path / "networks" / f"{FINGERPRINT}.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    again = kept(task, images, Context(tmp_path, progress=told))
    assert not again.was_kept
    assert weights(again.network) == weights(first.network)
    assert told.lines == [f"{file} cannot be read (SafetensorError); {TRIAL} is trained again"]


def test_a_training_has_a_checkpoint_beside_its_file_as_trials_have(
    task: ClassificationTask, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path | None] = []

    def interrupted(task, encoder, trial, images, context):
        asked.append(context.checkpoint_of(trial))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept_network, "train_classifier", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept(task, images, Context(tmp_path))
    checkpoint = tmp_path / "networks" / f".{FINGERPRINT}.ckpt"
    assert asked == [checkpoint]
    # One of another training is told of; that of this one `fit` goes on with, and both are gone at the end.
    torch.save({"version": 2, "identity": "another", "state": {}}, checkpoint)
    told = Told()
    kept(task, images, Context(tmp_path, progress=told))
    assert "is of a training with other settings" in told.lines[0]
    assert not checkpoint.exists()
