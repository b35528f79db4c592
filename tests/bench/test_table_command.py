"""`cxrbench table` as a user runs it, on a store of predictions made by hand."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.bench.cli import main
from cxrbench.results import Record, Store
from cxrbench.results.papers import layout
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

LABELS = ("normal", "bacterial", "viral")
N = 90

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run cxrbench in an empty folder: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        (tmp_path / "here").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        return int(caught.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three encoders on 90 paediatric radiographs of 90 patients: 90, 60 and 57 decisions right."""
    folder = tmp_path_factory.mktemp("store")
    truth = np.arange(N) % 3
    for encoder, wrong in (("chess", []), ("imagenet", range(30)), ("scratch", range(33))):
        decision = truth.copy()
        decision[list(wrong)] = (decision[list(wrong)] + 1) % 3
        save(folder, encoder, truth, decision)
    return folder


def save(folder: Path, encoder: str, truth: np.ndarray, decision: np.ndarray, **changes: object) -> None:
    names = [f"{number:03d}" for number in range(len(truth))]
    scores = np.full((len(truth), 3), 0.1)
    scores[np.arange(len(truth)), decision] = 0.8
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "truth": truth})
    table = table.assign(scores=pd.Series(list(scores)), decision=decision)
    record = Record(
        **{
            "fingerprint": f"{encoder:_<16}",
            "encoder": encoder,
            "task": "pediatric_pneumonia",
            "variant": "default",
            "protocol": "finetune",
            "fraction": 100.0,
            "replicate": 0,
            "metrics": {
                "accuracy": float(np.mean(truth == decision)),
                "precision": 0.5,
                "recall": 0.5,
                "f1": None,
            },
            "synthetic": True,
            "task_version": 1,
            "weights": {"sha256": encoder, "contamination": ["pediatric_pneumonia"] if encoder == "scratch" else []},
            "dataset": {"name": "pediatric_pneumonia"},
            "split": {},
            "settings": {"image_size": 64},
            "settings_hash": "aaaaaaaa",
            "seed": 0,
            **changes,
        }  # type: ignore[arg-type]
    )
    Store(folder).save(record, Predictions(table, LABELS, True), pd.DataFrame({"epoch": [0]}))


def test_text_shows_places_and_signs(run: Run, store: Path) -> None:
    code, out, _ = run("table", "ifa-8", "--store", store)
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "SYNTHETIC phantom data" in out
    # 30 of 30 discordant decisions are for chess: McNemar p is about 1e-8. The errors go round the classes evenly,
    # so class totals hardly change and Stuart-Maxwell sees nothing.
    assert "1.000¹" in rows["CheSS"]
    assert "0.667²†" in rows["ImageNet"]
    assert "0.633†‡" in rows["Scratch"]
    assert "undefined (0/1)" in rows["CheSS"]
    assert "marginal homogeneity" in out


def test_csv_is_tidy_and_exact(run: Run, store: Path) -> None:
    code, out, _ = run("table", "ifa-8", "--store", store, "--format", "csv", "--published")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert len(lines) == 7 * 8
    (accuracy,) = [
        line for line in lines if (line["encoder"], line["column"], line["published"]) == ("scratch", "accuracy", "0")
    ]
    assert float(accuracy["value"]) == 57 / 90
    about = [accuracy[name] for name in ("task", "variant", "protocol", "fraction", "metric", "settings")]
    assert about == ["pediatric_pneumonia", "default", "finetune", "100", "accuracy", "aaaaaaaa"]
    assert (accuracy["row"], accuracy["marks"], accuracy["synthetic"]) == ("Scratch", "†‡", "1")
    assert {line["synthetic"] for line in lines if line["published"] == "1"} == {"0"}


@pytest.mark.parametrize(("form", "best"), [("markdown", "**1.000**"), ("latex", r"\textbf{1.000}")])
def test_other_forms_can_be_written_to_a_file(run: Run, store: Path, tmp_path: Path, form: str, best: str) -> None:
    code, out, err = run("table", "ifa-8", "--store", store, "--format", form, "--out", tmp_path / "t")
    assert (code, out) == (0, "")
    assert f"wrote {tmp_path / 't'}" in err
    text = (tmp_path / "t").read_text(encoding="utf-8")
    assert best in text
    assert "SYNTHETIC" in text


