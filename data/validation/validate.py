"""Reads a dataset's folder and checks all that can be checked without knowing what the images show."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ...foundation.errors import UserError
from ...foundation.progress import Progress
from ..problems import INCOMPLETE, Problem
from ..radiographs import Radiographs
from ..readability import Readability, first_rows, readability
from ..reading import Reading
from ..source import Source, datasets, read
from .annotations import wrong_boxes, wrong_labels, wrong_masks
from .completeness import count_lines, state_of, wrong_counts
from .repetitions import patients_on_two_sides, repeated_images
from .report import Report, State

# Images that a quick validation decodes.
FEW = 200
UNREADABLE = "unreadable image"
UNEQUAL = "pair of unequal sizes"


def validate(
    name: str, root: Path | str, *, quick: bool = False, reading: Reading | None = None, workers: int | None = None
) -> Report:
    """Is the copy of dataset `name` in the folder `root` whole and right?

    Checked are counts against the card's (not for phantoms), labels, patients on two sides, every image's file
    (decoded in `workers` processes), boxes, masks, pairs, and images that are bit-equal. What is only missing makes a
    copy partial, not wrong.

    Args:
        name: registered name of the dataset.
        root: its folder, in any of its layouts.
        quick: decode only 200 images, always the same ones, and look for no bit-equal ones.
        reading: where progress goes and what can be read is remembered.
        workers: processes; None takes one a core.

    Raises:
        UserError: an unknown dataset or no such folder.
    """
    reading = reading or Reading()
    source, root = datasets.get(name), Path(root)
    if not root.is_dir():
        raise UserError(f"{name}: no folder {root}; give the dataset's folder")
    report = Report(name, root, quick=quick)
    try:
        radiographs = read(name, root, reading)
    except UserError as error:
        problem = Problem("cannot be read", str(root), str(error).removeprefix(f"{name}: "))
        return replace(report, state=State.NOT_READ, problems=(*reading.problems, problem))
    report = replace(report, layout=radiographs.layout, synthetic=radiographs.synthetic, notes=radiographs.notes)
    report = _completeness(report, source, radiographs, reading)
    problems = [*report.problems, *_beyond(wrong_labels(radiographs), report), *patients_on_two_sides(radiographs)]
    report = replace(report, problems=tuple(problems))
    present = radiographs.where((radiographs.samples["path"] != "").to_numpy())
    if reading.cache is not None:
        return _images(report, radiographs, present, reading.cache, reading.progress, workers)
    with tempfile.TemporaryDirectory() as cache:
        return _images(report, radiographs, present, Path(cache), reading.progress, workers)


def _completeness(report: Report, source: Source, radiographs: Radiographs, reading: Reading) -> Report:
    """With counts, state, what is missing, and what the reader found wrong."""
    samples = radiographs.samples
    on_disk = (samples["path"] != "").to_numpy()
    known = {} if radiographs.synthetic else source.card.counts
    lines = count_lines(radiographs, source.parts(radiographs), on_disk, known)
    gaps = [problem for problem in reading.problems if problem.only_incomplete]
    wrong = [problem for problem in reading.problems if not problem.only_incomplete]
    # An image that something else is wrong with (its path leads elsewhere) is not one that was not downloaded.
    missing = samples["sample_id"][~on_disk]
    missing = missing[~missing.isin([problem.sample_id for problem in wrong])]
    notes = [f"{gap.kind}: {gap}" for gap in gaps if gap.kind == INCOMPLETE]
    if not on_disk.any():
        none = "the 1 image" if len(samples) == 1 else f"not one of the {len(samples)} images"
        what = f"{none} that its tables list is {'not ' * (len(samples) == 1)}on disk"
        wrong.append(Problem("no images", str(radiographs.root), f"{what}; give the folder that holds both"))
    return replace(
        report,
        state=state_of(lines, anything_missing=bool(len(missing) or gaps)),
        listed=len(samples),
        found=int(on_disk.sum()),
        counts=lines,
        problems=(*wrong, *wrong_counts(lines, report.folder)),
        missing=tuple(missing),
        notes=(*report.notes, *notes),
    )


def _images(
    report: Report, radiographs: Radiographs, present: Radiographs, cache: Path, progress: Progress, workers: int | None
) -> Report:
    """With what is wrong with the files of the `present` images, and with boxes and masks inside them."""
    problems, notes = list(report.problems), list(report.notes)
    tried, decoded = present, 0
    if report.quick and len(present) > FEW:
        keep = np.zeros(len(present), dtype=bool)
        keep[first_rows(present.samples["sample_id"], FEW)] = True
        tried = present.where(keep)
    sizes = pd.DataFrame({"height": [], "width": []}, dtype=np.float64)
    if len(tried):
        images = readability(tried, cache, progress, workers=workers)
        problems += _unreadable(tried, "path", images)
        if "target_path" in tried.samples:
            targets = readability(tried, cache, progress, workers=workers, column="target_path")
            problems += _unreadable(tried, "target_path", targets)
            problems += _unequal_pairs(tried, images, targets)
        known = images.reasons == ""
        decoded = int(known.sum())
        size = {"height": images.heights[known], "width": images.widths[known]}
        sizes = pd.DataFrame(size, index=tried.samples["sample_id"].to_numpy()[known], dtype=np.float64)
        if report.quick:
            notes.append("bit-equal images were not looked for, nor all images decoded (--quick)")
        else:
            found, about = repeated_images(tried, images.hashes)
            problems, notes = problems + found, notes + about
    # The size of such an image says nothing of its boxes and masks. Those that the reader found wrong are gone by now.
    doubtful = {problem.sample_id for problem in problems if problem.kind in (UNREADABLE, UNEQUAL)} - {""}
    wrong = [*wrong_boxes(radiographs, sizes), *wrong_masks(radiographs, sizes)]
    problems += [problem for problem in wrong if problem.sample_id not in doubtful]
    return replace(report, tried=len(tried), decoded=decoded, problems=tuple(problems), notes=tuple(notes))


def _beyond(found: Iterable[Problem], report: Report) -> list[Problem]:
    """Those of `found` whose sample the reader did not find wrong: its label is blank by then."""
    named = {problem.sample_id for problem in report.problems} - {""}
    return [problem for problem in found if problem.sample_id not in named]


def _unreadable(radiographs: Radiographs, column: str, checked: Readability) -> list[Problem]:
    samples, problems = radiographs.samples, []
    for row in np.flatnonzero(checked.reasons != ""):
        file = str(radiographs.root / samples[column].iloc[row])
        what = str(checked.reasons[row]).removeprefix(f"{file}: ")
        problems.append(Problem(UNREADABLE, file, what, samples["sample_id"].iloc[row]))
    return problems


def _unequal_pairs(radiographs: Radiographs, images: Readability, targets: Readability) -> list[Problem]:
    samples, problems = radiographs.samples, []
    readable = (images.reasons == "") & (targets.reasons == "")
    unequal = readable & ((images.heights != targets.heights) | (images.widths != targets.widths))
    for row in np.flatnonzero(unequal):
        sizes = (
            f"{images.widths[row]} x {images.heights[row]} and {targets.widths[row]} x {targets.heights[row]} pixels"
        )
        file = str(radiographs.root / samples["path"].iloc[row])
        what = f"it and {samples['target_path'].iloc[row]} differ in size: {sizes}"
        problems.append(Problem(UNEQUAL, file, what, samples["sample_id"].iloc[row]))
    return problems
