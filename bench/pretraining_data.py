"""The images that a pretraining may see: read by name, from a folder or a list, without any that a task tests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..foundation.errors import RefusedError, UserError
from ..foundation.files import expanded
from ..foundation.progress import Progress
from .config import is_phantom_spec

if TYPE_CHECKING:
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
    kept = radiographs.where((radiographs.samples["split"] != TEST).to_numpy())
    removed = len(radiographs) - len(kept)
    if len(kept) == 0:
        raise UserError(f"--data {name}={place}: all {removed} images are test images; nothing is left to train on")
    return kept, f"{name}: {removed} of {len(radiographs)} images left out, because tasks test on them"


@dataclass(frozen=True)
class _Leak:
    dataset: str
    refusal: str


def _entries(data: str) -> Iterator[tuple[str, str]]:
    """Dataset (empty for folders and lists) and place of each entry."""
    if Path(data).exists():
        yield "", data
        return
    # A phantom's own options hold = and commas too.
    for part in re.split(r",(?!\s*(?:n|size|seed)=)", data):
        entry = part.strip()
        if not entry:
            raise UserError(f"--data {data!r}: an entry is empty; separate entries with single commas")
        name, equals, place = entry.partition("=")
        if is_phantom_spec(entry):
            yield PHANTOM_OF, entry
        elif equals and not expanded(entry).exists():
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
    from ..data.unlabelled import read_unlabelled

    radiographs = read_unlabelled(place)
    files = _real_paths(radiographs)
    leaks = []
    for name, test in _datasets_in(radiographs.root if place.is_file() else place, cache, progress):
        shared = _real_paths(test) & files
        if shared:
            first = ", ".join(sorted(Path(path).name for path in shared)[:3])
            leaks.append(
                _Leak(
                    name,
                    f"--data {place}: {len(shared)} of its {len(files)} images are the test images of {name} "
                    f"({first}{', ...' if len(shared) > 3 else ''}), and every score on them would be too good; "
                    f"leave them out with --data {name}={place}, or go on and have records marked: "
                    "--allow-contamination",
                )
            )
    return radiographs, leaks


def _datasets_in(folder: Path, cache: Path, progress: Progress) -> Iterator[tuple[str, Radiographs]]:
    """Every registered dataset that lies in `folder`, with its test images."""
    from ..data import datasets
    from ..data.reading import Reading
    from ..data.source import read

    for name in datasets.names():
        try:
            found = read(name, folder, Reading(progress=progress, cache=cache))
        except UserError:
            continue
        is_test = ((found.samples["split"] == TEST) & (found.samples["path"] != "")).to_numpy()
        if is_test.any():
            yield name, found.where(is_test)


def _real_paths(radiographs: Radiographs) -> set[str]:
    root = radiographs.root.resolve()
    return {f"{root}/{path}" for path in radiographs.samples["path"]}


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