def test_a_file_that_cannot_be_written_leaves_nothing(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run("table", "ifa-8", "--store", store, "--out", tmp_path / "file" / "t.txt")
    assert (code, "cannot write" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


def test_different_test_sets_are_refused(run: Run, tmp_path: Path) -> None:
    for name, count in (("chess", N), ("scratch", N - 3)):
        truth = np.arange(count) % 3
        save(tmp_path / "store", name, truth, truth)
    code, _, err = run("table", "ifa-8", "--store", tmp_path / "store")
    assert (code, err.count("\n")) == (1, 1), err
    assert "test" in err


def test_a_row_can_be_mapped(run: Run, tmp_path: Path) -> None:
    truth = np.arange(N) % 3
    save(tmp_path / "store", "mine", truth, truth)
    code, out, _ = run("table", "ifa-8", "--store", tmp_path / "store", "--row", "MoCo v2 (ImageNet)=mine")
    assert code == 0
    assert "Rows as mapped by --row: MoCo v2 (ImageNet) = mine." in out
    assert "other encoders" not in out


@pytest.fixture
def without_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a table whose task nobody has registered: IFA's tenth, of a task of another name."""
    name = "ifa-1010"
    text = (layout.FOLDER / "ifa_10.toml").read_text(encoding="utf-8")
    assert 'task = "gan_inversion"' in text
    changed = text.replace('task = "gan_inversion"', 'task = "of_tomorrow"')
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "ifa_1010.toml").write_text(changed, encoding="utf-8")
    monkeypatch.setattr(layout, "FOLDER", tmp_path / "layouts")
    return name


def test_tables_without_their_tasks_say_so_and_show_the_papers_numbers_with_and_without_a_store(
    run: Run, store: Path, without_task: str
) -> None:
    code, out, err = run("table", without_task, "--store", store)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "not in this version of cxrbench: of_tomorrow; --published shows" in err
    for place in ((), ("--store", store)):
        code, out, _ = run("table", without_task, "--published", *place)
        assert (code, "SimCLR: rank on PSNR, SSIM, RMSE 1, p < 0.001" in out) == (0, True)
        assert "Task of_tomorrow: not in this version of cxrbench" in out
    code, out, _ = run("ls", "tables")
    assert (code, "tasks of_tomorrow; not yet: of_tomorrow; published: text only" in out) == (0, True)


def test_a_task_of_ones_own_fills_a_table_without_others(
    run: Run, store: Path, tmp_path: Path, without_task: str
) -> None:
    included = tmp_path / "registers_of_tomorrow.py"
    included.write_text(
        "from cxrbench.tasks.registry import tasks\ntasks.register('of_tomorrow', tasks.get('pediatric_pneumonia'))\n"
    )
    try:
        code, out, _ = run("table", without_task, "--store", store, "--include", included)
        assert (code, "No records of of_tomorrow at the protocol and fractions of this table" in out) == (0, True)
    finally:
        tasks._registered.pop("of_tomorrow", None)


def test_a_protocol_that_the_store_lacks_is_one_line(run: Run, store: Path) -> None:
    code, out, err = run("table", "ifa-8", "--store", store, "--protocol", "frozen")
    assert (code, out) == (2, "")
    assert "--protocol: unknown protocol in this store for ifa-8 'frozen'; known: finetune" in err


@pytest.mark.parametrize(
    ("name", "start"),
    [("t.md", "**"), ("t.CSV", "table,row_group"), ("t.tex", "% ifa-8"), ("t.txt", "Paediatric"), ("t", "Paediatric")],
)
def test_the_suffix_says_the_form(run: Run, store: Path, tmp_path: Path, name: str, start: str) -> None:
    assert run("table", "ifa-8", "--store", store, "--out", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_a_given_form_wins_over_the_suffix(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("table", "--store", store, "--out", tmp_path / "t.md", "--format", "csv")[0] == 0
    assert (tmp_path / "t.md").read_text(encoding="utf-8").startswith("table,row_group")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ifa-88",), "unknown table 'ifa-88'; did you mean 'ifa-8'?"),
        (("ifa-8",), "--store cxrbench-results: no such folder"),
        (("ifa-8", "--metric", "auc"), "--metric: ifa-8 has its own"),
        (("ifa-8", "--row", "CheSS"), "--row 'CheSS': write it as ROW=ENCODER"),
        (("ifa-8", "--row", "CheSS=a", "--row", "CheSS=b"), "--row: 'CheSS' is given twice"),
        (("--published",), "--published: needs a table's NAME"),
        (("ifa-8", "--format", "xml"), "--format: unknown format 'xml'; known: csv, latex, markdown, text"),
        (("--protocol", "frozn"), "--protocol: unknown protocol 'frozn'; did you mean 'frozen'?"),
        (("ifa-8", "--out", "t.html"), "--out t.html: not written as html; use .txt, .md"),
        (("--row", "CheSS=a"), "--row: needs a table's NAME"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = run("table", *arguments)
    assert (code, said in err, err.count("\n")) == (2, True, 1), err


def test_means_of_all_records_in_every_form(run: Run, store: Path) -> None:
    code, out, _ = run("table", "--store", store)
    assert (code, "pediatric_pneumonia, finetune: accuracy, one replicate" in out) == (0, True)
    assert "0.633" in out
    code, out, _ = run("table", "--store", store, "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [float(line["value"]) for line in lines] == [1.0, 60 / 90, 57 / 90]
    assert [line["encoder"] for line in lines] == ["chess", "imagenet", "scratch"]
    assert {(line["task"], line["fraction"], line["settings"]) for line in lines} == {
        ("pediatric_pneumonia", "100", "aaaaaaaa")
    }
    for form, part in (("markdown", "| chess | 1.000 |"), ("latex", r"chess & 1.000 \\")):
        code, out, _ = run("table", "--store", store, "--format", form)
        assert (code, part in out) == (0, True)
    code, _, err = run("table", "--store", store, "--protocol", "frozen")
    assert (code, "unknown protocol 'frozen'" in err) == (2, True)


def test_several_settings_are_chosen_by_commas_and_other_tasks_stay(run: Run, tmp_path: Path) -> None:
    truth = np.arange(N) % 3
    for name, settings in (("chess", "bbbbbbbb"), ("scratch", "aaaaaaaa")):
        save(tmp_path / "s", name, truth, truth, settings_hash=settings)
    save(tmp_path / "s", "imagenet", truth, truth, settings_hash="cccccccc", task="six_class")

    def encoders(*arguments: str) -> list[str]:
        code, out, err = run("table", "--store", tmp_path / "s", "--format", "csv", *arguments)
        assert code == 0, err
        return [line["encoder"] for line in csv.DictReader(io.StringIO(out))]

    assert encoders("--settings", "aaaaaaaa") == ["scratch", "imagenet"]
    assert encoders("--settings", "bbbbbbbb,cccccccc") == ["chess", "imagenet"]
    code, _, err = run("table", "--store", tmp_path / "s", "--settings", "aaaaaaaa,cccccccd")
    assert (code, "unknown settings hash 'cccccccd'; did you mean 'cccccccc'?" in err) == (2, True)


def test_tables_are_listed(run: Run) -> None:
    code, out, _ = run("ls", "tables")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("ifa", "mlvicx"))][-1] == "mlvicx-4"
    assert "tasks nih14, vindr, rsna_pneumonia; published: 240 of 288" in out
    assert "tasks bone_suppression, nodule_generation; published: 8 of 28 cells" in out
    assert "tasks nih14; published: all cells" in out
    assert "tasks chexpert; published: text only" in out


def test_a_mistyped_kind_is_one_line(run: Run) -> None:
    code, _, err = run("ls", "recrods")
    assert (code, err) == (2, "cxrbench: unknown kind 'recrods'; did you mean 'records'?\n")
