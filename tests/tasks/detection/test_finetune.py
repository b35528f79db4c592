"""Training of a detector from the first step to the predictions, and what ends it early."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.data.images import Images
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.detection import finetune as module
from cxrbench.tasks.detection.detecting import Finder, Validation
from cxrbench.tasks.detection.finetune import TrainingSamples, finetune
from cxrbench.tasks.detection.targets import TrueBoxes
from cxrbench.tasks.detection.task import DetectionTask
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult
from cxrbench.training import NotFiniteLossError, fit
from cxrbench.training.batch_norm import SynchronisedBatchNorm

TRIAL = Trial("resnet18_scratch", "siim_covid", "dc5", "finetune", 100, 0)
LOSSES = {"loss", "rpn_objectness", "rpn_box", "roi_class", "roi_box"}


def run(
    task: DetectionTask, encoder: Encoder, squares: Images, truth: TrueBoxes, trial: Trial = TRIAL, **context: object
) -> TrialResult:
    return finetune(task, encoder, trial, squares, truth, Context(Path("nowhere"), **context))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(small_task: DetectionTask, encoder: Encoder, squares: Images, truth: TrueBoxes) -> TrialResult:
    """A training from end to end."""
    return run(small_task, encoder, squares, truth)


def test_a_training_gives_predictions_history_and_split(small_task: DetectionTask, whole: TrialResult) -> None:
    result = whole
    assert LOSSES | {"validation_map50", "validation_map"} <= set(result.history.columns)
    assert len(result.history) == 2
    terms = result.history[sorted(LOSSES - {"loss"})].sum(axis=1)
    np.testing.assert_allclose(result.history["loss"], terms, rtol=1e-6)
    assert result.predictions.labels == ("opacity",)
    assert result.predictions.table["sample_id"].tolist() == [f"s{number}" for number in range(16, 24)]
    assert (result.predictions.table[["height", "width"]] == 128).all(axis=None)
    # Of 6 patients without boxes one validates, of 10 with boxes two: the last of each four.
    assert result.split["train"] == {"images": 8, "patients": 8, "images_with_boxes": 8, "boxes": 8}
    assert result.split["validation"] == {"images": 3, "patients": 3, "images_with_boxes": 2, "boxes": 2}
    assert result.split["test"] == {"images": 8, "patients": 8, "images_with_boxes": 6, "boxes": 6}
    assert result.resolved["precise_batches"] == 2
    assert any("undefined, as the test part has no such box" in note for note in result.notes)
    assert all(value is None or 0 <= value <= 1 for value in small_task.score(result.predictions).values())


class Crash(KeyboardInterrupt):
    pass


def crashing(model: nn.Module, batch: module.Batch, at: int, seen: list[int]) -> dict[str, Tensor]:
    seen.append(len(seen))
    if len(seen) == at:
        raise Crash
    return detection_loss(model, batch)


detection_loss = module.detection_loss


def test_a_training_that_was_killed_goes_on_to_the_same_bits(
    small_task: DetectionTask,
    encoder: Encoder,
    squares: Images,
    truth: TrueBoxes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: TrialResult,
) -> None:
    file = tmp_path / "trial.pt"
    monkeypatch.setattr(module, "fit", partial(fit, checkpoint_every_steps=3))
    # Two batches an epoch: the second epoch's second one.
    monkeypatch.setattr(module, "detection_loss", partial(crashing, at=4, seen=[]))
    with pytest.raises(Crash):
        run(small_task, encoder, squares, truth, checkpoint_of=lambda trial: file)
    assert file.exists()
    seen: list[int] = []
    monkeypatch.setattr(module, "detection_loss", partial(crashing, at=-1, seen=seen))
    again = run(small_task, encoder, squares, truth, checkpoint_of=lambda trial: file)
    # One batch of training is left, and two measure the normalisation.
    assert len(seen) == 3
    for name in ("boxes", "scores", "box_labels"):
        assert all(map(np.array_equal, whole.predictions.table[name], again.predictions.table[name]))
    assert sum(map(len, whole.predictions.table["scores"])) > 0
    columns = sorted(LOSSES | {"validation_map50"})
    assert whole.history[columns].equals(again.history[columns])


def not_finite(model: nn.Module, batch: module.Batch, at: int, seen: list[int]) -> dict[str, Tensor]:
    seen.append(len(seen))
    losses = detection_loss(model, batch)
    return {**losses, "loss": losses["loss"] * float("nan")} if len(seen) == at else losses


def test_a_loss_that_is_no_number_keeps_the_best_epoch_and_a_note_says_when(
    small_task: DetectionTask, encoder: Encoder, squares: Images, truth: TrueBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "detection_loss", partial(not_finite, at=4, seen=[]))
    trial = Trial("resnet18_scratch", "siim_covid", "c4", "finetune", 100, 0)
    result = run(small_task, encoder, squares, truth, trial)
    assert len(result.history) == 1
    assert result.resolved["best_epoch"] == 1
    (note,) = [note for note in result.notes if "the loss is nan" in note]
    assert note.startswith("the loss is nan in epoch 2, step 2, at learning rate")
    assert note.endswith("the weights of epoch 1, the best before, are scored")


def test_a_loss_that_is_no_number_in_the_first_epoch_is_an_error(
    small_task: DetectionTask, encoder: Encoder, squares: Images, truth: TrueBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "detection_loss", partial(not_finite, at=2, seen=[]))
    with pytest.raises(NotFiniteLossError, match=r"epoch 1, step 2, .*lower training\.lr"):
        run(small_task, encoder, squares, truth)


@pytest.mark.parametrize(("devices", "count"), [(1, 0), (2, 21)])
def test_several_processes_normalise_over_the_whole_batch(
    small_task: DetectionTask,
    encoder: Encoder,
    squares: Images,
    truth: TrueBoxes,
    monkeypatch: pytest.MonkeyPatch,
    devices: int,
    count: int,
) -> None:
    seen: list[nn.Module] = []

    def reached(network: nn.Module, **_: object) -> None:
        seen.append(network)
        raise Crash

    monkeypatch.setattr(module, "fit", reached)
    task = small_task.configured(None, {"training.devices": devices}, "test")
    with pytest.raises(Crash):
        run(task, encoder, squares, truth, Trial("resnet18_scratch", "siim_covid", "c4", "finetune", 100, 0))
    # ResNet-18's 20 and the one behind its fourth stage.
    assert sum(isinstance(each, SynchronisedBatchNorm) for each in seen[0].modules()) == count


def test_mirrored_images_have_mirrored_boxes(squares: Images, truth: TrueBoxes) -> None:
    rows = np.arange(1, 24)
    samples = TrainingSamples(squares, rows, truth, flip=True)
    pixels, targets = samples.prepare(np.arange(len(rows)), np.random.default_rng(0))
    plain, _ = TrainingSamples(squares, rows, truth, flip=False).prepare(np.arange(len(rows)), np.random.default_rng(0))
    changed = [not torch.equal(*pair) for pair in zip(pixels, plain, strict=True)]
    assert 5 < sum(changed) < 18
    assert pixels.shape == (23, 1, 64, 64)
    for image, target in zip(pixels, targets, strict=True):
        assert target["boxes"].dtype == torch.float32
        assert target["boxes"].shape == (len(target["labels"]), 4)
        for left, top, right, bottom in target["boxes"].int().tolist():
            # The square is bright up to its edges, and not beyond.
            assert image[0, top:bottom, left:right].min() == pytest.approx(220 / 255)
            assert image[0, top:bottom, left - 1].max() < 0.3
            assert image[0, top:bottom, right].max() < 0.3


def test_crowds_are_no_targets(squares: Images, truth: TrueBoxes) -> None:
    crowd = replace(truth, crowd=np.arange(len(truth.boxes)) == 0)
    samples = TrainingSamples(squares, np.array([1, 2]), crowd, flip=True)
    _, targets = samples.prepare(np.array([0, 1]), np.random.default_rng(0))
    assert [each["boxes"].shape for each in targets] == [(0, 4), (1, 4)]
    assert [len(each["labels"]) for each in targets] == [0, 1]


class Fixed(nn.Module):
    """Finds the same boxes in every image, not in order, one of them beyond the edge."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
        boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0], [16.0, 16.0, 64.5, 32.0]])
        one = {"boxes": boxes, "scores": torch.tensor([0.25, 0.5]), "labels": torch.tensor([0, 1])}
        return [one] * len(x)


