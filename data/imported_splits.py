"""Splits that come from a file instead of a task's own draws, checked against a copy of the dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..foundation.errors import RefusedError, UserError
from .label_digests import label_digests
from .radiographs import Radiographs
from .split_files import DrawName, SplitFile, SplitsOf, few, read_splits
from .splits import ROLES, Split, check_split


@dataclass(frozen=True)
class ImportedSplits:
    """The draws of a file, checked against a copy of the dataset.

    Attributes:
        path: of the file.
        draws: draw -> role -> sample_ids [n].
        notes: what a person should know, a sentence each.
    """

    path: Path
    draws: Mapping[DrawName, Mapping[str, np.ndarray]]
    notes: tuple[str, ...] = ()

    def of(self, radiographs: Radiographs, variant: str, fraction: float, replicate: int) -> Split:
        """The split of one draw as rows of `radiographs`.

        Raises:
            UserError: a draw or a sample that is not there.
            RefusedError: a patient on two sides.
        """
        name = DrawName(variant, fraction, replicate)
        if name not in self.draws:
            raise UserError(f"{self.path}: no draws of {in_words([name])}; {_those(self.draws)}")
        rows, unknown = _rows_of(radiographs, self.draws[name])
        if len(unknown):
            raise UserError(f"{self.path}: {name} holds {_count(unknown, 'sample')} that {radiographs.dataset} has not")
        split = Split(**rows)
        check_split(radiographs, split)
        return split

    def require(self, split: Split, radiographs: Radiographs, task: str, draw: DrawName) -> None:
        """Raise UserError where `split`, which a task gave, is not that of the file: the task draws by itself."""
        if split.digest(radiographs) != self.of(radiographs, *draw).digest(radiographs):
            raise UserError(f"--splits {self.path}: task {task} makes its own splits and cannot take them from a file")


@dataclass(frozen=True)
class SplitFindings:
    """What a comparison of a file with a dataset found, a sentence each.

    Attributes:
        mismatches: what forbids the use of the file.
        notes: what a person should know.
    """

    mismatches: tuple[str, ...]
    notes: tuple[str, ...]


def compare_splits(file: SplitFile, radiographs: Radiographs, of: SplitsOf, hashes: np.ndarray) -> SplitFindings:
    """Whether the draws of `file` can be used on this copy of the dataset.

    Compared are the task, every sample's id, patient, image and labels, and that no patient of this copy is on two
    sides of a draw. Notes are that the copy holds more than the file lists, that the task's version is another, and
    that what is tested differs from draw to draw or from the dataset's own test set, or is a part of that.

    Args:
        file: as read.
        radiographs: the samples that the task uses.
        of: what they are of here.
        hashes: SHA-256 of each image's file [N], `content_hashes`.
    """
    if other := _other(file, of.task, of.dataset):
        return SplitFindings((other,), ())
    notes = []
    if file.of.version != of.version:
        notes.append(f"written by version {file.of.version} of {of.task}, this one is version {of.version}")
    mismatches = list(_of_samples(file, radiographs, hashes))
    if file.of.fingerprint != of.fingerprint and not mismatches:
        notes.append("the copies differ as a whole, but not in what the file lists")
    mismatches += _of_draws(file, radiographs)
    return SplitFindings(tuple(mismatches), (*notes, *_of_test_sets(file, radiographs)))


def import_splits(path: Path, radiographs: Radiographs, of: SplitsOf, hashes: np.ndarray) -> ImportedSplits:
    """Read a file and check it as `compare_splits` does.

    Raises:
        UserError: the file cannot be read as splits.
        RefusedError: it does not fit this copy of the dataset, or a patient is on two sides.
    """
    file = read_splits(path)
    found = compare_splits(file, radiographs, of, hashes)
    if found.mismatches:
        raise refusal(file, found)
    return ImportedSplits(file.path, file.draws, found.notes)


def refuse_other(file: SplitFile, task: str, dataset: str) -> None:
    """Raise RefusedError where the file is of another task or dataset: a check that needs no copy."""
    if other := _other(file, task, dataset):
        raise RefusedError(f"{file.path}: {other}")


def chosen_draws(
    file: SplitFile,
    variants: Collection[str] | None = None,
    fractions: Collection[float] | None = None,
    replicates: int | None = None,
) -> dict[str, list[tuple[float, int]]]:
    """Variant -> (fraction, replicate) pairs of the file, small fractions first; None takes all that the file holds.

    Args:
        file: as read.
        variants: those wanted.
        fractions: those wanted, per cent.
        replicates: how many of each fraction, those with the smallest numbers.

    Raises UserError for what is wanted and not there.
    """
    held: dict[str, dict[float, list[int]]] = {}
    for variant, fraction, replicate in sorted(file.draws, key=lambda name: (name.fraction, name.replicate)):
        held.setdefault(variant, {}).setdefault(fraction, []).append(replicate)
    if absent := [variant for variant in variants or () if variant not in held]:
        raise UserError(f"{file.path}: no draws of variant {', '.join(absent)}; {_those(file.draws)}")
    found, missing = {}, []
    for variant in variants or dict.fromkeys(name.variant for name in file.draws):
        found[variant] = []
        for fraction in sorted(fractions or held[variant]):
            there = held[variant].get(fraction, [])
            count = replicates or max(len(there), 1)
            if len(there) < count:
                missing += [DrawName(variant, fraction, each) for each in range(count) if each not in there]
            found[variant] += [(fraction, replicate) for replicate in there[:count]]
    if missing:
        raise UserError(f"{file.path}: no draws of {in_words(missing)}; {_those(file.draws)}")
    return found


def refusal(file: SplitFile, found: SplitFindings) -> RefusedError:
    """One error that names every mismatch."""
    if len(found.mismatches) == 1:
        return RefusedError(f"{file.path}: {found.mismatches[0]}")
    lines = "".join(f"\n  {each}" for each in found.mismatches)
    return RefusedError(f"{file.path}: does not fit this copy of {file.of.dataset}:{lines}")


def in_words(draws: Collection[DrawName]) -> str:
    """Draws in short: `variant default: 1 % x 10, 10 % x 10`, with a semicolon between variants.

    Replicates are listed where they are not 0 to n - 1.
    """
    cells: dict[str, dict[float, list[int]]] = {}
    for variant, fraction, replicate in draws:
        cells.setdefault(variant, {}).setdefault(fraction, []).append(replicate)
    return "; ".join(
        f"variant {variant}: {', '.join(f'{fraction:g} % {_numbers(sorted(of[fraction]))}' for fraction in of)}"
        for variant, of in cells.items()
    )


def _those(draws: Collection[DrawName]) -> str:
    return f"it holds {in_words(draws)}. Choose among them with --variant, --fractions and --replicates"


def _numbers(replicates: list[int]) -> str:
    if replicates == list(range(len(replicates))):
        return f"x {len(replicates)}"
    return f"replicate{'' if len(replicates) == 1 else 's'} {', '.join(map(str, replicates))}"


def _other(file: SplitFile, task: str, dataset: str) -> str | None:
    """What says that the file is of another task or dataset; None where it is not."""
    for what, theirs, ours in (("task", file.of.task, task), ("dataset", file.of.dataset, dataset)):
        if theirs != ours:
            return f"the file is of {what} {theirs!r}, not of {ours!r}"
    return None


def _of_samples(file: SplitFile, radiographs: Radiographs, hashes: np.ndarray) -> Iterator[str]:
    """What the file says about samples and this copy does not; each sample once, whatever draws it is in."""
    stated = file.table.drop_duplicates(["sample_id", "patient_id", "image_sha256", "labels_sha256"])
    twice = stated["sample_id"].duplicated()
    if twice.any():
        yield f"the file contradicts itself on {_count(stated['sample_id'][twice].unique(), 'sample')}"
    here = radiographs.samples[["sample_id", "patient_id", "path"]]
    here = here.assign(image_sha256=hashes, labels_sha256=label_digests(radiographs)).astype(str)
    both = stated.merge(here, on="sample_id", how="left", suffixes=("", "_here"))
    unknown = both["path"].isna().to_numpy()
    if unknown.any():
        named = _count(both["sample_id"][unknown].unique(), "sample")
        yield f"{named} that {radiographs.dataset} at {radiographs.root} has not"
    both = both[~unknown]
    for column, what in (
        ("patient_id", "another patient here"),
        ("image_sha256", "another image file here"),
        ("labels_sha256", "other labels here"),
    ):
        differs = (both[column] != both[f"{column}_here"]).to_numpy()
        if differs.any():
            yield f"{_count(both['sample_id'][differs].unique(), 'sample')} with {what}"


def _of_draws(file: SplitFile, radiographs: Radiographs) -> Iterator[str]:
    """Draws that leak or lack a side."""
    for name, ids in file.draws.items():
        if lacking := [role for role in ("train", "test") if len(ids[role]) == 0]:
            yield f"{name}: no {' and no '.join(lacking)} images in the file; give the draw rows of that role"
            continue
        rows, _ = _rows_of(radiographs, ids)
        try:
            check_split(radiographs, Split(**rows))
        except UserError as error:
            yield f"{name}: {str(error).removeprefix(f'{radiographs.dataset}: ')}"


def _of_test_sets(file: SplitFile, radiographs: Radiographs) -> Iterator[str]:
    """What is unusual about what is tested."""
    tests = {frozenset(ids["test"]) for ids in file.draws.values()}
    if len(tests) > 1:
        yield f"the draws have {len(tests)} different test sets; trials of different ones are not comparable"
    samples = radiographs.samples
    held_out = samples["sample_id"][samples["split"] == "test"]
    fitted = pd.Index(file.table["sample_id"][file.table["role"] != "test"].unique())
    taken = held_out[fitted.get_indexer(pd.Index(held_out)) >= 0].to_numpy()
    if len(taken):
        does = "trains or validates" if len(taken) == 1 else "train or validate"
        yield f"{_count(taken, 'image')} of the dataset's own test set {does} here"
    apart = [held_out[~held_out.isin(test) & ~held_out.isin(taken)].to_numpy() for test in tests]
    most = max(apart, key=len)
    if len(most):
        does = "is" if len(most) == 1 else "are"
        yield (
            f"{_count(most, 'image')} of the {len(held_out)} of the dataset's own test set {does} not tested"
            f"{'' if all(map(len, apart)) else ' in some draws'}; scores are not comparable with those on all of it"
        )


def _rows_of(radiographs: Radiographs, ids: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Role -> rows in ascending order, and the ids that are not there."""
    index = pd.Index(radiographs.samples["sample_id"])
    found = {role: index.get_indexer(pd.Index(ids[role], dtype=index.dtype)) for role in ROLES}
    unknown = np.concatenate([ids[role][found[role] < 0] for role in ROLES])
    return {role: np.sort(rows[rows >= 0]).astype(np.int64) for role, rows in found.items()}, unknown


def _count(names: np.ndarray, what: str) -> str:
    """`2 samples (a, b)`."""
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'} ({few(names)})"
