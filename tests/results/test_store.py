"""Records and the store: whole or absent, readable however damaged, claimed once."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results import Store
from cxrbench.tasks.predictions import Predictions

from .stores import HISTORY, record


def predictions() -> Predictions:
    table = pd.DataFrame({"sample_id": ["a"], "patient_id": ["p"], "study_id": ["s"], "truth": [0]})
    return Predictions(table.assign(scores=pd.Series([[0.6, 0.4]]), decision=0), ("x", "y"), True)


def saved(store: Path, **changes: object) -> Path:
    return Store(store).save(record(**changes), predictions(), HISTORY)


def test_a_trial_lies_where_its_names_say(tmp_path: Path) -> None:
    place = saved(tmp_path, fraction=0.5, replicate=3)
    assert place == tmp_path / "chexpert/default/scratch/frozen/0.5/3-0123456789abcdef"
    assert sorted(path.name for path in place.iterdir()) == ["history.csv", "predictions.parquet", "record.json"]


def test_a_record_reads_back_equal_with_blank_metrics(tmp_path: Path) -> None:
    place = saved(tmp_path)
    (read,) = Store(tmp_path).records()
    assert replace(read, predictions_sha256="") == record()
    assert read.predictions_sha256 == hashlib.sha256((place / "predictions.parquet").read_bytes()).hexdigest()
    assert json.loads((place / "record.json").read_text())["metrics"]["auc/Fracture"] is None


def test_a_trial_under_another_name_is_named_with_its_place(tmp_path: Path) -> None:
    place = saved(tmp_path)
    wrong = tmp_path / "chexpert/default/imagenet/frozen/1" / place.name
    shutil.copytree(place, wrong)
    damage: list[UserError] = []
    assert len(list(Store(tmp_path).records(damage.append))) == 1
    assert f"{wrong}: holds the trial of another place, {record().place}; move it there" in str(damage[0])


def test_a_renamed_folder_of_a_task_is_no_place_for_its_trials(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "chexpert").rename(tmp_path / "mychexpert")
    with pytest.raises(UserError, match=r"mychexpert.*holds the trial of another place, chexpert/"):
        list(Store(tmp_path).records())


def test_an_existing_trial_is_never_replaced(tmp_path: Path) -> None:
    saved(tmp_path)
    saved(tmp_path, metrics={"auc": 0.9})
    assert [one.metrics["auc"] for one in Store(tmp_path).records()] == [0.7]


def test_replicates_come_in_numeric_order(tmp_path: Path) -> None:
    for replicate in (10, 2, 0):
        saved(tmp_path, replicate=replicate)
    assert [one.replicate for one in Store(tmp_path).records()] == [0, 2, 10]


def test_unfinished_things_are_not_records(tmp_path: Path) -> None:
    saved(tmp_path)
    shutil.copytree(tmp_path / "chexpert", tmp_path / ".partial" / "chexpert")
    assert len(list(Store(tmp_path).records())) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 1, "fingerp', "damaged, not a whole JSON document"),
        ("", "damaged"),
        ("[]", "not a record of cxrbench"),
        ('{"schema_version": true}', "not a record of cxrbench"),
        ('{"schema_version": 99}', r"newer cxrbench \(schema 99\); upgrade"),
        ('{"schema_version": 1}', "lacks dataset, encoder"),
    ],
)
def test_a_damaged_record_is_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    whole, cut = saved(tmp_path), saved(tmp_path, replicate=1)
    (cut / "record.json").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        list(Store(tmp_path).records())
    assert str(cut) in str(caught.value)
    damage: list[UserError] = []
    assert [one.place for one in Store(tmp_path).records(damage.append)] == [whole.relative_to(tmp_path)]
    assert len(damage) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": None}, "metrics is not an object"),
        ({"metrics": []}, "metrics is not an object"),
        ({"metrics": {"auc": "0.7"}}, "metrics.auc is not a number or null"),
        ({"metrics": {"auc": True}}, "metrics.auc is not a number or null"),
        ({"metrics": {"auc": 10**400}}, "metrics.auc is not a number or null"),
        ({"fraction": "100"}, "fraction is not a number"),
        ({"fraction": 10**400}, "fraction is not a number"),
        ({"replicate": 1.5}, "replicate is not a whole number"),
        ({"replicate": True}, "replicate is not a whole number"),
        ({"synthetic": 1}, "synthetic is not true or false"),
        ({"weights": None}, "weights is not an object"),
        ({"weights": {"contamination": None}}, "weights.contamination is not a list of texts"),
        ({"notes": [1]}, "notes is not a list of texts"),
        ({"encoder": None}, "encoder is not a text"),
        ({"split": "x"}, "split is not an object"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    file = saved(tmp_path) / "record.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(UserError, match=f"{said}; remove its folder") as caught:
        list(Store(tmp_path).records())
    assert str(file) in str(caught.value)


def test_nan_is_damage_and_never_a_metric(tmp_path: Path) -> None:
    file = saved(tmp_path) / "record.json"
    file.write_text(file.read_text().replace("0.7", "NaN"))
    with pytest.raises(UserError, match="damaged"):
        list(Store(tmp_path).records())


def test_a_trial_is_done_only_when_record_and_predictions_are_there(tmp_path: Path) -> None:
    place = saved(tmp_path)
    assert Store(tmp_path).has(record().place)
    (place / "predictions.parquet").unlink()
    assert not Store(tmp_path).has(record().place)


def test_a_trial_that_lost_its_predictions_is_replaced_when_it_is_run_again(tmp_path: Path) -> None:
    place = saved(tmp_path)
    (place / "predictions.parquet").unlink()
    saved(tmp_path)
    assert Store(tmp_path).has(record().place)


def test_a_store_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot write .*file"):
        Store(tmp_path / "file" / "store").writable()


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Predictions, "write", no_space)
    with pytest.raises(UserError, match="No space left on device; free some space"):
        saved(tmp_path)
    assert list(Store(tmp_path).folders()) == []
    assert not list((tmp_path / ".partial").iterdir())


def test_a_claim_is_exclusive_and_ends_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from cxrbench.results import Store\n"
        f"with Store({str(tmp_path)!r}).claim('f') as free:\n    print(free, flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline().strip() == "True"
    with Store(tmp_path).claim("f") as free:
        assert not free
    with Store(tmp_path).claim("another") as free:
        assert free
    other.kill()
    other.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with Store(tmp_path).claim("f") as free:
            if free:
                break
    assert free
    assert not list((tmp_path / ".partial").glob("*.claim"))
    Store(tmp_path).tidy()
    assert not (tmp_path / ".partial").exists()
