"""The picture of all rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from . import known_failures as failures
from .measured import Measured

SIZES = {"small": "#0072b2", "medium": "#111111", "tied": "#e69f00", "imbalanced": "#cc3d6f"}
WRONG, RIGHT, THIRD = "#cc3d6f", "#0072b2", "#8a8a8a"
_STYLE = {
    "font.size": 8.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "xtick.color": "#444444",
    "ytick.color": "#222222",
    "legend.frameon": False,
}


def draw(measured: Sequence[Measured], path: Path) -> None:
    """Write the picture: false alarms, coverage, power beside theory, and the known failures."""
    settings: Any = _STYLE
    with plt.rc_context():
        plt.rcParams.update(settings)
        figure = plt.figure(figsize=(13, 13.5), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=[9.3, 4.2])
        top, bottom = parts
        left, right = top.subplots(1, 2)
        experiments = measured[0].experiments
        _dots(left, [one for one in measured if one.kind == "false alarms" and one.setting.split(":")[0] in SIZES], 5)
        left.set_title(f"Rejections at 5 % where nothing differs, {experiments:,} experiments each, a fifth for mAP")
        _dots(right, [one for one in measured if one.kind == "coverage"], 95)
        right.set_title("95 % intervals that hold the truth")
        handles, names = right.get_legend_handles_labels()
        shown = dict(zip(names, handles, strict=True))
        right.legend([shown[name] for name in SIZES], list(SIZES), loc=(0.01, 0.16), title="setting")
        panels = bottom.subplots(1, 4, width_ratios=[1, 1, 1.15, 1])
        _lines(panels[0], _family(measured, failures.SEVERAL_IMAGES), "images of each of 300 patients", "DeLong")
        panels[0].set_title("Several images a patient")
        _lines(panels[1], _family(measured, failures.DRAWS), "share of the pool in each of 10 draws", "")
        panels[1].set_title("Draws of one pool")
        _margins(panels[2], _family(measured, failures.MARGINS))
        _power(panels[3], [one for one in measured if one.kind == "power"])
        figure.savefig(path, dpi=130, metadata={"Software": None})
        plt.close(figure)


def _family(measured: Sequence[Measured], family: str) -> list[Measured]:
    return [one for one in measured if one.family == family]


def _dots(axes: Axes, measured: Sequence[Measured], wanted: float) -> None:
    """A row a test, a dot with its interval a setting, in per cent."""
    tests = list(dict.fromkeys(one.test for one in measured))
    axes.axvspan(wanted - 1, wanted + 1, color="#e8eef4", lw=0, zorder=0)
    axes.axvline(wanted, color="#8aa0b5", lw=1, zorder=1)
    offsets = dict(zip(SIZES, (-0.27, -0.09, 0.09, 0.27), strict=True))
    for one in measured:
        size = one.setting.split(":")[0]
        low, high = one.interval
        y = tests.index(one.test) + offsets[size]
        axes.plot([100 * low, 100 * high], [y, y], color=SIZES[size], lw=1, alpha=0.6, zorder=2)
        axes.plot(100 * one.rate, y, "o", color=SIZES[size], ms=3.6, zorder=3, label=size)
    for row in range(1, len(tests)):
        axes.axhline(row - 0.5, color="#eeeeee", lw=0.6, zorder=0)
    axes.set_yticks(range(len(tests)), tests)
    axes.set_ylim(len(tests) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("% of experiments (bar: 95 % interval; band: 1 % either way)")


def _lines(axes: Axes, measured: Sequence[Measured], label: str, only: str) -> None:
    """Rejections against the setting, a line a test."""
    tests = [test for test in dict.fromkeys(one.test for one in measured) if test.startswith(only)]
    colours = dict(zip(tests, (WRONG, RIGHT) if len(tests) == 2 else (WRONG, THIRD, RIGHT), strict=True))
    for test in tests:
        mine = [one for one in measured if one.test == test]
        rates = [100 * one.rate for one in mine]
        axes.plot(range(len(mine)), rates, "o-", color=colours[test], lw=1.8, ms=4)
        axes.fill_between(
            range(len(mine)),
            [100 * one.interval[0] for one in mine],
            [100 * one.interval[1] for one in mine],
            color=colours[test],
            alpha=0.15,
            lw=0,
        )
        above = -12 if test == "pool t" else 6
        axes.annotate(
            test, (len(mine) - 1, rates[-1]), (-4, above), textcoords="offset points", ha="right", color=colours[test]
        )
    names = [one.setting.removeprefix("300 patients x ").removesuffix(" of the pool") for one in measured]
    axes.set_xticks(range(len(set(names))), list(dict.fromkeys(names)))
    axes.axhline(5, color="#8aa0b5", lw=1, zorder=0)
    axes.set_xlim(-0.2, len(set(names)) - 0.8)
    axes.set_ylim(0, None)
    axes.set_xlabel(label)
    axes.set_ylabel("true nulls rejected, %")


def _margins(axes: Axes, measured: Sequence[Measured]) -> None:
    settings = list(dict.fromkeys(one.setting for one in measured))
    for one in measured:
        is_margins = one.test == "Stuart-Maxwell"
        x = settings.index(one.setting) + (-0.19 if is_margins else 0.19)
        axes.bar(x, 100 * one.rate, 0.34, color=WRONG if is_margins else RIGHT, label=one.test)
        axes.annotate(f"{100 * one.rate:.0f} %", (x, 100 * one.rate), (0, 2), textcoords="offset points", ha="center")
    axes.set_xticks(
        range(2),
        [
            "accuracies 0.79, 0.54\nclasses named\nequally often",
            "accuracies 0.70, 0.70\nerrors towards\ndifferent classes",
        ],
    )
    axes.set_ylim(0, 122)
    axes.set_yticks(range(0, 101, 20))
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[:2], names[:2], loc="upper center", ncols=2)
    axes.set_ylabel("rejected, %")
    axes.set_title("Stuart-Maxwell is not accuracy")


def _power(axes: Axes, measured: Sequence[Measured]) -> None:
    axes.plot([0, 100], [0, 100], color="#8aa0b5", lw=1)
    for one in measured:
        colour = RIGHT if one.verdict == "as stated" else WRONG
        axes.plot(100 * one.expected, 100 * one.rate, "o", color=colour, ms=4, alpha=0.8)
        if one.verdict != "as stated":
            words = f"{one.test}, {one.setting.split(':')[0]}"
            axes.annotate(
                words, (100 * one.expected, 100 * one.rate), (6, -3), textcoords="offset points", fontsize=7.5
            )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    axes.set_xlabel("power by theory, %")
    axes.set_ylabel("power found, %")
    axes.set_title("Power")
