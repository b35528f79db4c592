"""Many penalised logistic regressions on the same features, minimised side by side.

Each problem is convex and smooth: L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4)
with an initial Hessian that is diagonal because the features are rotated into the eigenbasis of their Gram
matrix, where the bound of Boehning (Ann. Inst. Stat. Math. 44:197, 1992) is diagonal. Only arrays of the
whole batch are touched: a step costs two matrix products for all problems together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MEMORY = 12
_LINE_STEPS = 12
_SLOPE_LEFT = 0.2


@dataclass(frozen=True)
class Problems:
    """P problems of C outputs each over the same n rows of R coordinates.

    Attributes:
        rows: coordinates [n, R], columns (nearly) orthogonal.
        spectrum: mean square of every column [R].
        penalties: lambda of every problem and coordinate [P, R]; 0 where a coordinate is not penalised.
        truth: wanted outputs [K, C, n] in [0, 1].
        weights: weight of every row [K, n], sum 1.
        case: which of the K truths and weights a problem uses [P].
        softmax: True where the C outputs share one softmax, False where each is a sigmoid.
    """

    rows: np.ndarray
    spectrum: np.ndarray
    penalties: np.ndarray
    truth: np.ndarray
    weights: np.ndarray
    case: np.ndarray
    softmax: bool

    def only(self, keep: np.ndarray) -> Problems:
        """The problems for which `keep` [P] is true."""
        return Problems(
            self.rows,
            self.spectrum,
            self.penalties[keep],
            self.truth,
            self.weights,
            self.case[keep],
            self.softmax,
        )


def minimise(
    problems: Problems, start: np.ndarray, tolerance: float, max_iterations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solutions [P, C, R] of `problems`, begun at `start` [P, C, R].

    Returns the solutions, what is left to do [P] and the number of iterations [P]. Left to do is the larger
    of two numbers: the norm of the gradient relative to that at the start, and the root mean square by which
    one more (diagonal) Newton step would move the logits. The second matters at weak penalties, where a
    small gradient still hides a long way. A problem leaves the batch when it is at most `tolerance`.
    """
    found = start.copy()
    left = np.zeros(len(start))
    iterations = np.zeros(len(start), dtype=np.int64)
    active = np.arange(len(start))
    state = _State.begin(problems, start)
    reference = _norm(state.gradient)
    for iteration in range(max_iterations + 1):
        now = np.maximum(_norm(state.gradient) / np.where(reference > 0, reference, 1.0), state.unsettled())
        found[active], left[active], iterations[active] = state.point, now, iteration
        going = now > tolerance
        if not going.any() or iteration == max_iterations:
            break
        # Copying the batch costs about one step, so problems go in groups.
        if going.mean() < 0.85:
            active, reference = active[going], reference[going]
            state = state.only(going)
        state.step()
    return found, left, iterations


