"""The images that a pretraining may see: read by name, from a folder or a list, without any that a task tests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..foundation.errors import RefusedError, UserError
from ..foundation.files import expanded
from ..foundation.progress import Progress
from .config import is_phantom_spec

if TYPE_CHECKING:
    import pandas as pd

    from ..data.radiographs import Radiographs

TEST = "test"
# Whose phantom `--data phantom` is.
PHANTOM_OF = "chexpert"


@dataclass(frozen=True)
class TrainingData:
    """What a pretraining trains on.

    Attributes:
        radiographs: one entry a dataset, folder or list, in the order given. Test images of a dataset are left out of
            it; what is listed and cannot be used stands in `left_out`, and no image has been opened.
        contamination: registered names of datasets of which test images, or other images of tested patients, are
            among them all the same, because the user allowed it.
        audit: what was left out and what was compared with what, a sentence each.
    """

    radiographs: tuple[Radiographs, ...]
    contamination: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()


def training_data(
    data: str, against: Sequence[str], *, allow_contamination: bool, cache: Path, progress: Progress
) -> TrainingData:
    """Read what `--data` names, without the images that a task tests on.

    Args:
        data: entries with commas between: `DATASET=FOLDER`, `DATASET=phantom[:n=…,size=…,seed=…]`, `phantom[:…]` (of
            CheXpert), a folder of images, a list of images.
        against: `DATASET=FOLDER` or `TASK=FOLDER` whose test images must not be among them; compared by ids, patients,
            pixels and near-duplicates.
        allow_contamination: go on where such images are among them, and name the dataset in `contamination`.
        cache: folder of what can be made again.

    Raises:
        RefusedError: test images are among them.
        UserError: what cannot be read, or nothing left to train on.
    """
    tested = [_tested(text, progress, cache) for text in against]
    found: list[Radiographs] = []
    audit: list[str] = []
    leaks: list[_Leak] = []
    for name, place in list(_entries(data)):
        if name:
            radiographs, sentence = _without_test_images(name, place, cache, progress)
            audit.append(sentence)
        else:
            if not _is_there(place):
                raise UserError(f"--data {place}: no such file or folder; give a folder or a list of images")
            radiographs, known = _unlabelled(expanded(place), progress, cache)
            leaks += known
            audit.append(_looked_through(place, radiographs, known))
        found.append(radiographs)
    for radiographs in found:
        for test in tested:
            leak, sentence = _compared(radiographs, test, cache, progress)
            audit.append(sentence)
            leaks += leak
    if leaks and not allow_contamination:
        raise RefusedError("\n".join(leak.refusal for leak in leaks))
    names = tuple(dict.fromkeys(leak.dataset for leak in leaks))
    return TrainingData(tuple(found), names, tuple(audit))


def _without_test_images(name: str, place: str, cache: Path, progress: Progress) -> tuple[Radiographs, str]:
    """A dataset without its test images, and a sentence on how many were left out."""
    radiographs = _read(name, place, cache, progress)
    kept = _without_absent_test_images(
        radiographs.where((radiographs.samples["split"] != TEST).to_numpy()), name, radiographs.root, cache, progress
    )
    removed = len(radiographs) - len(kept)
    if len(kept) == 0:
        raise UserError(f"--data {name}={place}: all {removed} images are test images; nothing is left to train on")
    return kept, f"{name}: {removed} of {len(radiographs)} images left out, because tasks test on them"


def _without_absent_test_images(
    kept: Radiographs, name: str, root: Path, cache: Path, progress: Progress
) -> Radiographs:
    """`kept`, whose `left_out` counts no test image: a copy without them is none with unreadable files."""
    from ..data.reading import Reading
    from ..data.source import read

    if kept.left_out is None:
        return kept
    samples = read(name, root, Reading(progress=progress, cache=cache)).samples
    test = samples["sample_id"][samples["split"] == TEST]
    left_out = kept.left_out[~kept.left_out["sample_id"].isin(test)]
    return replace(kept, left_out=left_out if len(left_out) else None)


@dataclass(frozen=True)
class _Leak:
    dataset: str
    refusal: str


def split_entries(text: str) -> list[str]:
    """The entries of a list with commas; a phantom's own options hold commas too."""
    return [part.strip() for part in re.split(r",(?!\s*(?:n|size|seed)=)", text)]


def _is_there(place: str) -> bool:
    try:
        return expanded(place).exists()
    except OSError:
        # Longer than a name of a file can be.
        return False


def _entries(data: str) -> Iterator[tuple[str, str]]:
    """Dataset (empty for folders and lists) and place of each entry."""
    if _is_there(data):
        yield "", data
        return
    for entry in split_entries(data):
        if not entry:
            raise UserError(f"--data {data!r}: an entry is empty; separate entries with single commas")
        name, equals, place = entry.partition("=")
        if is_phantom_spec(entry):
            yield PHANTOM_OF, entry
        elif equals and not _is_there(entry):
            if not name or not place:
                raise UserError(f"--data {entry!r}: write DATASET=FOLDER, a folder, a list of images, or phantom")
            yield _dataset_of(name, "--data"), place
        else:
            yield "", entry


