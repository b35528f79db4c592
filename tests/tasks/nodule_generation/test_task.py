"""Whole trials on a phantom: what comes out, resuming, settings, and what bad input gets."""

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
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.made_images import read_made_images
from cxrbench.tasks.nodule_generation import training
from cxrbench.tasks.nodule_generation.settings import NoduleGenerationSettings
from cxrbench.tasks.nodule_generation.task import NO_PERCEPTUAL, NoduleGenerationTask
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult
from cxrbench.training.adversarial import fit_adversarial
from cxrbench.training.stopping import StoppedError
from tests.tasks.nodule_generation.examples import radiographs

TINY = {
    "image_size": 64,
    "patch.size": 32,
    "patch.least_side": 16,
    "patch.views": 2,
    "draw.least_nodules": 2,
    "feature_net": "efficientnet_lite0_scratch",
    "network.channels": 8,
    "network.hidden": 4,
    "network.style": 4,
    "network.discriminator_channels": 4,
    "training.steps": 4,
    "training.batch_size": 4,
    "training.precision": "float32",
}


def configured(**overrides: object) -> NoduleGenerationTask:
    task = tasks.get("nodule_generation").configured(None, {**TINY, **overrides}, "test")
    assert isinstance(task, NoduleGenerationTask)
    return task


def trial_of(encoder: str = "resnet18_scratch", variant: str = "calibrated", replicate: int = 0) -> Trial:
    return Trial(encoder, "nodule_generation", variant, "frozen", 100, replicate)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    cache = tmp_path_factory.mktemp("cache")
    data = configured().select(load("node21", phantom_folder("node21", cache, n=60, size=64)))
    return prepare_images(data, 64, cache=cache)


def run(task: NoduleGenerationTask, images: Images, trial: Trial, context: Context) -> TrialResult:
    encoder = task.references()[0] if trial.encoder == NO_PERCEPTUAL else load_encoder(trial.encoder)
    return next(task.run(encoder, iter([trial]), images, context))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made") / "made.npz"


@pytest.fixture(scope="module")
def whole(images: Images, made: Path) -> TrialResult:
    """A trial that was not interrupted."""
    with one_thread():
        return run(configured(), images, trial_of(), Context(made.parent, made_images_of=lambda trial: made))


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_trial_has_one_prediction_a_nodule_and_says_what_its_distances_are(
    images: Images, whole: TrialResult, made: Path
) -> None:
    task, result = configured(), whole
    table, data = result.predictions.table, images.radiographs
    test = data.samples["sample_id"].iloc[task.split(data, trial_of()).test]
    assert data.boxes is not None
    counts = data.boxes["sample_id"].value_counts()
    expected = {f"{name}#{number}" for name in test for number in range(1, counts[name] + 1)}
    assert set(table["sample_id"]) == expected
    assert set(task.samples_of(result.predictions)) == set(test)
    assert table["patient_id"].tolist() == task.samples_of(result.predictions)
    assert result.predictions.array("truth").shape == result.predictions.array("scores").shape == (len(table), 1280)
    assert "efficientnet_lite0_scratch, which is not FID" in result.notes[0]
    assert "with nothing painted" in result.notes[0]
    assert "which is not FID" in task.about("frechet")
    assert result.split["test"] == {"images": len(test), "patients": len(test), "nodules": len(table)}
    assert json.loads(json.dumps([result.resolved, result.split])) == [result.resolved, result.split]
    shown = read_made_images(made)
    assert set(shown.sample_ids) == expected
    assert {name: stack.shape for name, stack in shown.stacks.items()} == dict.fromkeys(
        ("masked", "real", "generated"), (len(table), 32, 32)
    )


def test_row_without_a_perceptual_loss_trains_without_one_and_replicates_are_other_generators(
    images: Images, whole: TrialResult, tmp_path: Path
) -> None:
    task = configured()
    task.check_encoder(task.references()[0], trial_of(NO_PERCEPTUAL))
    result = run(task, images, trial_of(NO_PERCEPTUAL, replicate=1), Context(tmp_path))
    assert "generator_perceptual" not in result.history
    assert "generator_adversarial" in result.history
    assert "perceptual_weight" not in result.resolved
    assert np.allclose(whole.predictions.array("truth"), result.predictions.array("truth"), atol=1e-4)
    assert not np.array_equal(whole.predictions.array("scores"), result.predictions.array("scores"))


