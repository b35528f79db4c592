"""Side-by-side timing: two ways in turn, several rounds, ratios of medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of every way in every round. The ways take turns, so that a machine that slows down slows all alike."""
    for _ in range(warm_up):
        for work in ways.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            found[name].append(seconds(work))
    return found


def report(title: str, found: Mapping[str, list[float]], per: float = 1.0, unit: str = "s") -> dict[str, float]:
    """Print median, least and most of every way (divided by `per`), and give the medians in seconds."""
    print(f"\n{title}")
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, values in found.items():
        shown = [value / per for value in (medians[name], min(values), max(values))]
        print(f"  {name:42} {shown[0]:10.4g} {unit}   ({shown[1]:.4g} to {shown[2]:.4g}, {len(values)} rounds)")
    return medians


def verdict(words: str, value: float, target: float, at_least: bool) -> None:
    """One line: the ratio, the target, and whether it is met."""
    met = value >= target if at_least else value <= target
    sign = "at least" if at_least else "at most"
    print(f"  {words}: {value:.3g}, target {sign} {target:g}: {'met' if met else 'MISSED'}")
