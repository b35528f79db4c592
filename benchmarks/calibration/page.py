"""The page and the table of numbers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from . import known_failures as failures
from .clustered_experiments import APART
from .measured import Measured

_COLUMNS = (
    *("family", "test", "setting", "kind", "experiments", "hits"),
    *("rate", "ci_low", "ci_high", "expected", "expected_by", "verdict"),
)
SIZES = ("small", "medium", "tied", "imbalanced")
_TEXT = Path(__file__).with_name("page.md")
_MARKS = {"liberal": " ▲", "too narrow": " ▲", "conservative": " ▽", "too wide": " ▽"}


def write_numbers(measured: Sequence[Measured], path: Path) -> None:
    """One row a rate."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in measured:
            rates = [f"{value:.4f}" for value in (one.rate, *one.interval, one.expected)]
            row = (one.family, one.test, one.setting, one.kind, one.experiments, one.hits, *rates, one.by, one.verdict)
            writer.writerow(row)


def write_page(measured: Sequence[Measured], path: Path, command: str) -> None:
    """The page in Markdown; its picture and numbers lie beside it under the same name."""
    alarms = [one for one in measured if one.kind == "false alarms" and one.setting.split(":")[0] in SIZES]
    intervals = [one for one in measured if one.kind == "coverage"]
    power = [one for one in measured if one.kind == "power" and one.family != failures.MARGINS]
    words = _TEXT.read_text(encoding="utf-8").format(
        experiments=f"{measured[0].experiments:,}",
        command=command,
        picture=path.with_suffix(".png").name,
        numbers=path.with_suffix(".csv").name,
        alarms=_by_size(alarms),
        intervals=_by_size(intervals),
        power=_power_table(power),
        several_images=_by_setting(measured, failures.SEVERAL_IMAGES),
        draws=_by_setting(measured, failures.DRAWS),
        new_test_set=_by_setting(measured, failures.NEW_TEST_SET),
        margins=_by_setting(measured, failures.MARGINS),
        skewed=_by_setting(measured, failures.SKEWED),
        few_discordant=_by_setting(measured, failures.FEW_DISCORDANT),
        apart=_by_setting(measured, APART),
        settings=_settings(alarms),
    )
    path.write_text(words, encoding="utf-8")


def _by_size(measured: Sequence[Measured]) -> str:
    rows = [["test" if measured[0].kind != "coverage" else "interval", *SIZES]]
    for test in dict.fromkeys(one.test for one in measured):
        mine = {one.setting.split(":")[0]: one for one in measured if one.test == test}
        rows.append([test, *(_cell(mine[size]) if size in mine else "" for size in SIZES)])
    return _table(rows)


def _by_setting(measured: Sequence[Measured], family: str) -> str:
    mine = [one for one in measured if one.family == family]
    settings = list(dict.fromkeys(one.setting for one in mine))
    rows = [["", *settings]]
    for test in dict.fromkeys(one.test for one in mine):
        found = {one.setting: one for one in mine if one.test == test}
        rows.append([test, *(_cell(found[setting], marked=False) if setting in found else "" for setting in settings)])
    return _table(rows)


def _power_table(measured: Sequence[Measured]) -> str:
    rows = [["test", "setting", "found, %", "theory, %", "by"]]
    for one in measured:
        rows.append([one.test, one.setting, _cell(one, marked=False), f"{100 * one.expected:.1f}", one.by])
    return _table(rows)


def _settings(measured: Sequence[Measured]) -> str:
    """Which tests were tried on what, one line a group of tests with the same settings."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for test in dict.fromkeys(one.test for one in measured):
        groups.setdefault(tuple(one.setting for one in measured if one.test == test), []).append(test)
    return "\n".join(f"- {'; '.join(tests)}: {' · '.join(settings)}" for settings, tests in groups.items())


def _cell(one: Measured, marked: bool = True) -> str:
    low, high = one.interval
    mark = _MARKS.get(one.verdict, "") if marked else ""
    return f"{100 * one.rate:.1f} ({100 * low:.1f} to {100 * high:.1f}){mark}"


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])