class _State:
    """Where the active problems stand: point, outputs, gradient and what L-BFGS remembers."""

    def __init__(self, problems: Problems, point: np.ndarray, logits: np.ndarray):
        self.problems = problems
        self.point = point
        self.logits = logits
        self.truth = problems.truth[problems.case]
        self.weights = problems.weights[problems.case][:, None, :]
        self.probability = _probability(logits, problems.softmax)
        self.gradient = self._gradient()
        self.history: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    @classmethod
    def begin(cls, problems: Problems, point: np.ndarray) -> _State:
        return cls(problems, point.copy(), _times(point, problems.rows.T))

    def only(self, keep: np.ndarray) -> _State:
        small = object.__new__(_State)
        small.problems = self.problems.only(keep)
        for name in ("point", "logits", "truth", "weights", "probability", "gradient"):
            setattr(small, name, getattr(self, name)[keep])
        small.history = [(step[keep], change[keep], scale[keep]) for step, change, scale in self.history]
        return small

    def step(self) -> None:
        """One step of every problem."""
        direction = self._direction()
        slope = _dot(self.gradient, direction)
        ahead = _times(direction, self.problems.rows.T)
        length = self._line_search(direction, ahead, slope)[:, None, None]
        before = self.gradient
        step = length * direction
        self.point = self.point + step
        self.logits += length * ahead
        self.gradient = self._gradient()
        change = self.gradient - before
        curvature = _dot(step, change)
        # A pair without curvature (a step lost in rounding) is remembered as nothing.
        scale = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=curvature > 0)
        self.history = [*self.history[-_MEMORY + 1 :], (step, change, scale)]

    def unsettled(self) -> np.ndarray:
        """Root mean square [P], over rows and outputs, of what a diagonal Newton step would add to the logits."""
        ahead = self.gradient / self._diagonal()
        return np.sqrt(np.einsum("pcr,pcr,r->p", ahead, ahead, self.problems.spectrum) / ahead.shape[1])

    def _diagonal(self) -> np.ndarray:
        """Diagonal [P, C, R] of the Hessian, were its rows weighted alike within an output."""
        variance = self.weights * self.probability * (1 - self.probability)
        curvature = np.maximum(variance.sum(axis=-1), 1e-10)
        return curvature[:, :, None] * self.problems.spectrum + self.problems.penalties[:, None, :]

    def _gradient(self) -> np.ndarray:
        residual = (self.probability - self.truth) * self.weights
        return _times(residual, self.problems.rows) + self.problems.penalties[:, None, :] * self.point

    def _direction(self) -> np.ndarray:
        """Minus the inverse Hessian times the gradient, as far as L-BFGS knows it (two-loop recursion)."""
        diagonal = self._diagonal()
        direction = -self.gradient
        factors = []
        for step, change, scale in reversed(self.history):
            factor = scale * _dot(step, direction)
            direction -= factor[:, None, None] * change
            factors.append(factor)
        direction /= diagonal
        for (step, change, scale), factor in zip(self.history, reversed(factors), strict=True):
            direction += (factor - scale * _dot(change, direction))[:, None, None] * step
        uphill = _dot(direction, self.gradient) >= 0
        direction[uphill] = -self.gradient[uphill] / diagonal[uphill]
        return direction

    def _line_search(self, direction: np.ndarray, ahead: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Lengths [P] at which the slope has fallen to a fifth: Newton's steps kept inside a bracket.

        Only slopes are compared, never values, so that it still works where values agree to the last digit.
        """
        penalties = self.problems.penalties
        first = (penalties * (self.point * direction).sum(axis=1)).sum(axis=-1)
        second = (penalties * (direction * direction).sum(axis=1)).sum(axis=-1)
        weighted = self.weights * ahead
        wanted = (self.truth * weighted).sum(axis=(1, 2))
        low, high = np.zeros(len(slope)), np.full(len(slope), np.inf)
        length = np.ones(len(slope))
        open_ = np.ones(len(slope), dtype=bool)
        for _ in range(_LINE_STEPS):
            self.probability = _probability(self.logits + length[:, None, None] * ahead, self.problems.softmax)
            moved = self.probability * weighted
            here = moved.sum(axis=(1, 2)) - wanted + first + length * second
            open_ = np.abs(here) > _SLOPE_LEFT * np.abs(slope)
            if not open_.any():
                return length
            low = np.where(here < 0, np.maximum(low, length), low)
            high = np.where(here > 0, np.minimum(high, length), high)
            bend = _bend(self.probability, moved, ahead, self.problems.softmax) + second
            newton = length - here / np.maximum(bend, 1e-300)
            newton = np.minimum(newton, 4 * length)
            middle = np.where(np.isinf(high), 2 * length, (low + np.minimum(high, 1e300)) / 2)
            inside = (newton > low) & (newton < high)
            length = np.where(open_, np.where(inside, newton, middle), length)
        # Bracketed from below, the slope is still downhill: such a step can only lower the value.
        length = np.where(open_, low, length)
        self.probability = _probability(self.logits + length[:, None, None] * ahead, self.problems.softmax)
        return length


def _probability(logits: np.ndarray, softmax: bool) -> np.ndarray:
    """Outputs [P, C, n] of logits [P, C, n]."""
    if softmax:
        grown = np.exp(logits - logits.max(axis=1, keepdims=True))
        grown /= grown.sum(axis=1, keepdims=True)
        return grown
    # exp overflows to inf at logits below -709, where the quotient is rightly 0.
    with np.errstate(over="ignore"):
        grown = np.exp(-logits)
    grown += 1.0
    return np.divide(1.0, grown, out=grown)


def _bend(probability: np.ndarray, moved: np.ndarray, ahead: np.ndarray, softmax: bool) -> np.ndarray:
    """Second derivative [P] of the mean loss along `ahead`; `moved` is probability times weighted ahead."""
    if not softmax:
        return (moved * (1 - probability) * ahead).sum(axis=(1, 2))
    mean = (probability * ahead).sum(axis=1, keepdims=True)
    return (moved * (ahead - mean)).sum(axis=(1, 2))


def _times(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """values [P, C, a] times matrix [a, b] as one product."""
    problems, outputs, size = values.shape
    return (values.reshape(problems * outputs, size) @ matrix).reshape(problems, outputs, -1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Inner products [P] of a and b [P, C, R]."""
    return np.einsum("pcr,pcr->p", a, b)


def _norm(values: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(values, values))
