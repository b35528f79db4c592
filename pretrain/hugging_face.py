"""Models as Hugging Face has them: read from its local cache or from a folder, never fetched."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from ..foundation.errors import UserError
from .architectures import RESNETS, TIMM, build_network
from .checkpoints import load_strictly, read_tensors, words_for
from .encoder import Encoder, EncoderMeta, hash_of_tensors
from .initialisation import private_randomness
from .network import Network

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TRANSFORMERS = "transformers:"
_INSTALL = "pip install 'cxrbench[huggingface]'"
_PIXELS = 255


@dataclass(frozen=True)
class _Model:
    """A folder with a model.

    Attributes:
        name: what the encoder is called.
        folder: where it lies.
        words: where it comes from, for metadata and errors.
        config: what its config.json says.
    """

    name: str
    folder: Path
    words: str
    config: dict[str, Any]


def load_from_hub(name: str, repository: str, cache: Path | None = None) -> Encoder:
    """The model `ORG/NAME` of the local cache of Hugging Face, as an encoder called `name`.

    Args:
        name: what it is called.
        repository: `ORG/NAME`, or `ORG/NAME@REVISION`.
        cache: folder of the cache; None for Hugging Face's own.

    Raises:
        UserError: it is not in the cache; the message has the command that fetches it.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HFValidationError

    path, _, revision = repository.partition("@")
    place = Path(cache or HF_HUB_CACHE)
    try:
        found = try_to_load_from_cache(path, "config.json", cache_dir=place, revision=revision or None)
    except HFValidationError as error:
        raise UserError(f"hf:{repository}: write it as hf:ORG/NAME or hf:ORG/NAME@REVISION") from error
    if not isinstance(found, str):
        asked = f" --revision {revision}" if revision else ""
        raise UserError(
            f"hf:{repository} is not in the cache {place}, and cxrbench fetches nothing; get it with: "
            f"hf download {path}{asked}"
        )
    folder = Path(found).parent
    return load_from_folder(name, folder, f"hf:{path}, revision {folder.name}")


def load_from_folder(name: str, folder: Path, words: str = "") -> Encoder:
    """The model in `folder`: `config.json` and its weights, of timm or of transformers.

    timm's, and the ResNets of transformers, become the networks that other encoders have. Every other model of
    transformers gives pooled features only: the pooled output where pooling has no weights of its own, else the class
    token after the last layer.

    Args:
        name: what it is called.
        folder: as `hf download` or `save_pretrained` leave it.
        words: where it comes from; empty for the folder itself.

    Raises:
        UserError: files are missing, weights do not fit, or the model takes no images.
    """
    model = _Model(name, folder, words or str(folder), _read_json(folder / "config.json"))
    if "architecture" in model.config:
        return _of_timm(model)
    if "model_type" in model.config:
        resnet = _resnet_of(model.config)
        return _of_resnet(model, resnet) if resnet else _of_transformers(model)
    raise UserError(f"{model.words}: its config.json names neither an architecture of timm nor a model type")


def _of_timm(model: _Model) -> Encoder:
    if model.config.get("model_args"):
        raise UserError(f"{model.words}: its model_args change timm's {model.config['architecture']}; not supported")
    arch = str(model.config["architecture"])
    about = model.config.get("pretrained_cfg", model.config)
    try:
        mean, std, size = tuple(about["mean"]), tuple(about["std"]), int(about["input_size"][-1])
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{model.words}: its config.json does not state mean, std and input_size") from error
    return _filled(model, arch if arch in RESNETS else f"{TIMM}{arch}", mean, std, size)


