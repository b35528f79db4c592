"""What a figure shows, in words."""

from __future__ import annotations

from ..rendering.protocols import protocol_in_words


def trials_in_words(title: str, variant: str, protocol: str, fraction: float | None = None) -> str:
    """`CheXpert: findings; frozen encoder; 10 % of the training patients`."""
    parts = [title, *([] if variant == "default" else [variant]), protocol_in_words(protocol)]
    if fraction is not None:
        parts.append(f"{fraction:g} % of the training patients")
    return "; ".join(parts)