def test_detections_come_back_in_original_pixels_by_falling_score(squares: Images) -> None:
    sizes = np.tile([[128, 64]], (len(squares), 1))
    model = Fixed().train()
    found = Finder(squares, sizes, "cpu", "float32", batch_size=2)(model, np.array([5, 3, 4]))
    assert [each.image.tolist() for each in found] == [[0, 0], [1, 1], [2, 2]]
    # Height 128 and width 64: y is doubled, x stays, and nothing leaves the image.
    assert found[0].boxes.tolist() == [[16, 32, 64, 64], [0, 0, 8, 16]]
    assert found[0].scores.tolist() == [0.5, 0.25]
    assert found[0].label.tolist() == [1, 0]
    assert model.training


def test_false_alarms_on_images_without_boxes_lower_the_validation(squares: Images, truth: TrueBoxes) -> None:
    class Oracle(Fixed):
        """The true box of sample 1, in every image."""

        def forward(self, x: Tensor) -> list[dict[str, Tensor]]:
            boxes = torch.from_numpy(truth.in_network(64)[truth.of(1)]).float()
            scores = [torch.tensor([0.5 + 0.4 * float(image.mean() < 0.15)]) for image in x]
            return [{"boxes": boxes, "scores": score, "labels": torch.tensor([0])} for score in scores]

    find = Finder(squares, truth.sizes, "cpu", "float32", 4)
    alone = Validation(find, np.array([1]), truth, 1)(Oracle())
    assert alone["map50"] == pytest.approx(1)
    # Sample 0 has no box, is darker, and gets its false alarm the higher score: precision 1/2.
    both = Validation(find, np.array([0, 1]), truth, 1)(Oracle())
    assert both["map50"] == pytest.approx(0.5)


def test_weights_that_are_no_numbers_are_never_the_best(squares: Images, truth: TrueBoxes) -> None:
    model = Fixed()
    nn.init.constant_(model.weight, float("nan"))
    find = Finder(squares, truth.sizes, "cpu", "float32", 4)
    assert np.isnan(Validation(find, np.array([1]), truth, 1)(model)["map50"])
