"""What must be read with the numbers of a paper's table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..published_numbers import PublishedNumber, mean_checks, published_numbers
from ..record import Record
from ..rendering.cell import CONTAMINATED, UNVERIFIED_WORDS, left_out_notes
from ..rendering.protocols import protocol_in_words
from .cells import UNAVAILABLE
from .layout import BEST, Layout, PaperRow, Place, PlaceKey
from .marks import ALPHA, DECIDED, PAPER, Marks

IMPOSSIBLE = "§"
# Per cent of the training patients.
WHOLE = 100

# What each test says, and what it does not.
TEST_WORDS = {
    "paired t": "paired t-test over replicates (holds for this training pool and test set only: its draws overlap)",
    "image t": "paired t-test over images, clustered by patient (of one trial each: it does not say what another "
    "replicate would give)",
    "whole t": "paired t-test over replicates (all of one training pool and test set, for which alone it holds: they "
    "differ by their seeds)",
    "Stuart-Maxwell": "Stuart-Maxwell test of marginal homogeneity (whether both decide for the classes equally "
    "often; it says nothing about which is right more often)",
    "DeLong": "DeLong test of the AUC, clustered by patient",
    "pool t": "pool t over replicates (variance 1/J + f/(1-f), for draws that overlap)",
    "permutation": "permutation test over patients, whose predictions are swapped between two encoders",
    "Wilcoxon": "Wilcoxon signed-rank test over patients",
    "McNemar": "McNemar test of correct decisions, clustered by patient",
}


@dataclass(frozen=True)
class Choice:
    """How a table is asked for.

    Attributes:
        published: whether the paper's numbers stand beside ours.
        encoders: row of the paper -> encoder of the store, over the layout's own.
        protocol: frozen or finetune instead of the paper's; None takes the paper's, or the other one where the
            store has nothing else.
        settings: hashes to choose by.
        spread: show standard deviations where the paper prints none.
    """

    published: bool = False
    encoders: Mapping[str, str] = field(default_factory=dict)
    protocol: str | None = None
    settings: Sequence[str] = ()
    spread: bool = False


def notes(
    layout: Layout,
    rows: Sequence[PaperRow],
    shown: Sequence[Record],
    known_tasks: Collection[str],
    incomplete: bool,
    references: Mapping[PlaceKey, str],
    marks: Marks,
    choice: Choice,
) -> tuple[str, ...]:
    """All notes of a table.

    Args:
        layout, rows: of the table, with the encoders as mapped.
        shown: records behind our numbers.
        known_tasks: registered ones.
        incomplete: whether a cell shows how many replicates it is made of.
        references: place -> encoder that the others were tested against.
        marks: what the tests said.
        choice: what the user asked for.
    """
    found = [*_about_data(layout, rows, shown, known_tasks, incomplete, choice), *layout.notes]
    if shown:
        found += _about_marks(layout, references, marks)
    if any(record.contaminated for record in shown):
        found.append(f"{CONTAMINATED} The encoder saw images of this dataset in pretraining.")
    counts = sorted((str(record.dataset.get("name", "")), record.left_out) for record in shown)
    # Of several counts of one dataset the largest stands last.
    found += left_out_notes(dict(counts))
    if any(record.unverified for record in shown):
        found.append(UNVERIFIED_WORDS)
    found += _about_unavailable(layout, shown)
    if choice.published:
        found += [f"Published: {layout.source}.", *layout.published_notes, *_from_text(layout)]
        if any(place.printed.table == "I" for place in layout.places()):
            found += _about_printed_means()
    return tuple(found)


def impossible(number: PublishedNumber) -> bool:
    """Whether a number of MLVICX's Table I stands in a row whose mean cannot be a mean of its labels."""
    return number.table == "I" and (number.fraction, number.model) in {
        (check.fraction, check.model) for check in mean_checks() if check.fifteenth > 1
    }


def _about_data(
    layout: Layout,
    rows: Sequence[PaperRow],
    shown: Sequence[Record],
    known_tasks: Collection[str],
    incomplete: bool,
    choice: Choice,
) -> Iterator[str]:
    stored = {record.task for record in shown}
    synthetic = sorted({record.task for record in shown if record.synthetic})
    if synthetic:
        beside = "; not comparable with published numbers" if choice.published else ""
        yield f"Synthetic phantom data: {', '.join(synthetic)}{beside}."
    absent = [task for task in layout.tasks() if task not in known_tasks]
    if absent:
        what = "Tasks" if len(absent) > 1 else "Task"
        yield f"{what} {', '.join(absent)}: not in this version of cxrbench; our cells stay blank."
    without = [task for task in layout.tasks() if task in known_tasks and task not in stored]
    if without:
        yield f"No records of {', '.join(without)} at the protocol and fractions of this table: our cells stay blank."
    if layout.protocol and shown:
        yield f"Ours: {protocol_in_words(layout.protocol)}, which is not the protocol of the paper."
    mapped = [f"{row.label} = {row.encoder}" for row in rows if row.label in choice.encoders]
    if mapped:
        yield f"Rows as mapped by --row: {', '.join(mapped)}."
    if shown:
        hashes = sorted({f"{record.task} {record.settings_hash}" for record in shown})
        yield f"Settings: {', '.join(hashes)}."
    yield from _said_by_all(shown)
    if incomplete:
        yield (
            "In brackets: replicates with a value, of those that the paper runs. Best and second are sought among "
            "encoders with a value on every draw of the column."
        )


