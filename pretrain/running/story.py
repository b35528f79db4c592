"""How a pretrained encoder came about, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...foundation.errors import UserError
from .output import Story, read_image_names

if TYPE_CHECKING:
    from .pretraining import Prepared

_NOT_STATED = "not stated"


def story(
    prepared: Prepared, contamination: Sequence[str], audit: Sequence[str], provenance: Mapping[str, Any]
) -> Story:
    """What the description of the finished encoder says; what it was started from is part of it."""
    plan, start = prepared.plan, prepared.start
    request, before = plan.request, start.encoder.meta
    seen = dict.fromkeys([*contamination, *(before.contamination if request.init else ())])
    licence = request.licence or (before.licence if request.init else _NOT_STATED)
    return Story(
        title=f"{request.title}: {_method_in_words(prepared)}",
        trained_on=_trained_on(prepared),
        licence=licence,
        source=plan.card.source,
        contamination=tuple(seen),
        pretraining=_table(prepared, audit, provenance),
        images=[*prepared.images.names(), *prepared.images.others_names(), *_images_before(prepared)],
    )


def _table(prepared: Prepared, audit: Sequence[str], provenance: Mapping[str, Any]) -> dict[str, Any]:
    plan, images = prepared.plan, prepared.images
    table: dict[str, Any] = {
        "method": plan.request.method,
        "epochs": plan.settings.training.epochs,
        "steps": prepared.steps,
        "seed": plan.request.seed,
        "images": len(images),
        "images_sha256": images.sha256,
        "datasets": images.datasets,
        "synthetic": images.synthetic,
        "unreadable": len(images.left_out),
        "start": prepared.start.words,
        "audit": list(audit),
        "settings": plan.settings.model_dump(mode="json"),
        "provenance": dict(provenance),
    }
    if plan.request.init:
        table |= {"init": plan.request.init, "init_sha256": prepared.start.encoder.meta.sha256}
        table |= {"taken": list(prepared.taken), "drawn": list(prepared.drawn)}
    return table


def _method_in_words(prepared: Prepared) -> str:
    terms = getattr(prepared.plan.settings.method, "ifa", ())
    blocks = ", ".join(str(term.block) for term in terms)
    return f"{prepared.plan.request.method}{f' with IFA after block {blocks}' if blocks else ''}"


def _trained_on(prepared: Prepared) -> str:
    plan, images = prepared.plan, prepared.images
    counts = ", ".join(f"{count:,} images of {name}" for name, count in images.datasets.items())
    epochs = plan.settings.training.epochs
    words = f"{counts}, by {_method_in_words(prepared)} for {epochs} epoch{'' if epochs == 1 else 's'}"
    if plan.request.init:
        before = prepared.start.encoder.meta
        words += f"; before that, as {before.name}: {before.trained_on}"
    return words


def _images_before(prepared: Prepared) -> list[str]:
    """The images that the encoder it was started from had seen, where a list of ours names them."""
    path = prepared.start.encoder.meta.pretraining_images
    if not prepared.plan.request.init or path is None:
        return []
    try:
        return read_image_names(Path(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
