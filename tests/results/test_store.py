"""Records and the store: whole or absent, readable however damaged, claimed once."""

from __future__ import annotations

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
from cxrbench.results import Record, Store
from cxrbench.tasks.predictions import Predictions

HISTORY = pd.DataFrame({"epoch": [0], "loss": [0.5]})


def record(**changes: object) -> Record:
    one = Record(
        fingerprint="0123456789abcdef",
        encoder="scratch",
        task="chexpert",
        variant="default",
        protocol="frozen",
        fraction=1.0,
        replicate=0,
        metrics={"auc": 0.7, "auc/Fracture": None},
        synthetic=True,
        task_version=1,
        weights={"sha256": "ab"},
        dataset={"name": "chexpert"},
        split={},
        settings={"image_size": 64},
        settings_hash="aaaaaaaa",
        seed=0,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


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
    assert list(Store(tmp_path).records()) == [record()]
    assert json.loads((place / "record.json").read_text())["metrics"]["auc/Fracture"] is None


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
