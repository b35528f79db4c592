"""Models as Hugging Face has them, made here: read from a cache or a folder, never fetched."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder, save_encoder
from cxrbench.pretrain.conformance import check_encoder
from cxrbench.pretrain.hugging_face import load_from_folder, load_from_hub

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
PREPROCESSING = {
    "do_normalize": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_mean": list(MEAN),
    "image_std": list(STD),
    "size": {"height": 64, "width": 64},
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("went online")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def transformers() -> Any:
    return pytest.importorskip("transformers")


def _folder_of(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    return folder


def _images(size: int = 64) -> torch.Tensor:
    return torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))


def _inputs(images: torch.Tensor) -> torch.Tensor:
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def _assert_features(encoder: Any, expected: torch.Tensor, images: torch.Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), expected, rtol=0, atol=1e-6 * max(1, float(expected.abs().max())))


def _dinov2(library: Any) -> Any:
    torch.manual_seed(0)
    config = library.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16, mlp_ratio=2
    )
    return library.Dinov2Model(config).eval()


def test_a_resnet_of_transformers_is_ours_with_stages(transformers: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ResNetConfig(depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512], layer_type="basic")
    model = transformers.ResNetForImageClassification(config).eval()
    encoder = load_encoder(f"mine={_folder_of(model, tmp_path / 'resnet')}")
    with torch.no_grad():
        expected = model.resnet(_inputs(_images())).pooler_output.flatten(1)
    _assert_features(encoder, expected, _images())
    assert (encoder.meta.arch, encoder.has_stages) == ("resnet18", True)


def test_a_transformer_gives_its_class_token(transformers: Any, tmp_path: Path) -> None:
    model = _dinov2(transformers)
    encoder = load_from_folder("mine", _folder_of(model, tmp_path / "dino"))
    with torch.no_grad():
        expected = model(_inputs(_images())).last_hidden_state[:, 0]
    _assert_features(encoder, expected, _images())
    check_encoder(encoder)
    # Another size than the trained one.
    assert encoder(_images(96)).shape == (2, 32)


def test_a_pooler_with_weights_of_its_own_is_passed_over(transformers: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=16
    )
    # Saved without the pooler: a reader that used it would draw it at random.
    model = transformers.ViTForImageClassification(config).eval()
    encoder = load_from_folder("mine", _folder_of(model, tmp_path / "vit"))
    with torch.no_grad():
        expected = model.vit(_inputs(_images())).last_hidden_state[:, 0]
    _assert_features(encoder, expected, _images())


def test_missing_weights_are_refused(transformers: Any, tmp_path: Path) -> None:
    model = _dinov2(transformers)
    folder = _folder_of(model, tmp_path / "dino")
    tensors = dict(model.state_dict())
    del tensors["layernorm.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"do not fit dinov2: 1 are missing, first layernorm\.weight"):
        load_from_folder("mine", folder)


def test_a_model_that_needs_text_is_refused(transformers: Any, tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=30
    )
    folder = _folder_of(transformers.BertModel(config), tmp_path / "bert")
    with pytest.raises(UserError, match="gives no features for images alone"):
        load_from_folder("mine", folder)


def _cached_timm(cache: Path, revision: str = "0123abcd") -> Any:
    """A model of timm in the layout of Hugging Face's cache."""
    torch.manual_seed(0)
    model = timm.create_model("resnet18", pretrained=False).eval()
    repository = cache / "models--timm--resnet18.mine"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    save_file(dict(model.state_dict()), snapshot / "model.safetensors")
    about = {"mean": MEAN, "std": STD, "input_size": [3, 64, 64]}
    (snapshot / "config.json").write_text(json.dumps({"architecture": "resnet18", "pretrained_cfg": about}))
    (snapshot / "README.md").write_text("---\ntags:\n- timm\nlicense: apache-2.0\n---\n# model\n")
    return model


def test_a_model_of_timm_in_the_cache(tmp_path: Path) -> None:
    model = _cached_timm(tmp_path)
    encoder = load_from_hub("hf:timm/resnet18.mine", "timm/resnet18.mine", tmp_path)
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(_inputs(_images())), pre_logits=True)
    _assert_features(encoder, expected, _images())
    meta = encoder.meta
    assert (meta.name, meta.arch, meta.licence, meta.input_size) == (
        "hf:timm/resnet18.mine",
        "resnet18",
        "apache-2.0",
        64,
    )
    assert "hf:timm/resnet18.mine, revision 0123abcd: model.safetensors" in meta.weights
    assert load_from_hub("mine", "timm/resnet18.mine@0123abcd", tmp_path).meta.sha256 == meta.sha256


def test_what_is_not_in_the_cache_is_asked_for_and_never_fetched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"fetches nothing; get it with: hf download org/name$"):
        load_from_hub("mine", "org/name", tmp_path)
    with pytest.raises(UserError, match=r"hf download org/name --revision v2$"):
        load_from_hub("mine", "org/name@v2", tmp_path)
    with pytest.raises(UserError, match="write it as hf:ORG/NAME"):
        load_encoder("hf:a/b/c")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "names neither an architecture of timm nor a model type"),
        ('{"architecture": "resnet18"}', "does not state mean, std and input_size"),
        ('{"architecture": "resnet18", "mean": [0], "std": [1], "input_size": [1, 64, 64]}', "weights are not here"),
        ('{"model_type": "dinov2"}', "has no preprocessor_config.json"),
    ],
)
def test_broken_folders_are_named(tmp_path: Path, config: str, message: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UserError) as caught:
        load_from_folder("mine", tmp_path)
    assert message in str(caught.value)


def test_what_cannot_be_built_from_its_name_is_not_saved_as_one_file(transformers: Any, tmp_path: Path) -> None:
    encoder = load_from_folder("mine", _folder_of(_dinov2(transformers), tmp_path / "dino"))
    with pytest.raises(UserError, match="keep its folder"):
        save_encoder(encoder, tmp_path / "out.safetensors", trained_on="nothing")
