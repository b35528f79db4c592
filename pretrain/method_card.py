"""What is known of a pretraining method without importing torch: one TOML beside each module of methods/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..foundation.registry import Loader, Registry
from ..foundation.settings import Settings, read_toml, validated

if TYPE_CHECKING:
    from .method import Method

METHODS = Path(__file__).parent / "methods"


class MethodCard(Settings):
    """What the TOML of a method says.

    Attributes:
        title: one line.
        source: publication, and released code.
        builds: name of the class in the module of the same name.
        loss: the loss as an equation in plain text, a line a term.
        shapes: what goes in and comes out of the heads.
        needs: `stages` where the encoder must have feature maps, `blocks` where it must come apart.
        ifa: whether the IFA loss can be added.
        views: preset of augmentations (data/views).
        image_size: side of the views in pixels.
        per_256: whether `training.lr` is for a batch of 256 and is scaled with the batch where it is not set.
        training: defaults of the training settings.
        marks: training key, `views` or `image_size` -> where that default comes from; `ours: why` where nobody states
            it.
        differences: how paper and released code differ, and which is the default here.
    """

    title: str
    source: str
    builds: str
    loss: tuple[str, ...]
    shapes: str
    needs: Literal["", "stages", "blocks"] = ""
    ifa: bool = False
    views: str
    image_size: int = Field(default=224, ge=32)
    per_256: bool = False
    training: dict[str, Any] = Field(default_factory=dict)
    marks: dict[str, str] = Field(default_factory=dict)
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodSource:
    """A method by name; a plug-in hands one to `methods.register`, or names it in the group `cxrbench.methods`."""

    card: MethodCard
    load: Callable[[], type[Method]]


def read_card(path: Path) -> MethodCard:
    """The card in a TOML file. Raises UserError for unknown keys or values out of range."""
    return validated(MethodCard, read_toml(path), str(path))


def _builtin() -> Mapping[str, Loader]:
    return {path.stem: partial(_source, path) for path in sorted(METHODS.glob("*.toml"))}


def _source(path: Path) -> MethodSource:
    card = read_card(path)

    def load() -> type[Method]:
        return getattr(import_module(f"cxrbench.pretrain.methods.{path.stem}"), card.builds)

    return MethodSource(card, load)


methods: Registry[MethodSource] = Registry("method", "cxrbench.methods", _builtin)
