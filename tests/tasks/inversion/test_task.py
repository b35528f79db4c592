"""Whole trials on phantoms: what they give, resuming, settings, and what bad input gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cxrbench.data import load, prepare_images
from cxrbench.data.images import Images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress, Step
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.tasks.inversion import progress_file
from cxrbench.tasks.inversion.task import InversionTask
from cxrbench.tasks.made_images import read_made_images
from cxrbench.tasks.network_input import as_input
from cxrbench.tasks.reference import reference
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.image_quality.weights import write_backbone, write_linear
from tests.tasks.inversion.examples import SIDE, generator_file
from tests.tasks.perceptual.examples import scaled

TINY = {"steps": 6, "batch_size": 3, "images.test": 5, "images.calibration": 4, "space": "w+"}
MSE_ALONE = reference("mse_alone", "no encoder: the error of pixels alone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inversion")


@pytest.fixture(scope="module")
def task(folder: Path) -> InversionTask:
    return configured(generator=str(generator_file(folder)))


@pytest.fixture(scope="module")
def images(folder: Path, task: InversionTask) -> Images:
    data = task.select(load("vindr", phantom_folder("vindr", folder, n=48, size=64)))
    return prepare_images(data, task.image_size, cache=folder)


def configured(**overrides: object) -> InversionTask:
    task = tasks.get("gan_inversion").configured(None, {**TINY, **overrides}, "test")
    assert isinstance(task, InversionTask)
    return task


def trial_of(encoder: str = "tiny", variant: str = "calibrated", replicate: int = 0) -> Trial:
    return Trial(encoder, "gan_inversion", variant, "frozen", 100, replicate)


def run(
    task: InversionTask, images: Images, encoder: Encoder, context: Context, variant: str = "calibrated"
) -> TrialResult:
    return next(task.run(encoder, iter([trial_of(encoder.meta.name, variant)]), images, context))


@pytest.mark.parametrize("variant", ["calibrated", "raw"])
def test_a_trial_gives_images_metrics_latents_and_how_the_loss_was_weighed(
    variant: str, task: InversionTask, images: Images, tmp_path: Path
) -> None:
    context = Context(tmp_path, made_images_of=lambda trial: tmp_path / "made.npz")
    result = run(task, images, tiny_encoder(), context, variant)
    table = result.predictions.table
    assert len(table) == 5
    assert set(table["failed"]) == {""}
    layers = 2 * int(np.log2(SIDE)) - 2
    assert {len(each) for each in table["latent"]} == {16 * layers}
    made = read_made_images(tmp_path / "made.npz")
    assert set(made.sample_ids) == set(table["sample_id"])
    values = {name: dict(zip(table["sample_id"], table[name], strict=True)) for name in ("psnr", "rmse")}
    for name, original, reconstruction in zip(made.sample_ids, *made.stacks.values(), strict=True):
        error = np.sqrt(((original.astype(float) - reconstruction.astype(float)) ** 2).mean())
        # The file holds whole grey levels.
        assert values["rmse"][name] == pytest.approx(error, rel=0.01)
        assert values["psnr"][name] == pytest.approx(20 * np.log10(255 / error), abs=0.1)
    assert list(made.stacks) == ["original", "reconstruction"]
    scores = task.score(result.predictions)
    assert scores["lpips"] is None
    assert scores["psnr"] == pytest.approx(table["psnr"].mean())
    resolved = result.resolved
    assert resolved["calibration_images"] == 4
    if variant == "calibrated":
        ratio = float(resolved["pixel_error_at_start"]) / float(resolved["perceptual_distance_at_start"])  # type: ignore[arg-type]
        assert resolved["weight"] == pytest.approx(ratio)
    else:
        assert resolved["weight"] == 1.0
    history = result.history
    assert list(history.columns) == ["step", "loss", "pixel_error", "perceptual", "lr"]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert result.split == {
        "train": {"images": 4, "patients": 4},
        "validation": {"images": 0, "patients": 0},
        "test": {"images": 5, "patients": 5},
    }


def test_the_error_of_pixels_alone_is_the_same_in_both_variants(
    task: InversionTask, images: Images, tmp_path: Path
) -> None:
    one, other = (run(task, images, MSE_ALONE, Context(tmp_path), variant) for variant in task.meta.variants)
    assert one.predictions.table.equals(other.predictions.table)
    assert "perceptual" not in one.history
    assert "weight" not in one.resolved


def test_the_scale_of_features_changes_no_calibrated_trial(task: InversionTask, images: Images, tmp_path: Path) -> None:
    exact = task.configured(None, {"precision": "float64"}, "test")
    one, other = (run(exact, images, scaled(each), Context(tmp_path)) for each in (1.0, 100.0))
    assert task.score(one.predictions)["psnr"] == pytest.approx(task.score(other.predictions)["psnr"], abs=1e-6)
    raw, other_raw = (run(exact, images, scaled(each), Context(tmp_path), "raw") for each in (1.0, 100.0))
    assert abs(task.score(raw.predictions)["psnr"] - task.score(other_raw.predictions)["psnr"]) > 0.01  # type: ignore[operator]


def test_every_encoder_begins_where_the_others_do(task: InversionTask, images: Images, tmp_path: Path) -> None:
    first = [
        run(task, images, each, Context(tmp_path)).history["pixel_error"][0] for each in (tiny_encoder(), MSE_ALONE)
    ]
    assert first[0] == first[1]


class _KilledError(Exception):
    pass


class _DiesAfter(SilentProgress):
    """Stands for a kill: raises when so many image-steps have been reported."""

    def __init__(self, most: int):
        self.most, self.done = most, 0

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Step]:
        yield self

    def advance(self, done: int = 1, note: str = "") -> None:
        self.done += done
        if self.done > self.most:
            raise _KilledError


@pytest.mark.parametrize("most", [10, 21])
def test_a_trial_goes_on_in_the_middle_of_a_batch(
    most: int, task: InversionTask, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(task, images, tiny_encoder(), Context(tmp_path))
    monkeypatch.setattr(progress_file, "SECONDS", 0.0)
    checkpoint = tmp_path / "resume.pt"
    # 3 images of 6 steps make the first batch; the second is under way after 21.
    with pytest.raises(_KilledError):
        run(task, images, tiny_encoder(), Context(tmp_path, lambda trial: checkpoint, _DiesAfter(most)))
    kept = torch.load(checkpoint, weights_only=True)["state"]
    assert (len(kept["finished"]), kept["under_way"]["step"]) == ((0, 3) if most == 10 else (1, 1))
    told = _DiesAfter(10**9)
    resumed = run(task, images, tiny_encoder(), Context(tmp_path, lambda trial: checkpoint, told))
    assert told.done == 5 * 6
    assert resumed.predictions.table.equals(whole.predictions.table)
    assert resumed.history.equals(whole.history)
    assert resumed.resolved["weight"] == whole.resolved["weight"]
    # What another encoder left is not taken for its own.
    other = run(task, images, tiny_encoder(seed=1), Context(tmp_path, lambda trial: checkpoint))
    assert not other.predictions.table.equals(whole.predictions.table)


class _NoNumberFor(Network):
    """The network of an encoder that gives no number for one image."""

    def __init__(self, inner: Network, image: Tensor):
        super().__init__()
        self.inner, self.image = inner, image
        self.dim, self.stage_channels = inner.dim, inner.stage_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)

    def pooled_and_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        pooled, maps = self.inner.pooled_and_stages(x)
        spoilt = (x - self.image).abs().amax(dim=(1, 2, 3), keepdim=True) < 1e-5
        return pooled, [each.masked_fill(spoilt, torch.nan) for each in maps]


def test_an_image_without_a_number_is_blank_and_the_others_are_scored(
    task: InversionTask, images: Images, tmp_path: Path
) -> None:
    encoder = tiny_encoder()
    test = task.split(images.radiographs, trial_of()).test
    image = encoder.normalise(as_input(images.batch(test[1:2])))
    assert isinstance(encoder.network, Network)
    spoilt = Encoder(_NoNumberFor(encoder.network, image), encoder.meta)
    result = run(task, images, spoilt, Context(tmp_path, made_images_of=lambda trial: tmp_path / "made.npz"))
    table = result.predictions.table
    assert table["failed"].tolist() == ["", "no number at step 1", "", "", ""]
    assert np.isnan([table[name][1] for name in ("psnr", "ssim", "rmse")]).all()
    assert len(read_made_images(tmp_path / "made.npz").sample_ids) == 4
    assert any("1 of 5 images failed" in note for note in result.notes)
    assert np.isfinite(result.history.to_numpy()).all()
    of_none = Encoder(_NoNumberFor(encoder.network, image + 10), encoder.meta)
    sound = run(task, images, of_none, Context(tmp_path)).predictions
    others = [0, 2, 3, 4]
    assert table["psnr"][others].tolist() == sound.table["psnr"][others].tolist()
    # Compared are the images that both have.
    compared = {each.metric: each for each in task.compare(result.predictions, sound)}
    assert compared["psnr"].difference == 0.0


def test_the_same_trial_compared_with_itself_differs_in_nothing(
    task: InversionTask, images: Images, tmp_path: Path
) -> None:
    predictions = run(task, images, tiny_encoder(), Context(tmp_path)).predictions
    for each in task.compare(predictions, predictions):
        assert each.difference in (0.0, None)
        assert {test.name for test in each.tests} <= {"paired t", "Wilcoxon"}


def test_settings_hold_hashes_and_no_paths(task: InversionTask, folder: Path) -> None:
    settings = task.settings_of(trial_of())
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert str(folder) not in json.dumps(settings)
    assert set(settings["generator"]) == {"name", "sha256", "resolution"}
    assert "phantom_generator" not in settings
    assert settings["precision"] == "float32"
    assert "weight" in task.settings_of(trial_of(variant="raw"))["perceptual"]
    assert "rho" in settings["perceptual"]
    # Every encoder of a column has the same.
    assert task.settings_of(trial_of("other")) == settings
    phantom = configured()
    assert set(phantom.settings_of(trial_of())["generator"]) == {"phantom", "resolution"}
    assert phantom.image_size == phantom.settings.phantom_generator.resolution


def test_the_rows_without_an_encoder(task: InversionTask) -> None:
    assert [each.meta.name for each in task.references()] == ["mse_alone"]
    task.check_encoder(task.references()[0], trial_of())
    with pytest.raises(UserError, match="identity: no row of an inversion"):
        task.check_encoder(reference("identity", "nothing"), trial_of())
    flat = tiny_encoder()
    flat.meta = replace(flat.meta, stage_channels=())
    with pytest.raises(UserError, match=r"encoder tiny .* has no feature maps"):
        task.check_encoder(flat, trial_of())


def test_phantoms_that_the_generator_learns_from_are_refused(folder: Path) -> None:
    phantoms = load("vindr", phantom_folder("vindr", folder, n=8, size=64, seed=5))
    with pytest.raises(UserError, match="phantoms of seed 5 are what the phantom generator learns from"):
        configured(**{"phantom_generator.phantom_seed": 5}).select(phantoms)
    configured().select(phantoms)


def test_real_images_need_a_generator_that_was_trained_on_such(folder: Path) -> None:
    real = replace(load("vindr", phantom_folder("vindr", folder, n=48, size=64)), synthetic=False)
    for task in (configured(), configured(generator=str(generator_file(folder)))):
        with pytest.raises(UserError, match=r"gan_inversion: .* knows phantoms only, and vindr is real: --set gen"):
            task.select(real)
    task = configured(generator=str(generator_file(folder, synthetic=False)))
    assert 0 < len(task.select(real)) < len(real)


def test_bad_settings_are_one_line(folder: Path) -> None:
    file = str(generator_file(folder))
    with pytest.raises(UserError, match=r"test: image_size = 64, but generator .* makes images of 32 px"):
        configured(generator=file, image_size=64)
    assert configured(generator=file, image_size=32).image_size == 32
    with pytest.raises(UserError, match=r"nowhere\.safetensors: cannot be read"):
        configured(generator=str(folder / "nowhere.safetensors"))
    with pytest.raises(UserError, match="resolution 48: must be a power of two"):
        configured(**{"phantom_generator.resolution": 48})
    with pytest.raises(UserError, match="makes images of 16 px; encoders need 32 px or more"):
        configured(generator=str(generator_file(folder, side=16)))
    with pytest.raises(UserError, match=r"lpips\.backbone is given without lpips\.linear"):
        configured(**{"lpips.backbone": file}).settings_of(trial_of())
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device = cuda, but no CUDA GPU is usable here; set device to"):
            configured(generator=file, device="cuda").device()


def test_a_damaged_generator_is_refused_before_images_are_prepared(folder: Path, tmp_path: Path) -> None:
    data = load("vindr", phantom_folder("vindr", folder, n=48, size=64))
    path = generator_file(tmp_path)
    tensors = load_file(path)
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    with safe_open(path, "pt") as file:
        save_file(tensors, path, file.metadata())
    with pytest.raises(UserError, match="hold NaN or infinity"):
        configured(generator=str(path)).select(data)


def test_a_generator_that_changed_meanwhile_is_refused(images: Images, tmp_path: Path) -> None:
    path = generator_file(tmp_path)
    task = configured(generator=str(path))
    assert task.image_size == SIDE
    path.write_bytes(generator_file(tmp_path, synthetic=False).read_bytes())
    with pytest.raises(UserError, match="has changed since the run began"):
        run(task, images, MSE_ALONE, Context(tmp_path))


def test_bf16_is_near_float32(task: InversionTask, images: Images, tmp_path: Path) -> None:
    mixed = task.configured(None, {"precision": "bf16"}, "test")
    one, other = (run(each, images, tiny_encoder(), Context(tmp_path)) for each in (task, mixed))
    assert task.score(other.predictions)["psnr"] == pytest.approx(task.score(one.predictions)["psnr"], abs=1.0)


def test_with_the_files_of_lpips_there_is_a_metric_and_a_row(
    task: InversionTask, images: Images, tmp_path: Path
) -> None:
    backbone = write_backbone(tmp_path / "alex.pth", "alexnet")
    linear = write_linear(tmp_path / "linear.pth", "alexnet")
    files = {"lpips.backbone": str(backbone), "lpips.linear": str(linear), "steps": 3, "images.test": 3}
    with_lpips = task.configured(None, files, "test")
    assert "backbone" in with_lpips.settings_of(trial_of())["lpips"]
    assert str(tmp_path) not in json.dumps(with_lpips.settings_of(trial_of()))
    _, row = with_lpips.references()
    assert row.meta.name == "lpips"
    assert row.meta.sha256 != MSE_ALONE.meta.sha256
    with_lpips.check_encoder(row, trial_of("lpips"))
    result = run(with_lpips, images, row, Context(tmp_path))
    value = with_lpips.score(result.predictions)["lpips"]
    assert value is not None
    assert value > 0
    history = result.history
    assert history["perceptual"][0] == pytest.approx(history["pixel_error"][0], rel=0.3)
    # Files that do not fit are named before anything runs.
    swapped = task.configured(None, {"lpips.backbone": str(linear), "lpips.linear": str(backbone)}, "test")
    with pytest.raises(UserError, match="exchange the two"):
        swapped.check_encoder(row, trial_of("lpips"))
    with pytest.raises(UserError, match=r"lpips: name its files, --set lpips\.backbone=FILE"):
        task.check_encoder(row, trial_of("lpips"))
