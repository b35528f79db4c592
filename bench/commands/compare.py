"""`cxrbench compare`: two encoders, paired and tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .choice import choice_option
from .options import HOW_TO_WRITE, IncludeOption, OutOption, ProtocolOption, StoreOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ...results.comparison import EncoderComparison
    from ...results.record import Record
    from ...tasks.trial import PairedTest


# Narrower terminals get the table without effect sizes and counts.
WIDE = 150
EXTRAS = ("effect", "wins A:B", "alone A:B")

EXPLAINED = {
    "image t": "paired t: of the values of each image, clustered by patient where patients have several",
    "pool t": "pool t: t-test over replicates that allows for draws that overlap in one training pool",
    "paired t": "paired t, the papers' test: takes draws for independent, so in brackets it is right for this training "
    "pool and test set only",
    "DeLong": "DeLong: over test images, clustered by patient where patients have several",
    "McNemar": "McNemar: who is right more often, over test images, clustered by patient where patients have several",
    "Wilcoxon": "(Wilcoxon): signed ranks of the images' differences, those of a patient together, beside the t-test",
    "permutation": "permutation: over patients, whose predictions are swapped between the two encoders",
    "Stuart-Maxwell": "(Stuart-Maxwell): marginal homogeneity, equal totals of decisions; it does not say who is right",
}


class Form(StrEnum):
    """What a comparison is written as."""

    text = "text"
    csv = "csv"
    json = "json"


def compare(
    a: Annotated[str, typer.Argument(help="One encoder.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    task: Annotated[str, typer.Option(help="Task to compare them on.")],
    store: StoreOption = None,
    metric: Annotated[
        str | None, typer.Option(help="Metrics instead of the task's main one, comma-separated: auc/Edema,accuracy.")
    ] = None,
    protocol: ProtocolOption = None,
    settings: Annotated[str | None, typer.Option(help="Only records with this settings hash.")] = None,
    form: Annotated[Form | None, choice_option(Form, "--format", HOW_TO_WRITE)] = None,
    out: OutOption = None,
    include: IncludeOption = None,
) -> None:
    """Say which of two encoders is better, and how sure that is.

    Trials are paired by draw and test image. Fractions with several replicates are tested over replicates,
    others over test images, clustered by patient; p-values are corrected for all rows shown.
    """
    from ...foundation.progress import progress_for_terminal
    from ...results.comparison import compare_encoders
    from ...results.comparison_export import as_csv, as_json
    from ...results.trial_pairs import alone
    from ...tasks.registry import tasks
    from ..config import parse_list
    from .stored import stored_records
    from .written import form_of, refuse_unwritable, write

    form = form_of(form, out, Form)
    refuse_unwritable("--out", out)
    found, records = stored_records(store, include, task)
    if protocol is not None:
        records = _of_protocol(records, protocol.value)
    metrics = parse_list("--metric", metric)
    rows = compare_encoders(found, records, tasks.get(task), a, b, metrics, settings, progress=progress_for_terminal())
    if form is Form.text:
        left_out = alone(records, task, a, b, settings)
        write(lambda console: _print(rows, metrics or (), left_out, console), out)
    else:
        write(as_json(rows) if form is Form.json else as_csv(rows), out)


def _of_protocol(records: Sequence[Record], protocol: str) -> list[Record]:
    from ...foundation.errors import unknown_name

    chosen = [record for record in records if record.protocol == protocol]
    if not chosen:
        raise unknown_name("protocol in this store", protocol, {record.protocol for record in records})
    return chosen


def _print(
    rows: Sequence[EncoderComparison], asked: Sequence[str], left_out: Mapping[str, Sequence[str]], console: Console
) -> None:
    """The table, a sentence for every row but the labels' that nobody asked for, and what the words mean."""
    one = rows[0]
    console.print(one.task, style="bold", end="", highlight=False, markup=False)
    console.print(f": A = {one.a}, B = {one.b}", highlight=False, markup=False)
    if any(row.synthetic for row in rows):
        console.print("[dim]SYNTHETIC phantom data[/]")
    for encoder in dict.fromkeys(name for row in rows for name in row.contaminated):
        console.print(f"CONTAMINATED: {encoder} saw images of this dataset in pretraining", markup=False)
    for encoder in dict.fromkeys(name for row in rows for name in row.unverified):
        console.print(f"UNVERIFIED WEIGHTS: the file of {encoder} is not the published one", markup=False)
    console.print(_table(rows, console.width >= WIDE))
    console.print()
    for row in rows:
        if "/" not in row.metric or row.metric in asked:
            trials = row.protocol if row.variant == "default" else f"{row.variant}, {row.protocol}"
            console.print(f"  {trials} {row.fraction:g} %: {row.verdict}", highlight=False, markup=False)
    console.print()
    for encoder, trials in left_out.items():
        console.print(f"  left out, {encoder} has them alone: {'; '.join(trials)}", highlight=False, markup=False)
    for line in _notes(rows, console.width >= WIDE):
        console.print(f"  {line}", style="dim", highlight=False, markup=False)


