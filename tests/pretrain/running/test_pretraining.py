"""From a request to a finished folder, and from any interruption to the same folder."""

from __future__ import annotations

import csv
import json
import os
import pickle
import signal
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from cxrbench.data import Radiographs
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.method import Method
from cxrbench.pretrain.running import pretraining as module
from cxrbench.pretrain.running.plan import make_plan
from cxrbench.pretrain.running.pretraining import prepare
from cxrbench.training.batch_norm import SynchronisedBatchNorm
from cxrbench.training.loss_watch import NotFiniteLossError
from cxrbench.training.stopping import StoppedError

from ..pretraining_cases import (
    BATCH,
    IMAGES,
    cache,
    in_a_child,
    pretrained,
    radiographs,
    request_of,
    same_weights,
    tensors_of,
    tiny_arch,
)

__all__ = ["cache", "radiographs", "tiny_arch"]
pytestmark = pytest.mark.usefixtures("tiny_arch")

STEPS = 2 * (IMAGES // BATCH)
WHOLE = {
    "encoder.safetensors",
    "encoder.toml",
    "log.csv",
    "method.safetensors",
    "pretraining_images.txt",
    "settings.json",
    "untrained.toml",
}


def at_step(monkeypatch: pytest.MonkeyPatch, when: int, what: Any) -> None:
    """Do `what` after optimiser step `when`, from 0, before anything is written."""
    before = module.after_step

    def after(network: Method, step: int, steps: int) -> None:
        before(network, step, steps)
        if step == when:
            what()

    monkeypatch.setattr(module, "after_step", after)


def test_a_finished_folder_is_an_encoder_that_says_what_made_it(
    tmp_path: Path, radiographs: Radiographs, cache: Path
) -> None:
    request = request_of("simsiam", tmp_path / "mine", licence="CC0")
    finished = pretrained(request, radiographs, cache, contamination=["nih14"], audit=["nothing shared"])
    out = finished.out
    assert {each.name for each in out.iterdir()} == WHOLE
    encoder = load_encoder(str(out))
    about = tomllib.loads((out / "encoder.toml").read_text())
    assert encoder.meta.name == "mine"
    assert encoder.meta.licence == "CC0"
    assert encoder.meta.contamination == ("nih14",)
    assert encoder.meta.trained_on == f"{IMAGES} images of chexpert (synthetic phantoms), by simsiam for 2 epochs"
    made = about["pretraining"]
    assert (made["method"], made["steps"], made["epochs"], made["images"]) == ("simsiam", STEPS, 2, IMAGES)
    assert made["audit"] == ["nothing shared"]
    assert made["synthetic"] is True
    assert made["settings"]["training"]["batch_size"] == BATCH
    rows = list(csv.DictReader((out / "log.csv").open()))
    assert rows[-1]["step"] == str(STEPS - 1)
    lines = (out / "pretraining_images.txt").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == IMAGES
    assert load_encoder(f"x={out / 'encoder.safetensors'}").meta.sha256 == encoder.meta.sha256


def test_the_encoder_normalises_by_the_mean_and_sd_of_the_images(
    tmp_path: Path, radiographs: Radiographs, cache: Path
) -> None:
    prepared = prepare(make_plan(request_of("simsiam", tmp_path / "a")), [radiographs], cache, SilentProgress())
    pixels = prepared.images.parts[0].stored / 255
    assert prepared.start.encoder.meta.mean == pytest.approx((pixels.mean(),), abs=1e-4)
    assert prepared.start.encoder.meta.std == pytest.approx((pixels.std(),), abs=1e-4)
    few = request_of("simsiam", tmp_path / "b", values={"normalisation.images": 5})
    again = [prepare(make_plan(few), [radiographs], cache, SilentProgress()).start.encoder.meta for _ in range(2)]
    assert again[0] == again[1]
    assert again[0].mean != prepared.start.encoder.meta.mean
    given = request_of("simsiam", tmp_path / "c", values={"normalisation.mean": 0.658, "normalisation.std": 0.221})
    assert prepare(make_plan(given), [radiographs], cache, SilentProgress()).start.encoder.meta.mean == (0.658,)


def test_the_seed_decides_every_bit(tmp_path: Path, radiographs: Radiographs, cache: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        pretrained(request_of("simsiam", tmp_path / name, seed=seed), radiographs, cache)
        torch.rand(3)
        np.random.rand(3)
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert not same_weights(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize(
    ("method", "values"),
    [("moco_v2", {"method.ifa": "3"}), ("mlvicx", {}), ("pcrl_v2", {})],
    ids=lambda each: str(each),
)
def test_kill_9_and_resume_give_the_bits_of_an_uninterrupted_run(
    method: str,
    values: dict[str, Any],
    tmp_path: Path,
    radiographs: Radiographs,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {**values, "checkpoint_seconds": 0}
    pretrained(request_of(method, tmp_path / "whole", values=values), radiographs, cache)
    # In the middle of the second epoch; and once before the first checkpoint.
    for name, when in (("late", STEPS - 3), ("early", 0))[: 2 if method == "moco_v2" else 1]:
        out = tmp_path / name
        with monkeypatch.context() as patch:
            at_step(patch, when, lambda: os.kill(os.getpid(), signal.SIGKILL))
            asked = request_of(method, out, values=values)
            assert in_a_child(lambda asked=asked: pretrained(asked, radiographs, cache)) == -signal.SIGKILL
        assert (out / "checkpoint.pt").exists() == (name == "late")
        assert not (out / "encoder.toml").exists()
        with pytest.raises(UserError, match="unfinished pretraining: go on with --resume"):
            make_plan(request_of(method, out, values=values))
        pretrained(request_of(method, out, values=values, resume=True), radiographs, cache)
        assert {each.name for each in out.iterdir()} == WHOLE
        assert same_weights(out, tmp_path / "whole")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_rest_is_as_without_it(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    radiographs: Radiographs,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    pretrained(request_of("simsiam", tmp_path / "whole"), radiographs, cache)
    out = tmp_path / "cut"
    with monkeypatch.context() as patch:
        at_step(patch, 6, lambda: os.kill(os.getpid(), number))
        with pytest.raises(StoppedError, match=f"after 7 of {STEPS} steps.*--resume") as caught:
            pretrained(request_of("simsiam", out), radiographs, cache)
    assert caught.value.exit_code == code
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    pretrained(request_of("simsiam", out, resume=True), radiographs, cache)
    assert same_weights(out, tmp_path / "whole")


def test_another_pretraining_is_never_gone_on_with(
    tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cut"
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(StoppedError):
            pretrained(request_of("simsiam", out), radiographs, cache)
    kept = (out / "checkpoint.pt").read_bytes()
    fewer = radiographs.where(np.arange(IMAGES) < IMAGES - 4)
    cases = [
        (request_of("byol", out, resume=True), radiographs, 'method is "byol", there "simsiam"'),
        (request_of("simsiam", out, resume=True, arch="resnet18"), radiographs, 'arch is "resnet18", there "tiny"'),
        (request_of("simsiam", out, resume=True, seed=3), radiographs, "seed is 3, there 0"),
        (
            request_of("simsiam", out, resume=True, values={"training.lr": 0.5}),
            radiographs,
            "training.lr is 0.5, there 0.0015625",
        ),
        (request_of("simsiam", out, resume=True), fewer, "images is 36, there 40; images_sha256 is"),
    ]
    for request, images, words in cases:
        with pytest.raises(UserError, match=r"--resume: --out .* holds another training") as caught:
            pretrained(request, images, cache)
        assert words in str(caught.value)
    assert (out / "checkpoint.pt").read_bytes() == kept
    # What changes no weight may change.
    more = request_of("simsiam", out, resume=True, values={"views.threads": 2, "checkpoint_seconds": 1})
    assert pretrained(more, radiographs, cache).history.rows[-1]["epoch"] == 2


def test_a_loss_that_is_not_finite_leaves_the_last_good_state_to_start_from(
    tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"checkpoint_seconds": 0}
    out = tmp_path / "broken"
    before = module.loss_of
    calls = []

    def loss_of(network: Any, batch: Any) -> Any:
        calls.append(1)
        found = before(network, batch)
        return {**found, "loss": found["loss"] * float("nan")} if len(calls) == 6 else found

    with monkeypatch.context() as patch:
        patch.setattr(module, "loss_of", loss_of)
        with pytest.raises(NotFiniteLossError, match=r"after [45] steps, is in .*--init .*broken and another --out"):
            pretrained(request_of("moco_v2", out, values=values), radiographs, cache)
    assert not (out / "encoder.toml").exists()
    plan = make_plan(request_of("moco_v2", tmp_path / "next", init=str(out), values={"training.lr": 1e-5}))
    prepared = prepare(plan, [radiographs], cache, SilentProgress())
    assert set(prepared.taken) >= {"head", "key_encoder"}
    assert not prepared.drawn
    state = torch.load(out / "checkpoint.pt", weights_only=True)["state"]["network"]
    now = prepared.method.state_dict()
    assert all(torch.equal(now[name], value) for name, value in state.items())


def test_init_takes_heads_queue_and_momentum_networks_of_the_same_method(
    tmp_path: Path, radiographs: Radiographs, cache: Path
) -> None:
    first = pretrained(request_of("moco_v2", tmp_path / "first"), radiographs, cache).out
    request = request_of("moco_v2", tmp_path / "second", init=str(first), values={"method.ifa": "1,3"})
    prepared = prepare(make_plan(request), [radiographs], cache, SilentProgress())
    assert not prepared.drawn
    now = {**prepared.method.state_dict()}
    for name, value in tensors_of(first):
        file, _, key = name.partition(":")
        assert torch.equal(now[key if file.startswith("method") else f"encoder.network.{key}"], value), name
    second = pretrained(request, radiographs, cache).out
    about = tomllib.loads((second / "encoder.toml").read_text())
    assert "IFA after block 1, 3" in about["trained_on"]
    assert "before that, as first: 40 images" in about["trained_on"]
    assert about["pretraining"]["init"] == str(first)

    wide = request_of("moco_v2", tmp_path / "wide", init=str(first), values={"method.queue": 64})
    prepared = prepare(make_plan(wide), [radiographs], cache, SilentProgress())
    assert prepared.drawn
    assert "head" in prepared.taken
    other = prepare(
        make_plan(request_of("byol", tmp_path / "other", init=str(first))), [radiographs], cache, SilentProgress()
    )
    assert not other.taken
    assert "pretrained by moco_v2" in other.start.notes[0]
    file = request_of("byol", tmp_path / "file", init=f"x={first / 'encoder.safetensors'}")
    weights = make_plan(file).start().encoder.meta.sha256
    assert weights == load_encoder(str(first)).meta.sha256


def test_what_cannot_work_is_said_before_an_image_is_read(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    vgg = {"arch": "timm:vit_tiny_patch16_224"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"method": "moco"}, "unknown method 'moco'; did you mean 'moco_v2'?"),
        ({"arch": "resnet51"}, "unknown architecture 'resnet51'; did you mean"),
        ({"values": {"method.ifa": "5"}}, "there is no block 5"),
        ({"method": "byol", "values": {"method.ifa": "3"}}, "method byol cannot be combined with IFA"),
        ({"values": {"method.queue": 30}}, "method.queue = 30 is not divisible by training.batch_size = 8"),
        ({"method": "simsiam", "values": {"training.batch_size": 1}}, "2 or more"),
        ({"values": {"training.batchsize": 4}}, "did you mean 'training.batch_size'?"),
        ({"values": {"training.lr": -1}}, "--set: training.lr"),
        ({"values": {"views.preset": "mocco"}}, "unknown preset of views 'mocco'; did you mean 'moco'?"),
        ({"method": "caid", "values": {"views.preset": "moco"}}, "caid needs the view 'clean_one', which views.preset"),
        ({"method": "mlvicx", **vgg}, "which timm:vit_tiny_patch16_224 has not"),
        ({"method": "simsiam", "values": {"training.device": "cuda"}}, "no CUDA GPU"),
        ({"init": "no_such_encoder"}, "no_such_encoder"),
        ({"init": str(tmp_path / "full")}, "neither an encoder nor a pretraining"),
        ({"out": tmp_path / "full"}, "holds other files (notes.txt)"),
        ({"out": tmp_path / "file" / "deeper"}, "is a file, not a folder"),
    ]
    for given, words in cases:
        method, out = given.pop("method", "moco_v2"), given.pop("out", tmp_path / "new")
        if words == "no CUDA GPU" and torch.cuda.is_available():
            continue
        with pytest.raises(UserError) as caught:
            make_plan(request_of(method, out, **given))
        assert words in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_fewer_images_than_a_batch_are_refused(tmp_path: Path, radiographs: Radiographs, cache: Path) -> None:
    plan = make_plan(request_of("simsiam", tmp_path / "a", values={"training.batch_size": IMAGES + 1}))
    with pytest.raises(UserError, match="40 images are fewer than a batch of 41"):
        prepare(plan, [radiographs], cache, SilentProgress())


def test_a_folder_that_another_process_writes_is_left_alone(
    tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a"
    said: list[str] = []

    def begin_there_too() -> None:
        with pytest.raises(UserError, match="another process is training into it") as caught:
            pretrained(request_of("simsiam", out, resume=True), radiographs, cache)
        said.append(str(caught.value))

    with monkeypatch.context() as patch:
        at_step(patch, 2, begin_there_too)
        pretrained(request_of("simsiam", out), radiographs, cache)
    assert len(said) == 1
    assert json.loads((out / "settings.json").read_text())["identity"]["method"] == "simsiam"


@pytest.mark.parametrize(("method", "own"), [("simsiam", False), ("moco_v2", True)])
def test_what_several_processes_get_can_be_sent_to_them(
    method: str, own: bool, tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request_of(method, tmp_path / "a", values={"training.devices": 2})
    prepared = prepare(make_plan(asked), [radiographs], cache, SilentProgress())
    given: dict[str, Any] = {}

    def fit(**arguments: Any) -> None:
        given.update(arguments)
        raise StoppedError("far enough")

    monkeypatch.setattr(module, "fit", fit)
    with pytest.raises(StoppedError):
        module.run(prepared)
    for name in ("network", "loss", "batches", "after_step", "observer"):
        pickle.loads(pickle.dumps(given[name]))
    synchronised = any(isinstance(each, SynchronisedBatchNorm) for each in given["network"].modules())
    assert synchronised != own
    assert prepared.plan.shape.processes == 2


def test_a_damaged_checkpoint_is_named_and_neither_begun_again_nor_written_over(
    tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cut"
    with monkeypatch.context() as patch:
        at_step(patch, 6, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(StoppedError):
            pretrained(request_of("simsiam", out), radiographs, cache)
    file, log = out / "checkpoint.pt", (out / "log.csv").read_bytes()
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"checkpoint\.pt cannot be read \(\w+\); put back a copy of it"):
        pretrained(request_of("simsiam", out, resume=True), radiographs, cache)
    assert len(file.read_bytes()) == 5000
    assert (out / "log.csv").read_bytes() == log


def test_a_finished_folder_of_another_pretraining_is_not_taken_for_this_one(
    tmp_path: Path, radiographs: Radiographs, cache: Path
) -> None:
    out = pretrained(request_of("simsiam", tmp_path / "a"), radiographs, cache).out
    assert make_plan(request_of("simsiam", out, resume=True)).state == "finished"
    with pytest.raises(UserError, match='holds another training: method is "byol", there "simsiam"'):
        make_plan(request_of("byol", out, resume=True))


def test_images_in_another_order_are_another_pretraining(tmp_path: Path, radiographs: Radiographs, cache: Path) -> None:
    half = np.arange(IMAGES) < IMAGES // 2
    parts = [radiographs.where(half), radiographs.where(~half)]
    plan = make_plan(request_of("simsiam", tmp_path / "a"))
    one, other = (prepare(plan, each, cache, SilentProgress()).identity() for each in (parts, parts[::-1]))
    assert {key for key in one if one[key] != other[key]} == {"images_order"}


def test_a_disk_that_is_full_at_the_end_leaves_the_checkpoint(
    tmp_path: Path, radiographs: Radiographs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of("simsiam", tmp_path / "a", values={"checkpoint_seconds": 0})

    def full(*arguments: Any, **more: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("cxrbench.pretrain.saving.save_file", full)
        with pytest.raises(UserError, match="No space left on device; free some space"):
            pretrained(request, radiographs, cache)
    assert not (request.out / "encoder.toml").exists()
    pretrained(replace(request, resume=True), radiographs, cache)
    assert {each.name for each in request.out.iterdir()} == WHOLE
