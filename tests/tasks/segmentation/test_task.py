"""Whole trials on a phantom: learning, resuming, settings, and what bad input gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cxrbench.data import load, prepare_images
from cxrbench.data.images import Images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.data.run_lengths import counts_from_text, mask_of
from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.segmentation import training
from cxrbench.tasks.segmentation.levels import enlarged
from cxrbench.tasks.segmentation.predicting import Predictor, Validation
from cxrbench.tasks.segmentation.targets import TrueMasks, true_masks
from cxrbench.tasks.segmentation.task import SegmentationTask
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult
from cxrbench.training.loop import fit
from cxrbench.training.stopping import StoppedError
from tests.tasks.segmentation.examples import LABEL, dataset

Batch = tuple[torch.Tensor, torch.Tensor]
TINY = {
    "image_size": 32,
    "decoder_channels": [8, 8, 8, 8, 8],
    "training.epochs": 2,
    "training.batch_size": 8,
    "training.precision": "float32",
}


def configured(**overrides: object) -> SegmentationTask:
    task = tasks.get("siim_acr").configured(None, {**TINY, **overrides}, "test")
    assert isinstance(task, SegmentationTask)
    return task


def trial_of(protocol: str = "finetune", fraction: float = 100, replicate: int = 0) -> Trial:
    return Trial("resnet18_scratch", "siim_acr", "default", protocol, fraction, replicate)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    cache = tmp_path_factory.mktemp("cache")
    data = configured().select(load("siim_acr", phantom_folder("siim_acr", cache, n=60, size=64)))
    return prepare_images(data, 32, cache=cache)


def run(task: SegmentationTask, images: Images, trial: Trial, context: Context) -> TrialResult:
    return next(task.run(load_encoder("resnet18_scratch"), iter([trial]), images, context))


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("protocol", ["frozen", "finetune"])
def test_a_trial_gives_masks_in_original_pixels_and_says_how_it_decided(
    protocol: str, images: Images, tmp_path: Path
) -> None:
    task = configured()
    result = run(task, images, trial_of(protocol), Context(tmp_path))
    table = result.predictions.table
    assert len(result.history) == 2
    best = result.history.set_index("epoch").loc[result.resolved["best_epoch"]]  # type: ignore[index]
    assert result.resolved["threshold"] == best["validation_threshold"]
    assert result.resolved["validation_dice"] == best["validation_dice"]
    marked = [mask_of(counts_from_text(text), 64, 64).any() for text in table["decision"]]
    # The largest probability of a pixel says whether there is one at the threshold.
    assert marked == (result.predictions.array("scores")[:, 0] >= result.resolved["threshold"]).tolist()
    assert result.predictions.labels == (LABEL,)
    assert 0 < float(str(result.resolved["threshold"])) < 1
    assert result.split["test"]["positives"] * 2 == result.split["test"]["images"] == len(table)  # type: ignore[index]
    assert json.loads(json.dumps([result.resolved, result.split])) == [result.resolved, result.split]
    result.predictions.write(tmp_path / "predictions.parquet")
    assert task.score(Predictions.read(tmp_path / "predictions.parquet")) == task.score(result.predictions)
    assert all(each.difference in (0.0, None) for each in task.compare(result.predictions, result.predictions))


def test_a_training_that_was_stopped_goes_on_bit_for_bit(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, trial = configured(), trial_of("frozen")
    with one_thread():
        whole = run(task, images, trial, Context(tmp_path))
        context = Context(tmp_path, lambda trial: tmp_path / "trial.ckpt")
        asked = iter([False, False, False, True])
        stopping = partial(fit, stop=lambda: next(asked))
        monkeypatch.setattr(training, "fit", stopping)
        with pytest.raises(StoppedError):
            run(task, images, trial, context)
        assert (tmp_path / "trial.ckpt").is_file()
        monkeypatch.setattr(training, "fit", fit)
        resumed = run(task, images, trial, context)
    for result, name in ((whole, "whole"), (resumed, "resumed")):
        result.predictions.write(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    columns = ["loss", "validation_dice", "validation_balanced_dice"]
    assert whole.history[columns].equals(resumed.history[columns])


class Shown(torch.nn.Module):
    """Gives its images back as logits, as if the network knew the masks."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * x - 10


def shown(images: Images, masks: TrueMasks) -> Images:
    """The same dataset, each image its own mask."""
    return replace(images, stored=masks.squares(np.arange(len(images)), images.size), order=np.arange(len(images)))


