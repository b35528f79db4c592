"""`cxrbench figure` as a user runs it, on stores of predictions made by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.bench.cli import main
from cxrbench.bench.config import run_config
from cxrbench.bench.plan import TaskData, read_task_data
from cxrbench.data.run_lengths import counts_of, counts_to_text
from cxrbench.foundation.progress import SilentProgress
from cxrbench.tasks.predictions import Predictions

from ..results.stores import multi_label, put

Run = Callable[..., tuple[int, str]]
SIZE = 64
LISTS = ("truth", "truth_labels", "truth_crowd", "boxes", "scores", "box_labels")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `cxrbench figure` in an empty folder: exit code and standard error."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cxrbench", "figure", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        assert shown.out == ""
        return int(caught.value.code or 0), shown.err

    return run


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two encoders on CheXpert: two replicates at 10 %, one at 100 %; a third at 100 % alone."""
    store = tmp_path_factory.mktemp("curves")
    for number, encoder in enumerate(("chess", "scratch")):
        put(store, multi_label(1.5 - number, seed=number), encoder=encoder, synthetic=True)
        for replicate in range(2):
            predictions = multi_label(1.0 - number / 2, seed=10 * number + replicate)
            put(store, predictions, encoder=encoder, fraction=10.0, replicate=replicate, synthetic=True)
    put(store, multi_label(1.0, seed=5), encoder="imagenet", synthetic=True)
    return store


