"""From the names in a checkpoint to the names of the backbone's own library: one table for all layouts.

To read a new layout, add its prefix to PREFIXES, or a renaming to RENAMINGS.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

# Keys of the dictionary that holds the tensors, where they are not at the top.
# Where a file holds a teacher beside its student, the teacher is what its authors evaluate.
CONTAINERS = ("state_dict", "model_state_dict", "model", "online", "network", "teacher", "student", "encoder")

# What stands before the backbone's names. Where a file holds several networks, the first of equally good ones is
# taken: the trained one before its momentum copy.
PREFIXES = {
    "": "bare names",
    "encoder_q.": "MoCo's query encoder",
    "base_encoder.": "MoCo v3's base encoder",
    "encoder_q.encoder.": "MoCo's query encoder, its encoder",
    "encoder_q.backbone.": "MoCo's query encoder, its backbone",
    "encoder_q.backbone.encoder.": "the encoder of MoCo's query U-Net",
    "online_encoder.": "BYOL's online encoder",
    "online_encoder.net.": "BYOL's online encoder, its network",
    "online_encoder.encoder.": "BYOL's online encoder, its encoder",
    "online_network.": "BYOL's online network",
    "online_network.encoder.": "BYOL's online network, its encoder",
    "online_network.backbone.": "BYOL's online network, its backbone",
    "online.": "the online network",
    "online.encoder.": "the online network's encoder",
    "online.backbone.": "the online network's backbone",
    "backbone.": "backbone.",
    "encoder.": "encoder.",
    "model.": "model.",
    "network.": "network.",
    "net.": "net.",
    "resnet.": "resnet.",
    "convnet.": "convnet.",
    "feature_extractor.": "feature_extractor.",
    "features.": "features.",
    "network.body.": "cxrbench's encoder",
    "model.backbone.": "model.backbone.",
    "model.encoder.": "model.encoder.",
    "model.encoder_q.": "MoCo's query encoder in a model",
    "encoder.backbone.": "encoder.backbone.",
    "backbone.encoder.": "the encoder of a U-Net",
    "student.backbone.": "the student of a distillation",
}

# Classifiers and projection heads behind the backbone, left out where the network has nothing of that name.
HEADS = (
    "fc.",
    "head.",
    "classifier.",
    "last_linear.",
    "projection_head.",
    "projection.",
    "projector.",
    "predictor.",
    "prototypes.",
    # Operating points of torchxrayvision's classifiers.
    "op_threshs",
)

# Layers of a torchvision ResNet by their place in nn.Sequential(*resnet.children()).
_RESNET_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4", "9": "fc"}

# Blocks a stage of EfficientNet-Lite0; its own code numbers them through.
_LITE_STAGES = (1, 2, 2, 3, 3, 4, 1)
_LITE_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_LITE_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LITE_OTHER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LITE_PLACES = [(stage, index) for stage, blocks in enumerate(_LITE_STAGES) for index in range(blocks)]


def _unchanged(name: str) -> str:
    return name


def _by_position(name: str) -> str:
    place, _, rest = name.partition(".")
    return f"{_RESNET_CHILDREN[place]}.{rest}" if place in _RESNET_CHILDREN else name


_HUGGING_FACE_PARTS = {"convolution": ("conv", "downsample.0"), "normalization": ("bn", "downsample.1")}
_HUGGING_FACE_STEM = re.compile(r"embedder\.embedder\.(convolution|normalization)\.(\w+)")
_HUGGING_FACE_LAYER = re.compile(
    r"encoder\.stages\.(\d+)\.layers\.(\d+)\.(?:layer\.(\d+)|shortcut)\.(convolution|normalization)\.(\w+)"
)


def _hugging_face(name: str) -> str:
    """Names of the ResNets of transformers -> torchvision's."""
    if stem := _HUGGING_FACE_STEM.fullmatch(name):
        return f"{_HUGGING_FACE_PARTS[stem[1]][0]}1.{stem[2]}"
    if layer := _HUGGING_FACE_LAYER.fullmatch(name):
        stage, block, number, part, leaf = layer.groups()
        main, shortcut = _HUGGING_FACE_PARTS[part]
        inner = shortcut if number is None else f"{main}{int(number) + 1}"
        return f"layer{int(stage) + 1}.{block}.{inner}.{leaf}"
    return name


