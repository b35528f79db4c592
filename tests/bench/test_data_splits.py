"""`cxrbench data splits` and `run --splits` as a user runs them."""

from __future__ import annotations

import csv
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cxrbench.bench.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: Path) -> Run:
    """Run cxrbench in an empty folder: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments), "--cache", str(cache)])
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        return int(caught.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture(scope="session")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom of NIH ChestX-ray14: 60 images of 32 pixels in the real layout."""
    from cxrbench.data.phantom.dataset import write_phantom_dataset

    root = tmp_path_factory.mktemp("phantom") / "nih14"
    write_phantom_dataset("nih14", root, 60, 32, rib_free=False)
    return root


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    """`rows` as a file in which each draw states as many rows as it has."""
    counts = Counter(draw_of(row) for row in rows)
    rows = [{**row, "rows": str(counts[draw_of(row)])} for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def test_an_exported_file_is_accepted_and_says_what_it_holds(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih)
    code, out, _ = run("data", "splits", "export", "s.csv", *of, "--fractions", "30,100", "--replicates", "2")
    assert code == 0
    assert out.splitlines()[-1] == "s.csv: 4 draws of nih14; no patient on two sides"
    rows = rows_of(tmp_path / "s.csv")
    assert {(row["fraction"], row["replicate"]) for row in rows} == {
        ("30", "0"),
        ("30", "1"),
        ("100", "0"),
        ("100", "1"),
    }
    assert {row["task"] for row in rows} == {"nih14"}
    code, out, err = run("data", "splits", "import", "s.csv", *of)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "s.csv: 4 draws of nih14, version 1, on nih14"
    assert len(lines) == 6
    assert lines[-1].startswith("60 images have the ids, patients, labels and contents that the file states")


def test_without_options_the_plan_of_the_task_is_exported(run: Run, nih: Path, tmp_path: Path) -> None:
    code, out, _ = run("data", "splits", "export", "s.csv.gz", "--task", "nih14", "--data", nih)
    assert (code, out.splitlines()[-1]) == (0, "s.csv.gz: 12 draws of nih14; no patient on two sides")
    assert run("data", "splits", "import", "s.csv.gz", "--task", "nih14", "--data", nih)[0] == 0


def draw_of(row: dict[str, str]) -> tuple[str, str, str]:
    return row["variant"], row["fraction"], row["replicate"]


def leak_test_into_validation(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    kept = [row for row in rows if row["role"] != "validation"]
    return [*kept, *({**row, "role": "validation"} for row in kept if row["role"] == "test")]


def swap_an_image(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    name = rows[0]["sample_id"]
    return [{**row, "image_sha256": "0" * 64} if row["sample_id"] == name else row for row in rows]


def change_a_label(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    name = rows[0]["sample_id"]
    return [{**row, "labels_sha256": "0" * 16} if row["sample_id"] == name else row for row in rows]


def train_on_a_tested_patient(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    tested = next(row for row in rows if row["role"] == "test")
    return [*rows, {**tested, "role": "train"}]


def rename_an_image(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**rows[0], "sample_id": "99999999_000"}, *rows[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (leak_test_into_validation, "validation and test are the same "),
        (train_on_a_tested_patient, " both in train and in test ("),
        (swap_an_image, "with another image file here"),
        (change_a_label, "with other labels here"),
        (rename_an_image, "1 sample (99999999_000) that nih14 at "),
    ],
)
def test_what_does_not_fit_ends_import_and_run_with_1(
    run: Run, nih: Path, tmp_path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]], message: str
) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "100", "--replicates", "1")
    written(tmp_path / "t.csv", change(rows_of(tmp_path / "s.csv")))
    code, out, err = run("data", "splits", "import", "t.csv", *of)
    assert code == 1
    assert "1 draw of nih14" in out
    assert message in err
    started = ("run", "--encoder", "resnet18_scratch", *of, "--fractions", "100", "--replicates", "1", "--dry-run")
    code, _, err = run(*started, "--splits", "t.csv")
    assert (code, message in err) == (1, True)


def test_a_file_that_is_none_is_a_mistake_of_use(run: Run, nih: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample_id,role\na,train\n")
    code, _, err = run("data", "splits", "import", "s.csv", "--task", "nih14", "--data", nih)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("cxrbench: s.csv: no column task, task_version")


def test_run_finds_trials_done_that_were_drawn_and_are_now_imported(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih, "--set", "image_size=32")
    draws = ("--fractions", "30,100", "--replicates", "1")
    started = ("run", "--encoder", "resnet18_scratch", *of, "--store", "store")
    run("data", "splits", "export", "s.csv", *of, *draws)
    assert run(*started, *draws)[0] == 0
    code, _, err = run(*started, *draws, "--splits", "s.csv")
    assert code == 0
    assert "2 trials, 2 done before: nothing to run" in err
    code, _, err = run(*started, "--fractions", "10", "--replicates", "1", "--splits", "s.csv")
    assert code == 2
    assert "s.csv: no draws of variant default: 10 % x 1; it holds variant default: 30 % x 1, 100 % x 1. Choose" in err
    # Other patients make other trials, which are run beside the first and never in their place.
    swapped = [
        row if row["role"] == "test" else {**row, "role": _other(row["role"])} for row in rows_of(tmp_path / "s.csv")
    ]
    written(tmp_path / "t.csv", [row for row in swapped if row["fraction"] == "100"])
    code, _, err = run(*started, "--fractions", "100", "--replicates", "1", "--splits", "t.csv")
    assert (code, "1 trial done" in err) == (0, True)
    assert len(list((tmp_path / "store").rglob("record.json"))) == 3


def test_run_without_draws_takes_those_of_the_file_and_options_choose_among_them(
    run: Run, nih: Path, tmp_path: Path
) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "30,100", "--replicates", "3")
    kept = [row for row in rows_of(tmp_path / "s.csv") if row["fraction"] == "100" or row["replicate"] != "1"]
    written(tmp_path / "t.csv", kept)
    started = ("run", "--encoder", "resnet18_scratch", *of, "--splits", "t.csv", "--dry-run")
    for chosen, trials in (
        ((), 5),
        (("--fractions", "30"), 2),
        (("--replicates", "2"), 4),
        (("--fractions", "100", "--replicates", "1"), 1),
    ):
        code, out, err = run(*started, *chosen)
        assert (code, f"{trials} trial{'' if trials == 1 else 's'}" in out + err) == (0, True), out + err
    for chosen, absent in (
        (("--replicates", "3"), "no draws of variant default: 30 % replicate 1;"),
        (("--fractions", "10", "--replicates", "2"), "no draws of variant default: 10 % x 2;"),
    ):
        code, _, err = run(*started, *chosen)
        assert (code, absent in err) == (2, True), err
        assert "it holds variant default: 30 % replicates 0, 2, 100 % x 3. Choose among them with --variant" in err


def test_a_variant_that_the_task_has_not_is_an_error_of_the_file(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "100", "--replicates", "1")
    written(tmp_path / "t.csv", [{**row, "variant": "mine"} for row in rows_of(tmp_path / "s.csv")])
    code, _, err = run("run", "--encoder", "resnet18_scratch", *of, "--splits", "t.csv", "--dry-run")
    assert (code, err) == (2, "cxrbench: t.csv: nih14: unknown variant 'mine'; known: default\n")


def test_a_file_that_was_cut_off_is_refused_and_one_that_exists_is_kept(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih)
    export = ("data", "splits", "export", "s.csv", *of, "--replicates", "1", "--fractions")
    assert run(*export, "100")[0] == 0
    assert run(*export, "100")[0] == 0
    code, _, err = run(*export, "30")
    assert (code, err) == (2, "cxrbench: s.csv exists and holds something else; delete it or name another file\n")
    lines = (tmp_path / "s.csv").read_text().splitlines(keepends=True)
    (tmp_path / "s.csv").write_text("".join(lines[:31]))
    for started in (
        ("data", "splits", "import", "s.csv"),
        ("run", "--encoder", "resnet18_scratch", "--splits", "s.csv"),
    ):
        code, out, err = run(*started, *of)
        assert (code, out) == (2, "")
        assert "s.csv: default 100 % replicate 0 has 30 of 60 rows: the file was cut off or changed" in err


def test_a_part_of_the_official_test_set_is_a_note(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "30,100", "--replicates", "1")
    rows = rows_of(tmp_path / "s.csv")
    tested = sorted({row["sample_id"] for row in rows if row["role"] == "test"})
    kept = [row for row in rows if row["sample_id"] != tested[0]]
    written(tmp_path / "t.csv", kept)
    code, out, _ = run("data", "splits", "import", "t.csv", *of)
    note = f"note: 1 image ({tested[0]}) of the {len(tested)} of the dataset's own test set is not tested"
    assert (code, f"{note}; scores are not comparable with those on all of it\n" in out) == (0, True)
    written(tmp_path / "u.csv", [row for row in rows if row in kept or row["fraction"] == "30"])
    code, out, _ = run("data", "splits", "import", "u.csv", *of)
    assert (code, f"{note} in some draws; scores" in out) == (0, True)


def test_a_draw_without_test_rows_is_an_error_of_the_file_and_not_of_the_copy(
    run: Run, nih: Path, tmp_path: Path
) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "100", "--replicates", "1")
    written(tmp_path / "t.csv", [row for row in rows_of(tmp_path / "s.csv") if row["role"] != "test"])
    for started in (
        ("data", "splits", "import", "t.csv"),
        ("run", "--encoder", "resnet18_scratch", "--splits", "t.csv"),
    ):
        code, _, err = run(*started, *of)
        assert (code, "copy is complete" in err) == (1, False)
        assert "t.csv: default 100 % replicate 0: no test images in the file; give the draw rows of that role" in err


