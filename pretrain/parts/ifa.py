"""Intermediate feature approximation (IFA): two views' maps inside the network point the same way at every position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, Field
from torch import Tensor

from ...foundation.errors import UserError
from ...foundation.settings import Settings

BLOCKS = (1, 2, 3, 4)

# Shorter vectors have no direction: their cosine is 0 and they get no gradient, rather than one of 1 / length.
_SHORTEST = 1e-6


class IfaTerm(Settings):
    """One block of the network that the loss is taken after.

    Attributes:
        block: residual block, 1 to 4, of which the map is compared.
        target: cosine that is asked for; 1 is the same direction.
        weight: what the term is multiplied by.
    """

    block: int = Field(ge=BLOCKS[0], le=BLOCKS[-1])
    target: float = Field(default=1.0, ge=-1, le=1)
    weight: float = Field(default=1.0, gt=0)


# By name: the terms of released code.
PRESETS = {"ifa_released": (IfaTerm(block=1, target=0.3), IfaTerm(block=4))}


def ifa_loss(query: Tensor, positive: Tensor, target: float = 1.0) -> Tensor:
    """How far two maps' cosine is from `target`: for 1, identical maps give 0, orthogonal ones 1, opposite ones 2.

        IFA = mean over images and positions of |target - cos(Q, P)|, the cosine taken over channels

    (Cho 2024, doi:10.1007/s10278-024-01032-x.) `positive` is a constant: no gradient reaches it. A position where
    either map is zero has cosine 0 and gets no gradient.

    Args:
        query: map Q, [B, C, H, W].
        positive: map P of the other view, of the same shape.
        target: cosine that is asked for.

    Returns:
        A scalar, float32 (float64 for maps in float64).

    Raises:
        ValueError: shapes that differ, or that are not [B, C, H, W].
    """
    if query.ndim != 4 or query.shape != positive.shape:
        raise ValueError(f"IFA compares two maps [B, C, H, W], not {list(query.shape)} and {list(positive.shape)}")
    query, positive = _at_least_float32(query), _at_least_float32(positive.detach())
    lengths = _inverse_length(query) * _inverse_length(positive)
    return (target - (query * positive).sum(1) * lengths).abs().mean()


def ifa_terms(text: str) -> tuple[IfaTerm, ...]:
    """Terms in words: `3`, `1,3`, `1:0.3:1,4:1:1` (block:target:weight), or a preset such as `ifa_released`.

    Raises:
        UserError: no number, a block outside 1 to 4, a target outside -1 to 1, a weight of 0 or less, a block twice.
    """
    text = text.strip()
    if text in PRESETS:
        return PRESETS[text]
    return _each_once(tuple(_term(part.strip()) for part in text.split(",")) if text else ())


def _any_form(given: Any) -> tuple[IfaTerm, ...]:
    """Terms from text, a number, a list of either, or tables."""
    if isinstance(given, str):
        return ifa_terms(given)
    parts = [given] if isinstance(given, int | IfaTerm) or not isinstance(given, Sequence) else given
    return _each_once(tuple(term for part in parts for term in _terms_of(part)))


# What an encoder must have for the loss: see `requirements.require_stages`.
NEEDS_STAGES = "IFA needs feature maps after blocks 1 to 4"
# A setting that holds terms: takes the text form too, and the number of a block.
IfaTerms = Annotated[tuple[IfaTerm, ...], BeforeValidator(_any_form)]


def ifa_blocks(terms: Sequence[IfaTerm]) -> list[int]:
    """The blocks that `terms` need, in their order."""
    return [term.block for term in terms]


def weighted_ifa(
    terms: Sequence[IfaTerm], query: Mapping[int, Tensor], positive: Mapping[int, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of weight * `ifa_loss` over `terms`, and every term unweighted, detached, as `ifa_BLOCK`.

    Args:
        terms: which blocks, targets and weights; one at least.
        query, positive: block -> map.
    """
    each = {
        f"ifa_{term.block}": (term.weight, ifa_loss(query[term.block], positive[term.block], term.target))
        for term in terms
    }
    total = torch.stack([weight * value for weight, value in each.values()]).sum()
    return total, {name: value.detach() for name, (_, value) in each.items()}


def _terms_of(part: Any) -> tuple[IfaTerm, ...]:
    if isinstance(part, IfaTerm):
        return (part,)
    if isinstance(part, str):
        return ifa_terms(part)
    if isinstance(part, Mapping):
        known = {"target": 1.0, "weight": 1.0, **part}
        if set(known) != {"block", "target", "weight"}:
            raise UserError(f"ifa: a term has block, target and weight, not {', '.join(map(str, part))}")
        return (_term(":".join(str(known[key]) for key in ("block", "target", "weight"))),)
    if isinstance(part, Sequence):
        return (_term(":".join(map(str, part))),)
    return (_term(str(part)),)


def _term(text: str) -> IfaTerm:
    block, *rest = text.split(":")
    try:
        numbers = [float(part) for part in rest]
        place = int(block)
    except ValueError:
        raise UserError(_advice(text)) from None
    if place not in BLOCKS:
        raise UserError(f"ifa {text}: there is no block {place}; blocks are 1 to 4, and the published choice is 3")
    target, weight = [*numbers, 1.0, 1.0][:2] if len(numbers) < 2 else numbers[:2]
    if len(numbers) > 2 or not -1 <= target <= 1 or not 0 < weight < float("inf"):
        raise UserError(_advice(text))
    return IfaTerm(block=place, target=target, weight=weight)


def _advice(text: str) -> str:
    return (
        f"ifa {text!r} is not understood: write blocks (3 or 1,3), BLOCK:TARGET:WEIGHT with a target from -1 to 1 and "
        f"a weight above 0 (1:0.3:1,4:1:1), or {', '.join(PRESETS)}"
    )


def _each_once(terms: tuple[IfaTerm, ...]) -> tuple[IfaTerm, ...]:
    blocks = [term.block for term in terms]
    twice = next((block for block in blocks if blocks.count(block) > 1), None)
    if twice is not None:
        raise UserError(f"ifa: block {twice} is given twice; give every block once")
    return terms


def _at_least_float32(maps: Tensor) -> Tensor:
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def _inverse_length(maps: Tensor) -> Tensor:
    """1 / |x| over channels, [B, H, W]; 0 where there is no direction."""
    squares = (maps * maps).sum(1)
    there = squares > _SHORTEST**2
    return there * squares.clamp_min(_SHORTEST**2).rsqrt()
