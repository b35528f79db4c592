"""A pretraining as it was asked for, with everything checked that needs no image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...data.views import Views
from ...foundation.errors import UserError
from ...foundation.registry import included_code
from ...training.device import resolve_device
from ...training.torchrun import is_first_process, process_count
from ..initialisation import private_randomness
from ..method import Method, Shape
from ..method_card import MethodCard, methods
from ..saving import refuse_unwritable
from ..watching.watch import Watch
from .folder import FolderState, refuse_other, refuse_taken, state_for_others
from .settings import PretrainingSettings, pretraining_settings
from .starting import Start, random_start, start_from

DEFAULT_ARCH = "resnet50"


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Attributes:
        method: registered name.
        out: folder of the result.
        arch: architecture; None takes that of `init`, else a ResNet-50.
        init: encoder to start from; empty for random weights.
        resume: go on with what lies in `out`.
        values: dotted key -> value of the settings that were set.
        where: what to name in errors about them.
        seed: of everything that is drawn.
        name: what the encoder is called; empty for the name of the folder.
        licence: of the weights; empty takes that of `init`.
    """

    method: str
    out: Path
    arch: str | None = None
    init: str = ""
    resume: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    where: str = "--set"
    seed: int = 0
    name: str = ""
    licence: str = ""

    @property
    def title(self) -> str:
        """What the encoder is called."""
        return self.name or self.out.resolve().name


@dataclass(frozen=True)
class Plan:
    """A request whose every part that needs no image was checked.

    Attributes:
        request: what was asked for.
        card, kind: of the method.
        settings: all of them.
        state: of the output folder.
        processes: that share a batch.
    """

    request: Request
    card: MethodCard
    kind: type[Method]
    settings: PretrainingSettings[Any]
    state: FolderState
    processes: int

    @property
    def shape(self) -> Shape:
        """Sizes of batches and images."""
        return Shape(self.settings.training.batch_size, self.settings.image_size, self.processes)

    def start(self, mean: float = 0.5, sd: float = 0.25) -> Start:
        """What is started from; random weights normalise by `mean` and `sd`."""
        request = self.request
        if request.init:
            return start_from(request.init, request.arch, request.method, self.kind, request.values)
        return random_start(request.title, request.arch or DEFAULT_ARCH, self.settings, request.seed, mean, sd)

    def build(self, start: Start) -> Method:
        """The method around the encoder of `start`, everything else drawn from the seed."""
        with private_randomness(self.request.seed):
            return self.kind(start.encoder, self.settings.method, self.shape).train()

    def identity(self, method: Method) -> dict[str, Any]:
        """Dotted key -> value, JSON-ready, of what decides the weights and is known before an image is read."""
        request, meta = self.request, method.encoder.meta
        return {
            "method": request.method,
            "method_code": included_code(method) or "",
            "arch": meta.arch,
            "seed": request.seed,
            "init": meta.sha256 if request.init else "",
            "processes": self.processes,
            **self.settings.lasting,
        }

    def views(self) -> Views:
        """What is made of each image."""
        return Views(self.settings.views.preset, self.settings.image_size)


def make_plan(request: Request) -> Plan:
    """Check all that can be checked before an image is read.

    Raises:
        UserError: an unknown method or architecture, settings out of range or that do not fit each other, an encoder
            that the method cannot take, or an output folder that is taken or holds another pretraining.
    """
    source = methods.get(request.method)
    first = is_first_process()
    state = refuse_taken(request.out, request.resume) if first else state_for_others(request.out)
    kind = source.load()
    settings = pretraining_settings(request.method, source.card, kind, request.values, request.where)
    processes = process_count(settings.training.devices)
    plan = Plan(request, source.card, kind, settings, state, processes)
    if settings.training.batch_size % processes:
        raise UserError(
            f"training.batch_size = {settings.training.batch_size} cannot be shared equally by {processes} processes; "
            f"set a multiple of {processes}"
        )
    resolve_device(settings.training.device)
    _refuse_views(plan)
    Watch(settings.watch)
    start = plan.start()
    _refuse_encoder(request.method, source.card, start)
    method = plan.build(start)
    if first and state is not FolderState.new:
        refuse_other(request.out, plan.identity(method))
    return plan


def _refuse_views(plan: Plan) -> None:
    views = plan.views()
    missing = [name for name in plan.kind.views if name not in views.names]
    if missing:
        raise UserError(
            f"method {plan.request.method} needs the view {missing[0]!r}, which views.preset = {views.preset} does not "
            f"make; leave out --set views.preset, or set views.preset={plan.card.views}"
        )


def _refuse_encoder(name: str, card: MethodCard, start: Start) -> None:
    encoder = start.encoder
    # Hours later it could not be kept.
    refuse_unwritable(encoder.meta)
    lacking = {
        "stages": not encoder.has_stages and "feature maps at strides 2 to 32",
        "blocks": encoder.blocks is None and "parts that can be run one after another",
        "": False,
    }[card.needs]
    if lacking:
        raise UserError(f"method {name} needs {lacking}, which {encoder.meta.arch} has not; --arch resnet50 has them")