def test_a_file_of_another_task_is_refused_before_its_draws_are_listed(run: Run, nih: Path, tmp_path: Path) -> None:
    of = ("--task", "nih14", "--data", nih)
    run("data", "splits", "export", "s.csv", *of, "--fractions", "100", "--replicates", "1")
    written(tmp_path / "t.csv", [{**row, "task": "chexpert"} for row in rows_of(tmp_path / "s.csv")])
    for started in (
        ("data", "splits", "import", "t.csv"),
        ("run", "--encoder", "resnet18_scratch", "--splits", "t.csv"),
    ):
        code, out, err = run(*started, *of)
        assert (code, out) == (1, "")
        assert err.endswith("cxrbench: t.csv: the file is of task 'chexpert', not of 'nih14'\n")


def _other(role: str) -> str:
    return {"train": "validation", "validation": "train"}[role]


def test_a_copy_with_missing_images_is_exported_where_that_is_asked_for(run: Run, nih: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(nih, copy)
    gone = sorted(copy.rglob("*.png"))[0]
    gone.unlink()
    of = ("--task", "nih14", "--data", copy, "--fractions", "100", "--replicates", "1")
    code, _, errors = run("data", "splits", "export", "s.csv", *of)
    assert (code, "--skip-unreadable" in errors) == (2, True)
    assert run("data", "splits", "export", "s.csv", *of, "--skip-unreadable")[0] == 0
    names = {row["sample_id"] for row in rows_of(tmp_path / "s.csv")}
    assert gone.stem not in names
    assert len(names) == 59
    imported = ("data", "splits", "import", "s.csv", "--task", "nih14", "--data", copy)
    assert run(*imported)[0] == 2
    assert run(*imported, "--skip-unreadable")[0] == 0
    prepared = ("data", "prepare", "--task", "nih14", "--data", copy, "--set", "image_size=32")
    assert run(*prepared)[0] == 2
    code, out, _ = run(*prepared, "--skip-unreadable")
    assert (code, out.startswith("nih14: 59 images of 32 px are in ")) == (0, True)