def _dataset_of(name: str, option: str) -> str:
    """The dataset called `name`, or that of the task called so."""
    from ..data import datasets
    from ..tasks.registry import tasks

    if name in datasets.names():
        return name
    if name in tasks.names():
        return tasks.get(name).meta.dataset
    from ..foundation.errors import unknown_name

    raise UserError(f"{option} {name}=…: {unknown_name('dataset or task', name, [*datasets.names(), *tasks.names()])}")


def _read(name: str, place: str, cache: Path, progress: Progress) -> Radiographs:
    """A dataset without the rows that something is wrong with; labels do not matter here."""
    from ..data import load
    from ..data.reading import Reading

    if is_phantom_spec(place):
        from ..data.phantom.dataset import parse_phantom, phantom_folder

        spec = parse_phantom(place)
        folder = phantom_folder(name, cache, spec.n, spec.size, spec.seed, progress)
    else:
        folder = expanded(place)
    return load(name, folder, reading=Reading(progress=progress, cache=cache), skip_unreadable=True)


def _unlabelled(place: Path, progress: Progress, cache: Path) -> tuple[Radiographs, list[_Leak]]:
    """The images of a folder or list, and the test sets of known datasets that are among them."""
    from ..data.folders_around import real_paths
    from ..data.unlabelled import read_unlabelled

    radiographs = read_unlabelled(place)
    files = real_paths(radiographs.root, radiographs.samples["path"])
    tests: dict[str, set[str]] = {}
    roots: dict[str, Path] = {}
    for name, test in _datasets_around(files, cache, progress):
        found = set(files[files.isin(real_paths(test.root, test.samples["path"]))])
        if found:
            tests.setdefault(name, set()).update(found)
            roots.setdefault(name, test.root)
    leaks = []
    for name, shared in tests.items():
        # CheXpert's files are called alike in every study.
        first = ", ".join("/".join(Path(path).parts[-3:]) for path in sorted(shared)[:3])
        leaks.append(
            _Leak(
                name,
                f"--data {place}: {len(shared)} of its {len(files)} images are the test images of {name} "
                f"({first}{', ...' if len(shared) > 3 else ''}), and every score on them would be too good; "
                f"leave them out with --data {name}={roots[name]}, or go on and have records marked: "
                "--allow-contamination",
            )
        )
    return radiographs, leaks


def _datasets_around(files: pd.Series, cache: Path, progress: Progress) -> Iterator[tuple[str, Radiographs]]:
    """Every registered dataset that lies in a folder around `files`, with its test images."""
    from ..data import datasets
    from ..data.folders_around import folders_around
    from ..data.reading import Reading
    from ..data.source import read

    folders = folders_around(files.str.rpartition("/")[0].unique())
    for folder in folders:
        for name in datasets.names():
            try:
                found = read(name, folder, Reading(progress=progress, cache=cache))
            except UserError:
                continue
            is_test = ((found.samples["split"] == TEST) & (found.samples["path"] != "")).to_numpy()
            if is_test.any():
                yield name, found.where(is_test)


def _looked_through(place: str, radiographs: Radiographs, leaks: Sequence[_Leak]) -> str:
    if leaks:
        return f"{place}: holds test images of {', '.join(leak.dataset for leak in leaks)}, which was allowed"
    return f"{place}: {len(radiographs)} images, in no known dataset's test set by where they lie"


def _tested(text: str, progress: Progress, cache: Path) -> Radiographs:
    """The dataset of one entry of --against."""
    name, equals, place = text.partition("=")
    if not equals or not place:
        raise UserError(f"--against {text}: write DATASET=FOLDER or TASK=FOLDER")
    radiographs = _read(_dataset_of(name, "--against"), place, cache, progress)
    if not (radiographs.samples["split"] == TEST).any():
        raise UserError(f"--against {text}: no test images in it")
    return radiographs


def _compared(
    radiographs: Radiographs, tested: Radiographs, cache: Path, progress: Progress
) -> tuple[list[_Leak], str]:
    """Test images of `tested` that `radiographs` holds too, and a sentence on what was found."""
    from ..data.audit import audit, side_of

    found = audit(side_of(tested, with_labels=False), side_of(radiographs, with_labels=False), cache, progress)
    shared = {each.kind: each.shared(0).get(TEST, 0) for each in found.findings}
    name = tested.dataset
    if not any(shared.values()):
        return [], f"{radiographs.dataset}: no test image and no test patient of {name} among {len(radiographs)} images"
    words = ", ".join(f"{count} by {kind.value}" for kind, count in shared.items() if count)
    sentence = f"{radiographs.dataset}: holds test images or test patients of {name}: {words}"
    way_out = "leave them out, or go on and have records marked: --allow-contamination"
    return [_Leak(name, f"--data: {sentence}; {way_out}")], sentence
