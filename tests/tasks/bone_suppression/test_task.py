"""Whole trials: learning, pairing, resuming, settings, and what bad input gets."""

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

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.bone_suppression import training
from cxrbench.tasks.bone_suppression.pairs import Pairs
from cxrbench.tasks.bone_suppression.task import BoneSuppressionTask
from cxrbench.tasks.bone_suppression.training import train_and_score
from cxrbench.tasks.image_pairs.predictions import values_per_image
from cxrbench.tasks.made_images import read_made_images
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult
from cxrbench.training.loop import fit
from cxrbench.training.stopping import StoppedError
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.bone_suppression.examples import pairs

TINY = {
    "image_size": 32,
    "widths": [8, 16],
    "augmentation": "none",
    "training.lr": 1e-2,
    "training.epochs": 3,
    "training.batch_size": 4,
    "training.precision": "float32",
}
PAIRS = pairs(24)


def configured(**overrides: object) -> BoneSuppressionTask:
    task = tasks.get("bone_suppression").configured(None, {**TINY, **overrides}, "test")
    assert isinstance(task, BoneSuppressionTask)
    return task


def trial_of(encoder: str, variant: str = "calibrated", replicate: int = 0) -> Trial:
    return Trial(encoder, "bone_suppression", variant, "frozen", 100, replicate)


def run(task: BoneSuppressionTask, name: str, context: Context, replicate: int = 0, made: Pairs = PAIRS) -> TrialResult:
    own = {each.meta.name: each for each in task.references()}
    encoder = own[name] if name in own else tiny_encoder()
    return train_and_score(task, encoder, trial_of(name, replicate=replicate), made, context)


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_training_beats_the_film_and_the_encoder_changes_what_is_learnt(tmp_path: Path) -> None:
    task = configured()
    found = {name: run(task, name, Context(tmp_path)) for name in ("identity", "mse_alone", "tiny")}
    scores = {name: task.score(result.predictions) for name, result in found.items()}
    assert all(scores[name]["psnr"] > scores["identity"]["psnr"] + 2 for name in ("mse_alone", "tiny"))  # type: ignore[operator]
    assert scores["mse_alone"]["psnr"] != scores["tiny"]["psnr"]
    encoder = found["tiny"]
    assert {"loss", "mse", "perceptual", "validation_mse", "validation_psnr"} <= set(encoder.history)
    best = int(encoder.history["validation_mse"].to_numpy().argmin())
    assert encoder.resolved["best_epoch"] == encoder.history["epoch"].iloc[best]
    assert encoder.split["test"] == {"images": 6, "patients": 6}
    assert json.loads(json.dumps([encoder.resolved, encoder.split])) == [encoder.resolved, encoder.split]
    assert len(found["identity"].history) == 0
    compared = task.compare(found["mse_alone"].predictions, encoder.predictions)
    assert [each.metric for each in compared] == ["psnr", "ssim", "rmse", "lpips"]
    # One network against one says nothing of their losses.
    assert [(test.name, test.decides) for test in compared[0].tests] == [("Wilcoxon", False), ("paired t", False)]


def test_the_identity_is_the_film_whatever_the_replicate(tmp_path: Path) -> None:
    task = configured()
    found = [run(task, "identity", Context(tmp_path), replicate).predictions for replicate in (0, 1)]
    assert found[0].table.equals(found[1].table)
    _, films, targets = task.split(PAIRS.films.radiographs, trial_of("identity")).test, *PAIRS.batch(np.arange(18, 24))
    mse = np.square((films.astype(float) - targets) / 255).mean(axis=(1, 2))
    np.testing.assert_allclose(values_per_image(found[0])["psnr"], -10 * np.log10(mse), rtol=1e-5)


def test_encoders_are_paired_and_replicates_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[torch.Tensor, list[int]]] = []

    def noted(network: torch.nn.Module, **arguments):
        films, _ = next(iter(arguments["batches"](0)))
        begun.append((network.down[0][0].weight.detach().clone(), films.double().sum((1, 2, 3)).tolist()))  # type: ignore[index]
        return fit(network, **arguments)

    monkeypatch.setattr(training, "fit", noted)
    task = configured(**{"training.epochs": 1})
    for name, replicate in (("mse_alone", 0), ("tiny", 0), ("mse_alone", 1)):
        run(task, name, Context(tmp_path), replicate)
    (weights, films), (paired_weights, paired_films), (other_weights, other_films) = begun
    assert torch.equal(weights, paired_weights)
    assert films == paired_films
    assert not torch.equal(weights, other_weights)
    assert films != other_films