def _efficientnet_lite(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "_blocks" and len(parts) == 4 and parts[1].isdigit() and int(parts[1]) < len(_LITE_PLACES):
        stage, index = _LITE_PLACES[int(parts[1])]
        layers = _LITE_FIRST if int(parts[1]) == 0 else _LITE_OTHER
        return f"blocks.{stage}.{index}.{layers.get(parts[2], parts[2])}.{parts[3]}"
    return ".".join([_LITE_OUTER.get(parts[0], parts[0]), *parts[1:]])


def _vgg(name: str) -> str:
    """The two layers before the classes of torchvision's VGG, which timm calls otherwise."""
    return re.sub(r"^classifier\.([03])\.", lambda found: f"pre_logits.fc{1 if found[1] == '0' else 2}.", name)


RENAMINGS: dict[str, Callable[[str], str]] = {
    "": _unchanged,
    "layers by position": _by_position,
    "EfficientNet-Lite's own names": _efficientnet_lite,
    "the names of transformers": _hugging_face,
    "torchvision's VGG": _vgg,
}


@dataclass(frozen=True)
class Fit:
    """How the names of a checkpoint fit those of a network.

    Attributes:
        layout: which layout was recognised, in words.
        names: name in the network -> name in the checkpoint.
        missing: names that the network has and the checkpoint has not.
        unexpected: names in the checkpoint, among the backbone's, that the network has not.
        left_out: names in the checkpoint of classifiers and of other parts of the pretraining model.
    """

    layout: str
    names: dict[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    left_out: tuple[str, ...]


def fit_names(given: Iterable[str], wanted: Collection[str]) -> Fit:
    """The layout under which most of the `given` names are among the `wanted` ones; `names` is empty where none is."""
    bare = _without_wrappers(list(given))
    fits = [
        _fit(bare, wanted, prefix, renaming, ", ".join(filter(None, (words, renamed))))
        for prefix, words in PREFIXES.items()
        for renamed, renaming in RENAMINGS.items()
    ]
    # Of equal ones `max` takes the first, and so the order of the table.
    return max(fits, key=lambda fit: len(fit.names))


def summary(names: Collection[str], most: int = 4) -> str:
    """`names` in a few words: their first parts with counts."""
    counts = Counter(re.sub(r"^(module\.|_orig_mod\.)+", "", name).split(".")[0] for name in names)
    words = [f"{first} ({count})" for first, count in counts.most_common(most)]
    return ", ".join([*words, "..."] if len(counts) > most else words)


def _fit(
    bare: dict[str, str], wanted: Collection[str], prefix: str, renaming: Callable[[str], str], layout: str
) -> Fit:
    names: dict[str, str] = {}
    unexpected: list[str] = []
    left_out: list[str] = []
    for name, original in bare.items():
        if not name.startswith(prefix):
            left_out.append(original)
            continue
        inner = name.removeprefix(prefix)
        renamed = renaming(inner)
        if renamed in wanted:
            names[renamed] = original
        elif renamed.startswith(HEADS):
            left_out.append(original)
        else:
            unexpected.append(original)
    missing = (name for name in wanted if name not in names and not name.endswith("num_batches_tracked"))
    return Fit(layout, names, tuple(missing), tuple(unexpected), tuple(left_out))


def _without_wrappers(given: list[str]) -> dict[str, str]:
    """Name without what data-parallel and compiled modules put into it -> name as given."""
    bare = {re.sub(r"(^|\.)(?:(?:module|_orig_mod)\.)+", r"\1", name): name for name in given}
    # Two names that become one are two tensors: keep them apart.
    return bare if len(bare) == len(given) else {name: name for name in given}