def _said_by_all(shown: Sequence[Record]) -> Iterator[str]:
    """Notes that all records of a task have: they speak of the task, not of a trial."""
    for task in dict.fromkeys(record.task for record in shown):
        first, *others = [record for record in shown if record.task == task]
        for note in first.notes:
            if all(note in record.notes for record in others):
                yield f"{task}: {note}."


def _about_marks(layout: Layout, references: Mapping[PlaceKey, str], marks: Marks) -> Iterator[str]:
    if not layout.reference:
        return
    best = layout.reference == BEST
    if not references:
        if not best:
            way_out = f'--row "{layout.reference}=ENCODER" maps one'
            yield f"No signs of significance: the reference {layout.reference} has no records; {way_out}."
        return
    against = "the best encoder of the column" if best else layout.reference
    decided = "worse than" if best else "different from"
    for words, where in _tests_in_words(layout, "paper_test", marks):
        yield f"{PAPER}{where} p < {ALPHA:g} against {against}, not adjusted: {words}."
    for words, where in _tests_in_words(layout, "deciding_test", marks):
        yield f"{DECIDED}{where} {decided} {against}, p < {ALPHA:g} after Holm over all pairs of a column: {words}."
    if marks.without_test:
        titles = ", ".join(dict.fromkeys(f"{place.metric} at {place.fraction:g} %" for place in marks.without_test))
        yield f"Not all of these tests were made for {titles}: the task or the number of replicates does not allow it."
    if marks.degenerate:
        yield f"Flagged p-values get no sign: {'; '.join(marks.degenerate)}."


def _about_unavailable(layout: Layout, shown: Sequence[Record]) -> Iterator[str]:
    """What metrics need that have no value in some of our cells."""
    blank = {
        (record.task, record.variant, record.protocol, record.fraction, metric)
        for record in shown
        for metric in {place.metric for place in layout.places() if place.needs}
        if record.metrics.get(metric) is None
    }
    titles: dict[str, dict[str, None]] = {}
    for block in layout.blocks:
        for column in layout.columns:
            place = layout.place(block, column)
            if place.needs and place.key in blank:
                titles.setdefault(place.needs, {})[column.title] = None
    for needs, columns in titles.items():
        yield f"{UNAVAILABLE}: {', '.join(columns)} needs {needs}."


def _tests_in_words(layout: Layout, which: str, marks: Marks) -> Iterator[tuple[str, str]]:
    """Each test in words, and the columns it is made for where it is not made for all."""
    columns: dict[str, dict[str, None]] = {}
    for block in layout.blocks:
        for column in layout.columns:
            place = layout.place(block, column)
            test = getattr(place, which)
            if test:
                columns.setdefault(_words_key(place, test, marks), {})[column.title] = None
    for test, titles in columns.items():
        everywhere = len(titles) == len({column.title for column in layout.columns})
        columns_named = f" ({'columns' if len(titles) > 1 else 'column'} {', '.join(titles)})"
        yield TEST_WORDS[test], "" if everywhere else columns_named


def _words_key(place: Place, test: str, marks: Marks) -> str:
    """Where TEST_WORDS says what `test` is: a paired t is one over images, or over replicates of a part or of all."""
    if test != "paired t":
        return test
    # Where none was made here: as in the task's other cells, else as the paper has it.
    made = [unit for (key, name), unit in marks.units.items() if name == test and key[0] == place.task]
    planned = made[0] if made else "replicates" if place.replicates > 1 else "images"
    if marks.units.get((place.key, test), planned) != "replicates":
        return "image t"
    return "whole t" if place.fraction >= WHOLE else test


def _from_text(layout: Layout) -> Iterator[str]:
    """What the paper's text says about its table."""
    said = []
    for number in published_numbers():
        if layout.text and (number.paper, number.table) == (layout.paper, layout.text):
            about = ", ".join(filter(None, (number.model, number.fraction, number.label)))
            p = f"p {number.p_value[0]} {number.p_value[1:]}" if number.p_value[:1] == "<" else f"p = {number.p_value}"
            values = [f"{number.metric} {number.printed}".strip(), p if number.p_value else ""]
            said.append(f"{about}: {', '.join(filter(None, values))}")
    if said:
        yield f"From the paper's text: {'; '.join(said)}."


def _about_printed_means() -> Iterator[str]:
    checks = mean_checks()
    off = sum(check.flag == "inconsistent" for check in checks)
    possible = [check.fifteenth for check in checks if check.fifteenth <= 1]
    yield (
        f"The printed mean is not the mean of the 14 printed AUCs in {off} of {len(checks)} rows. It would be a mean "
        f"of 15 labels if the fifteenth had an AUC of {min(possible):.2f} to {max(possible):.2f}; ours of both stand "
        "beside."
    )
    for check in checks:
        if check.fifteenth > 1:
            yield (
                f"{IMPOSSIBLE} {check.model} at {check.fraction} contradicts itself (14 AUCs of mean {check.computed}, "
                f"printed mean {check.printed:g}: the fifteenth would be {check.fifteenth:.2f}): do not use this row."
            )