@pytest.fixture(scope="module")
def covid(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> TaskData:
    return _phantom(tmp_path_factory, cache, "siim_covid", 12)


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> TaskData:
    return _phantom(tmp_path_factory, cache, "siim_acr", 8)


def _phantom(tmp: pytest.TempPathFactory, cache: Path, name: str, n: int) -> TaskData:
    from cxrbench.data.phantom.dataset import write_phantom_dataset

    root = tmp.mktemp("phantom") / name
    write_phantom_dataset(name, root, n, SIZE, rib_free=False)
    config = run_config({"tasks": (name,), "data": {"*": str(root)}, "cache": cache}, needs_grid=False)
    return read_task_data(config, SilentProgress())[0]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, covid: TaskData) -> Path:
    """An encoder that finds all boxes and one that finds none, on all images of a phantom."""
    store = tmp_path_factory.mktemp("found")
    samples = covid.radiographs.samples
    assert covid.radiographs.boxes is not None
    by_image = {
        name: rows[["x1", "y1", "x2", "y2"]].to_numpy(float)
        for name, rows in covid.radiographs.boxes.groupby("sample_id")
    }
    truth = [by_image.get(each, np.empty((0, 4))) for each in samples["sample_id"]]
    for encoder, times in (("chess", 1), ("scratch", 0)):
        columns = {
            "truth": [each.ravel() for each in truth],
            "truth_labels": [np.zeros(len(each), dtype=np.int64) for each in truth],
            "truth_crowd": [np.zeros(len(each), dtype=bool) for each in truth],
            "boxes": [each.ravel()[: times * each.size] for each in truth],
            "scores": [np.full(times * len(each), 0.9) for each in truth],
            "box_labels": [np.zeros(times * len(each), dtype=np.int64) for each in truth],
        }
        _put(store, covid, "c4", encoder, _of_lists(columns), "opacity")
    return store


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory, acr: TaskData) -> Path:
    """An encoder whose decisions are the upper half of every image."""
    store = tmp_path_factory.mktemp("segmented")
    assert acr.radiographs.masks is not None
    masks = dict(zip(acr.radiographs.masks["sample_id"], acr.radiographs.masks["counts"], strict=True))
    half = np.arange(SIZE)[:, None] < np.full(SIZE, SIZE // 2)
    n = len(acr.radiographs)
    columns = {
        "truth": [masks.get(each, str(SIZE * SIZE)) for each in acr.radiographs.samples["sample_id"]],
        "decision": [counts_to_text(counts_of(half))] * n,
    }
    table = pd.DataFrame(columns).assign(scores=pd.Series([np.array([0.5])] * n, dtype=object))
    _put(store, acr, "default", "chess", table, "pneumothorax")
    return store


def _of_lists(columns: dict[str, list[np.ndarray]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def _put(store: Path, data: TaskData, variant: str, encoder: str, columns: pd.DataFrame, label: str) -> None:
    ids = data.radiographs.samples[["sample_id", "patient_id", "study_id"]].reset_index(drop=True)
    table = pd.concat([ids.assign(height=SIZE, width=SIZE), columns], axis=1)
    name = data.task.meta.name
    put(
        store,
        Predictions(table, (label,), False),
        task=name,
        encoder=encoder,
        variant=variant,
        protocol="finetune",
        synthetic=True,
        dataset={"name": name, "fingerprint": data.fingerprint},
    )


def test_roc_and_fractions_write_every_form(run: Run, curves: Path, tmp_path: Path) -> None:
    code, err = run("roc", "--task", "chexpert", "--store", curves, "--out", "roc.png,roc.svg")
    assert (code, err.splitlines()[-2:]) == (0, ["wrote roc.png", "wrote roc.svg"])
    svg = (tmp_path / "roc.svg").read_text()
    for words in ("SYNTHETIC phantom data", "imagenet", "100 % of the training patients", "bootstrap over patients."):
        assert words in svg
    code, err = run("fractions", "--task", "chexpert", "--store", curves, "--metric", "auc/Edema", "--out", "f.svg")
    assert (code, err) == (0, "wrote f.svg\n")
    svg = (tmp_path / "f.svg").read_text()
    for words in ("SYNTHETIC phantom data", "AUC, Edema", "Hollow: one replicate, no band.", "frozen encoder"):
        assert words in svg


def test_roc_of_one_label_at_one_fraction(run: Run, curves: Path, tmp_path: Path) -> None:
    chosen = ("--encoder", "scratch,chess", "--fraction", "10", "--label", "Edema")
    assert run("roc", "--task", "chexpert", "--store", curves, *chosen, "--out", "roc.svg")[0] == 0
    svg = (tmp_path / "roc.svg").read_text()
    assert "10 % of the training patients" in svg
    assert "Edema" in svg
    assert "vertical average (Fawcett 2006) over 2 replicates" in svg
    assert "imagenet" not in svg
    assert svg.index("<!-- scratch -->") < svg.index("<!-- chess -->")


def test_detections_show_positives_in_the_order_of_a_hash(
    run: Run, found: Path, covid: TaskData, cache: Path, tmp_path: Path
) -> None:
    of = ("--task", "siim_covid", "--store", found, "--data", covid.radiographs.root, "--cache", cache)
    code, err = run("detections", *of, "--images", "2", "--out", "d.svg")
    assert code == 0, err
    (shown,) = [line for line in err.splitlines() if line.startswith("images: ")]
    assert covid.radiographs.boxes is not None
    names = shown.removeprefix("images: ").split(", ")
    assert len(names) == 2
    assert set(names) <= set(covid.radiographs.boxes["sample_id"])
    svg = (tmp_path / "d.svg").read_text()
    for words in ("SYNTHETIC phantom data", "mAP50 1.000", "mAP50 0.000", *names):
        assert f"<!-- {words} -->" in svg
    # One that was asked for, without a box.
    boxed = set(covid.radiographs.boxes["sample_id"])
    other = next(each for each in covid.radiographs.samples["sample_id"] if each not in boxed)
    assert run("detections", *of, "--sample", other, "--encoder", "scratch", "--out", "e.svg")[0] == 0
    assert "Images as named by " in (tmp_path / "e.svg").read_text()


def test_masks_have_their_dice(run: Run, segmented: Path, acr: TaskData, cache: Path, tmp_path: Path) -> None:
    of = ("--task", "siim_acr", "--store", segmented, "--data", acr.radiographs.root, "--cache", cache)
    code, err = run("masks", *of, "--images", "1", "--out", "m.svg")
    assert code == 0, err
    svg = (tmp_path / "m.svg").read_text()
    for words in (
        "SYNTHETIC phantom data",
        "true mask",
        "First 1 positive test image by SHA-256 of the id.",
        # A mean with empty ones is no mean of what stands over the panels.
        "Under the names: all 8 test images of replicate 0; mean over",
    ):
        assert words in svg


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("roc", "--task", "chexpart"),
            "--task: unknown task with records in this store 'chexpart'; did you mean",
        ),
        (("roc", "--task", "chexpert", "--label", "Odema"), "--label: unknown label of chexpert 'Odema'; did you mean"),
        (("roc", "--task", "chexpert", "--encoder", "ches"), "--encoder: unknown encoder in these records 'ches'; did"),
        (("roc", "--task", "chexpert", "--fraction", "50"), "--fraction 50: chess has 10, 100 % only"),
        (("roc", "--task", "chexpert", "--fraction", "10,100"), "--fraction 10,100: a figure shows one"),
        (("roc", "--task", "chexpert", "--fraction", "none"), "--fraction: 'none' is not a per cent"),
        (("fractions", "--task", "chexpert", "--metric", "auk"), "--metric: chexpert: unknown metric 'auk'; did you"),
        (
            ("fractions", "--task", "chexpert", "--protocol", "finetune"),
            "--protocol: unknown protocol in these rec",
        ),
        (("detections", "--task", "chexpert", "--data", "phantom"), "its predictions have no height, so this figure"),
        (("detections", "--task", "chexpert", "--score", "3"), "--score 3: scores lie between 0 and 1"),
        (("masks", "--task", "chexpert", "--images", "2", "--sample", "a"), "--images: --sample names them already"),
        (("masks", "--task", "chexpert", "--replicate", "7"), "--replicate 7: not one that all encoders have; they"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(run: Run, curves: Path, arguments: tuple[str, ...], said: str) -> None:
    code, err = run(*arguments, "--store", curves, "--out", "f.png")
    assert (code, err.count("\n")) == (2, 1), err
    assert said in err


def test_where_to_write_is_asked_first(run: Run, tmp_path: Path) -> None:
    for command in ("roc", "fractions", "detections", "masks"):
        code, err = run(command, "--task", "chexpert", "--store", "absent", "--out", "f.jpg")
        assert (code, "--out f.jpg: .jpg is not written" in err, err.count("\n")) == (2, True, 1)
        code, err = run(command, "--task", "chexpert", "--store", "absent", "--out", "absent/f.png")
        assert (code, "no such folder: absent" in err) == (2, True)
        code, err = run(command, "--task", "chexpert", "--store", "absent", "--out", "f.png")
        assert (code, "--store absent: no such folder; `cxrbench run` makes one" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_panels_refuse_what_they_cannot_show(
    run: Run, found: Path, covid: TaskData, cache: Path, tmp_path: Path
) -> None:
    of = ("--task", "siim_covid", "--store", found, "--cache", cache, "--out", "d.png")
    here = ("--data", covid.radiographs.root)
    one = covid.radiographs.samples["sample_id"].iloc[0]
    for more, exit_code, said in (
        ((), 2, "no data for task siim_covid: give --data PATH"),
        (("--sample", "nobody", *here), 2, "--sample: 'nobody' is no test image of these records; one of the "),
        (("--images", "0", *here), 2, "--images: a figure shows 1 to 20 images"),
        (("--images", "21", *here), 2, "--images: a figure shows 1 to 20 images"),
        (("--sample", one, "--data", f"phantom:n=8,size={SIZE}"), 1, "not the data that the records of siim_covid"),
    ):
        code, err = run("detections", *of, *more)
        assert (code, said in err.splitlines()[-1]) == (exit_code, True), err
    assert list(tmp_path.iterdir()) == []


def test_hashed_ids_and_other_test_images_are_said(
    run: Run, found: Path, covid: TaskData, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> None:
    store = tmp_path_factory.mktemp("hashed")
    empty = np.empty(0)
    columns = {name: [empty, empty] for name in LISTS}
    table = pd.DataFrame({"sample_id": ["a", "b"], "patient_id": ["a", "b"], "study_id": ["a", "b"]})
    table = pd.concat([table.assign(height=SIZE, width=SIZE), _of_lists(columns)], axis=1)
    dataset = {"name": "siim_covid", "fingerprint": covid.fingerprint, "hashed_ids": "12345678"}
    given = {"task": "siim_covid", "variant": "c4", "protocol": "finetune", "dataset": dataset}
    put(store, Predictions(table, ("opacity",), False), encoder="chess", **given)
    of = ("--task", "siim_covid", "--data", covid.radiographs.root, "--cache", cache, "--out", "d.png")
    code, err = run("detections", *of, "--store", store)
    assert (code, err.count("\n"), "its ids are hashed (--hash-ids), so no image can be found" in err) == (2, 1, True)