def _resnet_of(config: dict[str, Any]) -> str:
    """The ResNet of torchvision that a model of transformers is; empty where it is none."""
    usual = {
        "model_type": "resnet",
        "embedding_size": 64,
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    if any(config.get(key, value) != value for key, value in usual.items()):
        return ""
    depths = tuple(config.get("depths", ()))
    if config.get("layer_type", "bottleneck") == "basic":
        widths, found = [64, 128, 256, 512], {(2, 2, 2, 2): "resnet18", (3, 4, 6, 3): "resnet34"}
    else:
        widths, found = [256, 512, 1024, 2048], {(3, 4, 6, 3): "resnet50", (3, 4, 23, 3): "resnet101"}
    return found.get(depths, "") if config.get("hidden_sizes", widths) == widths else ""


def _of_resnet(model: _Model, arch: str) -> Encoder:
    mean, std, size = _preprocessing(model, int(model.config.get("num_channels", 3)))
    return _filled(model, arch, mean, std, size)


def _filled(model: _Model, arch: str, mean: tuple[float, ...], std: tuple[float, ...], size: int) -> Encoder:
    with private_randomness(0):
        network = build_network(arch, len(mean))
    path = _weights_of(model)
    fit = load_strictly(network.library(), read_tensors(path), path, arch)
    return _encoder(model, network, arch, mean, std, size, words_for(path, fit))


def _of_transformers(model: _Model) -> Encoder:
    channels = int(model.config.get("num_channels", 3))
    mean, std, size = _preprocessing(model, channels)
    body = _read_transformers(model)
    network = TransformersNetwork(body, channels, size, model.words)
    arch = f"{TRANSFORMERS}{model.config['model_type']}"
    return _encoder(model, network, arch, mean, std, size, WEIGHTS[0])


class TransformersNetwork(Network):
    """The image backbone of a model of transformers."""

    def __init__(self, body: Any, channels: int, size: int, words: str):
        super().__init__()
        self.body = body.eval()
        self.input_size = size
        asked = signature(body.forward).parameters
        self._options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in asked else {}
        # A pooling layer with weights is a head of another training, or random where the file has none.
        pooler = getattr(body, "pooler", None)
        self._token = isinstance(pooler, torch.nn.Module) and any(True for _ in pooler.parameters())
        try:
            with torch.no_grad():
                self.dim = self.forward(torch.zeros(1, channels, size, size)).shape[1]
        except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{words}: gives no features for images alone: {first_line}") from error

    def library(self) -> torch.nn.Module:
        """The module of transformers."""
        return self.body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [B, dim]."""
        found = self.body(pixel_values=x, **self._options)
        pooled = getattr(found, "pooler_output", None)
        if self._token or pooled is None:
            last = found.last_hidden_state
            return last[:, 0] if last.ndim == 3 else last.mean((2, 3))
        return pooled.flatten(1)


def _read_transformers(model: _Model) -> Any:
    try:
        library = import_module("transformers")
    except ImportError as error:
        raise UserError(f"{model.words}: a model of transformers needs that package: {_INSTALL}") from error
    if not (model.folder / WEIGHTS[0]).is_file():
        raise UserError(f"{model.words}: has no {WEIGHTS[0]}, the only kind of file that transformers is let read here")
    kind = model.config["model_type"]
    try:
        with private_randomness(0):
            body, about = library.AutoModel.from_pretrained(
                model.folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{model.words}: transformers cannot read its {kind}: {first_line}") from error
    missing = [name for name in sorted(about["missing_keys"]) if "pooler." not in name]
    wrong = [*missing, *(str(each[0]) for each in about.get("mismatched_keys", ()))]
    if wrong:
        raise UserError(f"{model.words}: its weights do not fit {kind}: {len(wrong)} are missing, first {wrong[0]}")
    return body


def _preprocessing(model: _Model, channels: int) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation for images in [0, 1], and side, from preprocessor_config.json."""
    file = "preprocessor_config.json"
    if not (model.folder / file).is_file():
        raise UserError(f"{model.words}: has no {file}, which states how images are normalised")
    about = _read_json(model.folder / file)
    factor = about.get("rescale_factor", 1 / _PIXELS) if about.get("do_rescale", True) else 1.0
    scale = _PIXELS * float(factor)
    mean, std = [0.0] * channels, [1.0] * channels
    if about.get("do_normalize", True):
        mean, std = about.get("image_mean"), about.get("image_std")
        if not (isinstance(mean, list) and isinstance(std, list) and len(mean) == len(std) == channels):
            raise UserError(f"{model.words}: {file} does not state image_mean and image_std of {channels} channels")
    return tuple(each / scale for each in mean), tuple(each / scale for each in std), _side(model, about)


def _side(model: _Model, about: dict[str, Any]) -> int:
    for key in ("crop_size", "size"):
        given = about.get(key)
        sides = list(given.values()) if isinstance(given, dict) else [given]
        if sides and isinstance(sides[0], int):
            return sides[0]
    size = model.config.get("image_size", 224)
    return size if isinstance(size, int) else 224


def _weights_of(model: _Model) -> Path:
    found = [model.folder / file for file in WEIGHTS if (model.folder / file).is_file()]
    if not found:
        raise UserError(f"{model.words}: its weights are not here: neither {' nor '.join(WEIGHTS)} in {model.folder}")
    return found[0]


def _encoder(
    model: _Model,
    network: Network,
    arch: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    size: int,
    weights: str,
) -> Encoder:
    meta = EncoderMeta(
        name=model.name,
        arch=arch,
        channels=len(mean),
        mean=mean,
        std=std,
        input_size=size,
        dim=network.dim,
        stage_channels=network.stage_channels,
        weights=f"{model.words}: {weights}",
        sha256=hash_of_tensors(network.library().state_dict()),
        seed=None,
        trained_on="not stated",
        licence=_licence(model.folder),
    )
    return Encoder(network, meta).eval()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: is not valid JSON; fetch it again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no JSON object")
    return found


def _licence(folder: Path) -> str:
    """What the head of the model's page says, where that is here."""
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    found = re.search(r"\A---\n(?:.*\n)*?license:\s*([\w.+-]+)\s*\n", text)
    return found[1] if found else "not stated"