def _table(rows: Sequence[EncoderComparison], wide: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    shown.add_column("trials", overflow="fold")
    shown.add_column("%", justify="right", no_wrap=True)
    shown.add_column("metric", overflow="fold")
    # A column that no row fills is left away: masks and boxes have no decisions to be right about.
    extras = [number for number in range(len(EXTRAS)) if wide and any(_extras(row)[number] for row in rows)]
    for column in ("A", "B", "A - B", "95 % interval", *(EXTRAS[number] for number in extras)):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("test", no_wrap=True)
    for column in ("p", "p Holm"):
        shown.add_column(column, justify="right", no_wrap=True)
    place = None
    for row in rows:
        here = (row.variant, row.protocol, row.fraction)
        trials = row.protocol if row.variant == "default" else f"{row.variant}, {row.protocol}"
        first = (trials, f"{row.fraction:g}") if here != place else ("", "")
        place = here
        sd = "" if row.sd is None else f" ± {row.sd:.3f}"
        cells = (
            *first,
            row.metric if row.higher_is_better else f"{row.metric} (low)",
            _number(row.mean_a),
            _number(row.mean_b),
            "undefined" if row.difference is None else f"{row.difference:+.4f}{sd}",
            "" if row.ci_low is None else f"{row.ci_low:+.4f} to {row.ci_high:+.4f}",
        )
        cells += tuple(_extras(row)[number] for number in extras)
        tests = sorted(row.tests, key=lambda test: not test.decides) or [None]
        for number, test in enumerate(tests):
            line = (*(cells if number == 0 else [""] * len(cells)), *_test(test, row.difference is None))
            # As they are: a variant may be called [a].
            shown.add_row(*map(Text, line))
    return shown


def _extras(row: EncoderComparison) -> tuple[str, str, str]:
    return (
        "" if row.effect_size is None else f"{row.effect} {row.effect_size:.2f}",
        f"{row.a_better}:{row.b_better}" if row.replicates > 1 else "",
        "" if row.only_a_right is None or "/" in row.metric else f"{row.only_a_right}:{row.only_b_right}",
    )


def _test(test: PairedTest | None, undefined: bool) -> tuple[str, str, str]:
    if test is None:
        return "" if undefined else "none", "", ""
    name = test.name if test.decides else f"({test.name})"
    if test.degenerate is not None:
        return name, "degenerate", ""
    return name, _p(test.p_value), _p(test.p_adjusted)


def _explained(test: PairedTest) -> str:
    """The entry of EXPLAINED: a paired t over images takes nothing for independent that is not."""
    return "image t" if test.name == "paired t" and test.unit != "replicates" else test.name


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _notes(rows: Sequence[EncoderComparison], wide: bool) -> list[str]:
    """What the columns and tests that are shown mean."""
    counted = next((row for row in rows if row.n is not None), None)
    tests = [test for row in rows for test in row.tests]
    said = {_explained(test) for test in tests}
    names = [name for name in EXPLAINED if name in said]
    replicates = sorted({row.replicates for row in rows if row.replicates > 1})
    notes = [f"settings {', '.join(dict.fromkeys(row.settings_hash for row in rows))}"]
    if counted is not None:
        notes.append(f"test set: {counted.n} images of {counted.patients} patients")
    notes += dict.fromkeys(f"{row.metric}: {row.about}" for row in rows if row.about)
    if replicates:
        notes.append(f"± SD over {' or '.join(map(str, replicates))} replicates")
    if any(row.ci_low is not None for row in rows):
        what = "patients and replicates" if replicates else "patients"
        notes.append(
            f"interval: bootstrap over {what}, of each row by itself: it can exclude 0 where p Holm does not say so"
        )
    if wide:
        if any(row.only_a_right is not None for row in rows):
            notes.append("alone: decisions that only one got right, over all labels and replicates")
        effects = {row.effect for row in rows}
        notes += ["d: mean difference / SD over replicates; wins: replicates in which one is better"] * ("d" in effects)
        notes += ["OR: odds of being right where the other is wrong"] * ("OR" in effects)
    notes += [EXPLAINED[name] for name in names]
    if any(not row.higher_is_better for row in rows):
        notes.append("(low): lower is better")
    if any(not row.tests and row.difference is not None for row in rows):
        notes.append("none: no test of this metric; its interval, where it has one, is all there is")
    if any(row.ci_low is None and row.difference is not None for row in rows):
        notes.append("no interval: too many resamples of the patients leave the metric undefined")
    if any(test.p_adjusted is not None for test in tests):
        notes.append("p Holm: corrected for the rows shown, means and single labels each by themselves")
    reasons = sorted({test.degenerate for test in tests if test.degenerate})
    if reasons:
        notes.append(f"degenerate, no p: {'; '.join(reasons)}")
    return notes