def test_a_network_that_knows_the_masks_scores_nearly_one(images: Images) -> None:
    data = images.radiographs
    masks = true_masks(data, LABEL, np.tile([64, 64], (len(data), 1)))
    predict = Predictor(shown(images, masks), masks, "cpu", "float32", 16)
    found = Validation(predict, np.arange(len(data)))(Shown())
    # 32 pixels a side cannot draw the border of 64.
    assert found["dice"] > 0.97
    assert found["dice_positive"] > 0.9
    nothing = Validation(predict, np.arange(len(data)))(torch.nn.Hardtanh(-50.0, -40.0))
    assert nothing["dice"] == pytest.approx((~masks.positive).mean())
    assert nothing["dice_positive"] == 0
    texts, scores = predict.decide(Shown(), np.flatnonzero(masks.positive)[:1], 0.5)
    square = masks.squares(np.flatnonzero(masks.positive)[:1], 32)[0]
    logits = torch.from_numpy(square / 255 * 20 - 10).sigmoid().numpy()
    expected = enlarged(logits, 64, 64).T >= 0.5
    assert np.array_equal(mask_of(counts_from_text(texts[0]), 64, 64), expected)
    assert scores[0] > 0.99


def test_a_network_that_breaks_down_keeps_its_best_epoch(images: Images, tmp_path: Path) -> None:
    task = configured(**{"training.epochs": 3, "training.optimiser": "sgd", "training.lr": 0.1})
    broken: list[int] = []

    class Broken(training.DiceAndCrossEntropy):
        def __call__(
            self, network: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
        ) -> dict[str, torch.Tensor]:
            broken.append(1)
            terms = super().__call__(network, batch)
            return {**terms, "loss": terms["loss"] * (float("nan") if len(broken) > 3 else 1.0)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "DiceAndCrossEntropy", Broken)
        result = run(task, images, trial_of("frozen"), Context(tmp_path))
    assert any("the loss is nan in epoch" in note and "best epoch" in note for note in result.notes)
    assert len(result.history) < 3
    assert task.score(result.predictions)["dice"] is not None


def test_outputs_that_are_no_numbers_choose_no_epoch_and_are_named(images: Images) -> None:
    masks = TrueMasks(tuple(np.array([4096]) for _ in range(len(images))), np.tile([64, 64], (len(images), 1)))
    predict = Predictor(images, masks, "cpu", "float32", 16)
    broken = torch.nn.Threshold(2.0, float("nan"))
    assert np.isnan(Validation(predict, np.arange(5))(broken)["balanced_dice"])
    with pytest.raises(UserError, match="outputs are not numbers; lower"):
        predict.decide(broken, np.arange(5), 0.5)


def test_an_encoder_without_stages_is_refused_before_anything_runs() -> None:
    encoder = load_encoder("resnet18_scratch")
    encoder.meta = replace(encoder.meta, stage_channels=())
    with pytest.raises(UserError, match="has no feature maps"):
        configured().check_encoder(encoder, trial_of())


def test_images_of_which_nothing_is_known_are_left_away() -> None:
    data = dataset(n=20)
    samples = data.samples.copy()
    samples.loc[3, LABEL] = np.nan
    assert len(configured().select(replace(data, samples=samples))) == 19


def test_a_dataset_without_masks_and_an_unknown_label_are_named() -> None:
    data = dataset(n=20)
    with pytest.raises(UserError, match="siim_acr has no masks"):
        configured().select(replace(data, masks=None))
    with pytest.raises(UserError, match="unknown label 'pneumotorax'; did you mean 'pneumothorax'"):
        configured(label="pneumotorax").select(data)


def test_settings_of_the_paper() -> None:
    task = tasks.get("siim_acr").configured("mlvicx", {}, "--preset")
    assert isinstance(task, SegmentationTask)
    chosen = task.settings.training
    assert (task.image_size, chosen.lr, chosen.batch_size, chosen.patience) == (224, 3e-4, 32, 10)
    assert dict(task.meta.replicates) == {30.0: 3, 100.0: 3}
    assert task.meta.protocols == ("frozen", "finetune")
    assert task.settings.draw.validation_share == 0.2
    assert task.settings.draw.balance == "equal"


def test_settings_that_bear_on_a_trial() -> None:
    settings = configured().settings_of(trial_of())
    assert settings["augmentation_version"] == 1
    assert "device" not in settings["training"]
    assert "augmentation_version" not in configured(augmentation="none").settings_of(trial_of())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"draw.balance": "even"}, "draw.balance: Input should be 'equal' or 'natural'"),
        ({"decoder_channels": [8, 8]}, "five numbers of channels"),
        ({"loss.bce": 0}, "loss.bce: Input should be greater than 0"),
        ({"traning.lr": 1}, "did you mean 'training.lr'"),
    ],
)
def test_wrong_settings_are_named(override: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        configured(**override)