def test_a_trial_that_was_stopped_goes_on_bit_for_bit(
    images: Images, whole: TrialResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(tmp_path, lambda trial: tmp_path / "trial.ckpt")
    asked = iter([False, True])
    with one_thread():
        monkeypatch.setattr(training, "fit_adversarial", partial(fit_adversarial, stop=lambda: next(asked)))
        with pytest.raises(StoppedError):
            run(configured(), images, trial_of(), context)
        assert (tmp_path / "trial.ckpt").is_file()
        monkeypatch.setattr(training, "fit_adversarial", fit_adversarial)
        resumed = run(configured(), images, trial_of(), context)
    for result, name in ((whole, "whole"), (resumed, "resumed")):
        result.predictions.write(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()


def test_a_loss_that_is_not_a_number_is_one_line(images: Images, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        run(configured(**{"loss.adversarial": 1e38, "loss.kld": 1e38}), images, trial_of(), Context(tmp_path))
    assert "\n" not in str(error.value)
    assert "lower" in str(error.value)


def test_settings_hold_what_bears_on_a_trial_and_no_paths() -> None:
    calibrated, raw = (configured().settings_of(trial_of(variant=variant)) for variant in ("calibrated", "raw"))
    assert calibrated["perceptual"]["features"] == "unit"
    assert "rho" in calibrated["perceptual"]
    assert raw["perceptual"]["features"] == "raw"
    assert raw["perceptual"]["weight"] == 10
    assert raw["perceptual"]["stage_weights"] == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0]
    assert raw["perceptual"]["distance"] == "l1"
    net = load_encoder("efficientnet_lite0_scratch").meta
    assert calibrated["feature_net"] == {
        **{name: getattr(net, name) for name in ("name", "sha256", "arch", "channels")},
        # A hash of weights says nothing of them.
        **{"mean": list(net.mean), "std": list(net.std)},
    }
    assert calibrated["inception"] is None
    assert "device" not in calibrated["training"]


def test_defaults_are_those_of_the_paper_where_it_states_them() -> None:
    settings = NoduleGenerationSettings()
    assert settings.loss.kld == 0.05
    assert (settings.training.generator_lr, settings.training.discriminator_lr) == (1e-4, 4e-4)
    assert settings.training.generator_betas == settings.training.discriminator_betas == (0.0, 0.9)
    assert settings.perceptual.weight == 10


def test_images_without_nodules_are_left_out_and_the_test_part_is_the_datasets_own(images: Images) -> None:
    task, data = configured(), images.radiographs
    assert (data.samples["nodule"] == 1).all()
    for fraction in (50, 100):
        split = task.split(data, replace(trial_of(), fraction=fraction))
        assert (data.samples["split"].iloc[split.test] == "test").all()
        assert (data.samples["split"].iloc[np.concatenate([split.train, split.validation])] == "train").all()


BOX = ("a", 10.0, 10.0, 20.0, 20.0)
BAD_BOXES = {
    "no boxes": (None, "no boxes"),
    "inverted": ((*BOX[:3], 5.0, 20.0), "inverted or has no area"),
    "not a number": ((*BOX[:3], float("nan"), 20.0), "not a number"),
}


@pytest.mark.parametrize("case", BAD_BOXES)
def test_a_dataset_without_good_boxes_is_one_line(case: str) -> None:
    box, words = BAD_BOXES[case]
    data = radiographs([BOX, ("b", *BOX[1:])] if box is None else [box])  # type: ignore[list-item]
    data = replace(data, boxes=None) if box is None else data
    with pytest.raises(UserError, match=words) as error:
        configured().select(data)
    assert "\n" not in str(error.value)


def test_a_box_outside_its_image_is_named(images: Images, tmp_path: Path) -> None:
    boxes = images.radiographs.boxes
    assert boxes is not None
    moved = boxes.assign(x1=boxes["x1"] + 100, x2=boxes["x2"] + 100)
    outside = replace(images, radiographs=replace(images.radiographs, boxes=moved))
    with pytest.raises(UserError, match="lies outside its image of 64 x 64 pixels"):
        run(configured(), outside, trial_of(), Context(tmp_path))


def test_too_few_test_nodules_are_refused_before_anything_is_trained(images: Images) -> None:
    with pytest.raises(UserError, match=r"nodules in the test part, 1000 are needed"):
        configured(**{"draw.least_nodules": 1000}).split(images.radiographs, trial_of())


BAD_SETTINGS = {
    "patch.size": (48, "patch.size"),
    "patch.least_side": (100, "patch.least_side"),
    "patch.context": (1.0, "patch.context"),
    "perceptual.stage_weights": ([1, 1], "five numbers"),
    "loss.perceptual": (1, "loss.perceptual"),
}


@pytest.mark.parametrize("key", BAD_SETTINGS)
def test_wrong_settings_are_named(key: str) -> None:
    value, words = BAD_SETTINGS[key]
    with pytest.raises(UserError, match=words) as error:
        configured(**{key: value})
    assert "\n" not in str(error.value)


def test_patches_larger_than_twice_the_images_are_refused() -> None:
    with pytest.raises(UserError, match="more than twice"):
        configured(**{"patch.size": 256})


def test_unknown_feature_nets_and_missing_inception_are_named() -> None:
    with pytest.raises(UserError, match="feature_net = resnet18_scrach"):
        configured(feature_net="resnet18_scrach").settings_of(trial_of())
    with pytest.raises(UserError, match=r"inception\.weights = nowhere\.pth: there is no such file"):
        configured(**{"inception.weights": "nowhere.pth"}).settings_of(trial_of())


def test_an_encoder_is_not_its_own_judge() -> None:
    with pytest.raises(UserError, match="its own judge"):
        configured(feature_net="resnet18_scratch").check_encoder(load_encoder("resnet18_scratch"), trial_of())


def test_an_encoder_without_feature_maps_is_refused() -> None:
    with pytest.raises(UserError, match="no feature maps"):
        configured().check_encoder(load_encoder("timm:vit_tiny_patch16_224"), trial_of())


def test_splits_with_a_patient_on_two_sides_are_refused(images: Images) -> None:
    samples = images.radiographs.samples
    torn = samples.assign(patient_id="one", study_id="one")
    data = replace(images.radiographs, samples=torn, patients_known=True)
    with pytest.raises(RefusedError, match="train and test are the same"):
        configured().split(data, trial_of())