def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = configured(augmentation="affine")
    with one_thread():
        whole = run(task, "tiny", Context(tmp_path))
        context = Context(tmp_path, lambda trial: tmp_path / "trial.ckpt")
        asked = iter([False] * 5 + [True])
        monkeypatch.setattr(training, "fit", partial(fit, stop=lambda: next(asked)))
        with pytest.raises(StoppedError):
            run(task, "tiny", context)
        assert (tmp_path / "trial.ckpt").is_file()
        monkeypatch.setattr(training, "fit", fit)
        resumed = run(task, "tiny", context)
    for result, name in ((whole, "whole"), (resumed, "resumed")):
        result.predictions.write(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()


def test_a_training_that_breaks_down_keeps_its_best_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = configured()
    built = training.build_loss
    calls = iter(range(10**6))

    def breaking(*arguments, **named):
        loss, said = built(*arguments, **named)

        def broken(network: torch.nn.Module, batch):
            found = loss(network, batch)
            return {**found, "loss": found["loss"] * torch.nan} if next(calls) == 9 else found

        return broken, said

    monkeypatch.setattr(training, "build_loss", breaking)
    result = run(task, "mse_alone", Context(tmp_path))
    assert "its best epoch until then is scored" in result.notes[0]
    assert task.score(result.predictions)["psnr"] is not None


def test_made_images_are_kept_for_figures(tmp_path: Path) -> None:
    context = Context(tmp_path, made_images_of=lambda trial: tmp_path / f"{trial.encoder}.npz")
    run(configured(), "identity", context)
    found = read_made_images(tmp_path / "identity.npz")
    assert list(found.stacks) == ["film", "target", "output"]
    assert np.array_equal(found.stacks["film"], found.stacks["output"])
    assert found.stacks["film"].shape == (6, 32, 32)
    assert sorted(found.sample_ids) == [f"s{number:03d}" for number in range(18, 24)]


def test_trials_on_other_targets_are_refused(tmp_path: Path) -> None:
    task = configured()
    other = replace(PAIRS, targets=replace(PAIRS.targets, stored=PAIRS.targets.stored // 2))
    a, b = (run(task, "identity", Context(tmp_path), made=each).predictions for each in (PAIRS, other))
    with pytest.raises(RefusedError, match="truth"):
        task.compare(a, b)


def test_settings_that_bear_on_a_variant() -> None:
    task = configured()
    calibrated, raw = (task.settings_of(trial_of("any", variant)) for variant in ("calibrated", "raw"))
    assert (calibrated["perceptual"]["rho"], calibrated["perceptual"]["features"]) == (1.0, "unit")
    assert (raw["perceptual"]["weight"], raw["perceptual"]["features"]) == (10.0, "raw")
    assert calibrated["lpips"] is None
    assert calibrated["preprocessing"] == "unstretched"
    assert "device" not in calibrated["training"]
    assert task.settings_of(trial_of("identity")) == calibrated


def test_the_film_costs_its_test_part_only() -> None:
    data = PAIRS.films.radiographs
    assert configured().images_seen(trial_of("identity"), data) == 6
    assert configured().images_seen(trial_of("mse_alone"), data) > 3 * 3 * 14


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_size": 50}, "multiple of 2 with 2 widths|multiple of"),
        ({"preprocessing": "default"}, "preprocessing"),
        ({"widths": []}, "widths"),
        ({"lpips.linear": "alex.pth", "perceptual.rho": 0}, "rho"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        tasks.get("bone_suppression").configured(None, settings, "--set")


def test_lpips_files_that_are_not_there_are_named_before_anything_runs() -> None:
    task = configured(**{"lpips.backbone": "nowhere.pth", "lpips.linear": "nowhere.pth"})
    with pytest.raises(UserError, match=r"lpips.backbone.*nowhere.pth"):
        task.settings_of(trial_of("any"))


def test_files_that_are_no_lpips_are_named_before_images_are_prepared(tmp_path: Path) -> None:
    (tmp_path / "wrong.pth").write_text("no weights")
    task = configured(**dict.fromkeys(("lpips.backbone", "lpips.linear"), str(tmp_path / "wrong.pth")))
    for encoder in (tiny_encoder(), *task.references()):
        with pytest.raises(UserError, match=r"wrong\.pth: is no readable checkpoint"):
            task.check_encoder(encoder, trial_of("any"))


def test_an_encoder_without_stages_is_refused() -> None:
    tiny = tiny_encoder()
    encoder = Encoder(tiny.network, replace(tiny.meta, stage_channels=()))  # type: ignore[arg-type] (a Network)
    with pytest.raises(UserError, match="has no feature maps at strides"):
        configured().check_encoder(encoder, trial_of("any"))
    for each in configured().references():
        configured().check_encoder(each, trial_of(each.meta.name))


def test_too_few_films_to_validate_are_refused() -> None:
    with pytest.raises(UserError, match="no validation image"):
        configured(validation_share=0.01).split(PAIRS.films.radiographs, trial_of("any"))
