"""Are two small pictures one, but for a slight crop: they are laid over each other, and what is fine is compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A step and a whole shift at the edge are at most so many parts of the side.
_LONGEST_STEP = 1 / 32
_LONGEST = 3 / 32
_DAMPING = 1e-3
_LEAST_GAIN = 0.2


@dataclass(frozen=True)
class Band:
    """Which details are compared: what is left between two blurs, and over which width their strength is evened out.

    All are standard deviations in pixels.
    """

    fine: float
    coarse: float
    local: float


def details(thumbnails: np.ndarray, band: Band) -> np.ndarray:
    """Details of equal strength everywhere: band-passed, and divided by their local standard deviation.

    Args:
        thumbnails: uint8 [B, S, S] of `pixels.thumbnail`.
        band: the widths.

    Returns:
        float32 [B, S, S]
    """
    values = thumbnails.astype(np.float32) / 255
    passed = _blur(values, band.fine) - _blur(values, band.coarse)
    spread = np.sqrt(np.maximum(_blur(passed * passed, band.local), 0))
    # The constant keeps noise in flat borders small.
    return passed / (spread + 0.02)


def lay_over(
    one: np.ndarray, other: np.ndarray, rounds: int, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale `other`, both ways by themselves, onto `one`; their correlation where they overlap.

    Gauss-Newton steps on the six numbers (shift and scale down, shift and scale across, gain, offset), all pairs at
    once. A crop of a few per cent is such a shift and scale once both images are squares.

    Args:
        one, other: float32 [B, S, S] of `details`.
        rounds: steps.
        start: [B, 4] to begin from, as returned; None for no shift.

    Returns:
        The largest correlation met on the way, float32 [B], and where [B, 4], in parts of the side.
    """
    count, side, _ = one.shape
    reach = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 2)
    moves = np.zeros((count, 4), np.float32) if start is None else start * side
    own_slopes = _slopes(one)
    best, where = np.full(count, -1.0, np.float32), moves.copy()
    for last in [False] * rounds + [True]:
        down, seen_down = _resampling(moves[:, 0], moves[:, 1], reach, side)
        across, seen_across = _resampling(moves[:, 2], moves[:, 3], reach, side)
        seen = (seen_down[:, :, None] & seen_across[:, None, :]).astype(np.float32)
        moved = down @ other @ across.transpose(0, 2, 1)
        likeness = _correlation(one, moved, seen)
        better = likeness > best
        best, where[better] = np.where(better, likeness, best), moves[better]
        if not last:
            # The mean of both slopes converges in half the rounds (efficient second-order minimisation).
            both = [(slope + own) / 2 for slope, own in zip(_slopes(moved), own_slopes, strict=True)]
            step = _step(one, moved, seen, both, reach)
            step = np.clip(step, -_LONGEST_STEP * side, _LONGEST_STEP * side)
            moves = np.clip(moves + step, -_LONGEST * side, _LONGEST * side)
    return best, where / side


def _slopes(images: np.ndarray) -> list[np.ndarray]:
    """Central differences down and across, [B, S, S]; 0 at the borders, which count little."""
    down, across = np.zeros_like(images), np.zeros_like(images)
    np.subtract(images[:, 2:], images[:, :-2], out=down[:, 1:-1])
    np.subtract(images[:, :, 2:], images[:, :, :-2], out=across[:, :, 1:-1])
    return [down / 2, across / 2]


def _step(
    one: np.ndarray, moved: np.ndarray, seen: np.ndarray, slopes: list[np.ndarray], reach: np.ndarray
) -> np.ndarray:
    """The least-squares change of the four moves [B, 4]."""
    down, across = (slope * seen for slope in slopes)
    columns = [down, down * reach[:, None], across, across * reach, moved * seen, seen]
    design = np.stack(columns, axis=1).reshape(len(one), len(columns), -1)
    normal = design @ design.transpose(0, 2, 1)
    right = design @ (one * seen).reshape(len(one), -1, 1)
    scale = np.trace(normal, axis1=1, axis2=2) / len(columns) + 1e-6
    normal += (_DAMPING * scale)[:, None, None] * np.eye(len(columns), dtype=np.float32)
    solved = np.linalg.solve(normal, right)[:, :, 0]
    return (solved[:, :4] / np.maximum(solved[:, 4:5], _LEAST_GAIN)).astype(np.float32)


def _correlation(one: np.ndarray, other: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pearson's correlation over the pixels that are seen, [B]; 0 where nothing varies."""
    total = np.maximum(seen.sum(axis=(1, 2)), 1)

    def centred(values: np.ndarray) -> np.ndarray:
        mean = (values * seen).sum(axis=(1, 2)) / total
        return (values - mean[:, None, None]) * seen

    first, second = centred(one), centred(other)
    product = np.einsum("bij,bij->b", first, second)
    power = np.einsum("bij,bij->b", first, first) * np.einsum("bij,bij->b", second, second)
    return product / np.sqrt(np.maximum(power, 1e-12))


def _resampling(shift: np.ndarray, scale: np.ndarray, reach: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrices [B, S, S] that interpolate linearly along one axis, and which results lie inside [B, S]."""
    place = np.arange(side, dtype=np.float32) + shift[:, None] + scale[:, None] * reach
    inside = (place >= -0.5) & (place <= side - 0.5)
    place = np.clip(place, 0, side - 1)
    # A hat of width one around each place is linear interpolation.
    distance = np.abs(place[:, :, None] - np.arange(side, dtype=np.float32))
    return np.maximum(1 - distance, 0), inside


def _blur(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian blur, mirrored at the borders, as two products with one matrix."""
    side = values.shape[-1]
    radius = int(4 * width + 1)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * width**2)).astype(np.float32)
    period = 2 * side - 2
    source = np.abs((np.arange(side)[:, None] + offsets + side - 1) % period - (side - 1))
    matrix = np.zeros((side, side), np.float32)
    np.add.at(matrix, (np.arange(side)[:, None], source), weights / weights.sum())
    return matrix @ values @ matrix.T
