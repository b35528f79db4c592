"""The papers' tables: published numbers cell by cell, what is shown and what is refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cxrbench.data import datasets
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.pretrain.source import encoders
from cxrbench.results.grid import About, Entry, Grid
from cxrbench.results.papers import layout_names, layout_of, paper_table
from cxrbench.results.papers.layout import read_layout
from cxrbench.results.papers.notes import Choice
from cxrbench.results.papers.printed import printed_extent
from cxrbench.results.published_numbers import FOLDER
from cxrbench.results.record import Record
from cxrbench.tasks.registry import tasks

from .stores import record

OURS = {"chexpert", "six_class", "pediatric_pneumonia"}
NIH = "NIH ChestX-ray14"


def draws(encoder: str, values: Sequence[float | None], **changes: object) -> list[Record]:
    """Replicates of one encoder, by default on chexpert at 1 %, fine-tuned."""
    given = {"protocol": "finetune", "encoder": encoder, **changes}
    metric = given.pop("metric", "auc")
    return [
        record(replicate=number, fingerprint=f"{encoder}{number}", metrics={metric: value}, **given)
        for number, value in enumerate(values)
    ]


def cells(grid: Grid, label: str, group: str | None = None) -> dict[str, Entry]:
    """Column -> entry of our columns, for one row."""
    (row,) = [row for row in grid.rows if row.label == label and group in (None, row.group)]
    return {
        column.title: entry for column, entry in zip(grid.columns, row.entries, strict=True) if not column.published
    }


@pytest.mark.parametrize("name", layout_names())
def test_every_table_is_there_without_records_and_with_the_papers_numbers(name: str) -> None:
    layout = layout_of(name)
    made = paper_table(layout, [], OURS, choice=Choice(published=True))
    assert len(made.rows) == len(layout.rows) * len(layout.blocks)
    assert all(len(row.entries) == len(made.columns) for row in made.rows)
    ours = [e for r in made.rows for c, e in zip(made.columns, r.entries, strict=True) if not c.published]
    assert {(entry.value, entry.text) for entry in ours} == {(None, "")}
    assert any(column.published for column in made.columns)
    assert not made.synthetic
    absent = set(layout.tasks()) - OURS
    assert any("not in this version of cxrbench" in note for note in made.notes) == bool(absent)
    assert all(any(task in note for note in made.notes) for task in layout.tasks())


def test_names_are_the_papers() -> None:
    assert layout_names() == (
        "chess", "ifa-5", "ifa-6", "ifa-7", "ifa-8", "ifa-9", "ifa-10", "mlvicx-1", "mlvicx-2", "mlvicx-3", "mlvicx-4",
    )  # fmt: skip


def test_bodies_that_are_not_available_stay_blank_and_the_text_is_quoted() -> None:
    for name in layout_names():
        if name.startswith("ifa"):
            grid = paper_table(layout_of(name), [], OURS, choice=Choice(published=True))
            assert all(entry.value is None for row in grid.rows for entry in row.entries)
            assert any("not available" in note for note in grid.notes)
            assert any(note.startswith("From the paper's text: ") for note in grid.notes)
    notes = paper_table(layout_of("ifa-7"), [], OURS, choice=Choice(published=True)).notes
    (text,) = [note for note in notes if note.startswith("From")]
    assert "1%, Mean: AUC (paired t, 10 resamples), p = 0.005; " in text
    assert text.endswith("50%, Mean: AUC (paired t, 10 resamples), p < 0.001.")


def where(line: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Row group, row, column group and column where a line of the CSVs belongs; written apart from the layouts."""
    per_cent = line["fraction"].replace("%", " %")
    protocol = {"frozen": "frozen", "finetune": "fine-tuned"}[line["protocol"]]
    match line["table"]:
        case "I" if line["label"] == "Mean":
            return per_cent, line["model"], "mean AUC, published", "of 15"
        case "I":
            return per_cent, line["model"], "AUC, published", line["label"]
        case "II":
            dataset = {NIH: "NIH AUC, mean of 15", "VinBig-CXR": "VinDr AUC", "RSNA Pneumonia": "RSNA accuracy"}
            return protocol, line["model"], f"{dataset[line['dataset']]}, published", per_cent
        case "III":
            return "", line["model"], f"Dice, {protocol}, published", per_cent
        case _:
            row = line["model"].removeprefix("MLVICX ablation ")[:5]
            group = "L_G + L_L" if row == "row 3" else "one loss"
            return group, row, f"{protocol}, mean of 15, published", per_cent


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_published_numbers_equal_the_csv_cell_by_cell(number: int) -> None:
    grid = paper_table(layout_of(f"mlvicx-{number}"), [], OURS, choice=Choice(published=True))
    shown = dict(printed(grid))
    with (FOLDER / f"mlvicx_table{number}.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        entry = shown.pop(where(line))
        assert f"{entry.value:.{entry.decimals}f}" == line["value"]
        assert ("" if entry.sd is None else f"{entry.sd:.{entry.decimals}f}") == line["sd"]
        assert (entry.published, entry.source, entry.best, entry.second) == (True, line["source"], False, False)
    if number == 1:
        with (FOLDER / "mlvicx_table1_mean_check.csv").open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                place = (line["fraction"].replace("%", " %"), line["model"], "mean AUC, published", "of 14")
                assert f"{shown.pop(place).value:.4f}" == line["computed_mean_14"]
    assert shown == {}


def printed(grid: Grid) -> Iterator[tuple[tuple[str, str, str, str], Entry]]:
    for row in grid.rows:
        for column, entry in zip(grid.columns, row.entries, strict=True):
            if column.published and entry.value is not None:
                yield (row.group, row.label, column.group, column.title), entry


def test_the_row_that_contradicts_itself_is_marked() -> None:
    grid = paper_table(layout_of("mlvicx-1"), [], OURS, choice=Choice(published=True))
    marked = {place[:2] for place, entry in printed(grid) if entry.marks}
    assert marked == {("10 %", "Barlow-Twins")}
    assert any(note.startswith("§ Barlow-Twins at 10%") and "1.13" in note for note in grid.notes)
    assert any("35 of 48 rows" in note for note in grid.notes)


def test_contaminated_cells_are_flagged_and_the_note_says_so() -> None:
    seen = draws("chess", [0.9], weights={"sha256": "ab", "contamination": ["chexpert"]})
    elsewhere = draws("scratch", [0.7], weights={"sha256": "cd", "contamination": ["nih14"]})
    grid = paper_table(layout_of("ifa-7"), [*seen, *elsewhere], OURS)
    assert cells(grid, "CheSS")["1 %"].contaminated
    assert not cells(grid, "Scratch")["1 %"].contaminated
    assert any(note.startswith("‡") for note in grid.notes)


def test_cells_of_a_dataset_with_images_left_out_are_flagged_and_counted() -> None:
    grid = paper_table(layout_of("ifa-7"), draws("chess", [0.9], dataset={"name": "chexpert", "left_out": 1}), OURS)
    assert cells(grid, "CheSS")["1 %"].left_out == 1
    assert "¶ chexpert: 1 image left out (--skip-unreadable)." in grid.notes


def test_cells_of_unverified_weights_are_flagged_and_the_note_says_so() -> None:
    doubtful = draws("chess", [0.9], weights={"sha256": "ab", "unverified": True})
    grid = paper_table(layout_of("ifa-7"), [*doubtful, *draws("scratch", [0.7], weights={"sha256": "cd"})], OURS)
    assert cells(grid, "CheSS")["1 %"].unverified
    assert not cells(grid, "Scratch")["1 %"].unverified
    assert any(note.startswith("‖ Unverified weights") for note in grid.notes)


def test_the_papers_tables_ask_for_encoders_of_the_zoo() -> None:
    zoo = set(encoders.names())
    # Rows without an encoder: see the `references` of their tasks.
    without = {"", "identity", "lpips", "mse_alone", "no_perceptual"}
    for name in ("chess", "ifa-6", "ifa-7", "ifa-8", "ifa-9", "ifa-10"):
        assert {row.encoder for row in layout_of(name).rows} <= zoo | without
    wanted = {row.encoder for row in layout_of("mlvicx-1").rows}
    # The other baselines of that paper are ResNet-18 that its authors trained themselves.
    assert {"mlvicx", "pcrl_v1", "pcrl_v2", "resnet18_scratch"} <= wanted & zoo


def test_several_settings_in_a_column_are_refused_until_one_is_chosen() -> None:
    other = draws("chess", [0.9], settings_hash="bbbbbbbb", settings={"image_size": 128})
    records = [*draws("scratch", [0.7]), *other]
    with pytest.raises(RefusedError, match=r"2 settings: aaaaaaaa \(1 trial\), bbbbbbbb .*--settings HASH"):
        paper_table(layout_of("ifa-7"), records, OURS)
    grid = paper_table(layout_of("ifa-7"), records, OURS, choice=Choice(settings=("bbbbbbbb",)))
    assert cells(grid, "Scratch")["1 %"].value is None
    with pytest.raises(UserError, match=r"unknown settings hash 'bbbbbbbc'; did you mean 'bbbbbbbb'"):
        paper_table(layout_of("ifa-7"), records, OURS, choice=Choice(settings=("bbbbbbbc",)))


def test_mixed_task_versions_are_refused_even_across_columns() -> None:
    def six(variant: str, version: int) -> list[Record]:
        return draws(
            "scratch", [0.7], task="six_class", variant=variant, task_version=version, fraction=100.0, metric="accuracy"
        )

    with pytest.raises(RefusedError, match=r"six_class: records of 2 versions \(task 1 / results 1, task 2"):
        paper_table(layout_of("ifa-6"), [*six("full", 1), *six("modified", 2)], OURS)


def test_a_store_of_frozen_trials_is_shown_and_says_so() -> None:
    frozen = draws("scratch", [0.7], protocol="frozen")
    grid = paper_table(layout_of("ifa-7"), frozen, OURS)
    assert cells(grid, "Scratch")["1 %"].value == pytest.approx(0.7)
    assert any("frozen encoder, which is not the protocol of the paper" in note for note in grid.notes)
    both = [*frozen, *draws("chess", [0.8])]
    grid = paper_table(layout_of("ifa-7"), both, OURS)
    assert cells(grid, "Scratch")["1 %"].value is None
    assert not any("protocol" in note for note in grid.notes)
    grid = paper_table(layout_of("ifa-7"), both, OURS, choice=Choice(protocol="frozen"))
    assert cells(grid, "Scratch")["1 %"].value == pytest.approx(0.7)
    with pytest.raises(UserError, match="mlvicx-3 shows both protocols"):
        paper_table(layout_of("mlvicx-3"), both, OURS, choice=Choice(protocol="frozen"))


def test_published_numbers_stay_those_of_the_papers_protocol() -> None:
    frozen = draws("resnet18_scratch", [0.7], task="nih14", protocol="frozen")
    grid = paper_table(layout_of("mlvicx-1"), frozen, OURS, choice=Choice(published=True))
    assert len(list(printed(grid))) == 720 + 48


def test_means_of_14_and_of_15_stand_side_by_side() -> None:
    metrics = {"auc": 0.70, "auc_all": 0.72, "auc/Hernia": 0.9}
    records = [record(task="nih14", protocol="finetune", encoder="mlvicx", metrics=metrics)]
    shown = cells(paper_table(layout_of("mlvicx-1"), records, OURS), "MLVICX", "1 %")
    assert (shown["of 14"].value, shown["of 15"].value, shown["Hernia"].value) == (0.70, 0.72, 0.9)
    assert shown["Mass"].text == "not recorded"


def test_the_published_never_enter_our_places() -> None:
    # Far below what the paper prints, and best of ours all the same.
    records = [
        record(task="siim_acr", protocol="frozen", encoder=encoder, fraction=30.0, metrics={"dice": value})
        for encoder, value in (("mlvicx", 0.1), ("resnet18_byol", 0.05))
    ]
    grid = paper_table(layout_of("mlvicx-3"), records, OURS, choice=Choice(published=True))
    ranked = [entry for row in grid.rows for entry in row.entries if entry.best or entry.second]
    assert [(entry.value, entry.published) for entry in ranked] == [(0.05, False), (0.1, False)]


def test_spread_is_shown_where_the_paper_prints_it_or_where_asked() -> None:
    records = [
        record(task="nih14", protocol="finetune", encoder="mlvicx", replicate=n, fingerprint=str(n), metrics={"auc": v})
        for n, v in enumerate((0.7, 0.8))
    ]
    plain = cells(paper_table(layout_of("mlvicx-1"), records, OURS), "MLVICX", "1 %")["of 14"]
    full = paper_table(layout_of("mlvicx-1"), records, OURS, choice=Choice(spread=True))
    assert plain.sd is None
    assert cells(full, "MLVICX", "1 %")["of 14"].sd == pytest.approx(0.1 / 2**0.5)


@pytest.mark.parametrize("name", layout_names())
def test_tables_agree_with_the_tasks_they_show(name: str) -> None:
    layout = layout_of(name)
    for place in layout.places():
        if place.task not in tasks.names():
            continue
        meta = tasks.get(place.task).meta
        assert place.variant in meta.variants
        assert place.protocol in meta.protocols
        metric, _, label = place.metric.partition("/")
        assert meta.metrics[metric] is not place.lower_is_better
        assert not label or label in datasets.get(meta.dataset).labels
        assert meta.replicates[place.fraction] == place.replicates
        # The tests over replicates are made of every task: see `tests_over_replicates`.
        over_replicates = {"paired t"} if place.replicates > 1 and place.fraction == 100 else {"pool t"}
        assert {place.paper_test, place.deciding_test} - {"", *over_replicates} <= set(meta.tests)


def test_unknown_tables_are_named() -> None:
    with pytest.raises(UserError, match=r"unknown table 'ifa-77'; did you mean 'ifa-7'"):
        layout_of("ifa-77")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("fraction = 30", "fraction = 300"), "fraction"),
        (('metric = "dice"', 'metrik = "dice"'), "did you mean 'metric'"),
        (('encoder = "mlvicx"', 'encoder = "resnet18_byol"'), "encoder given twice: resnet18_byol"),
        (("replicates = 3", 'replicates = 3\npaper_test = "t"'), "paper_test"),
        (('title = "30 %"', 'titel = "30 %"'), "unknown key 'columns.0.titel'"),
    ],
)
def test_broken_layouts_name_file_and_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    from cxrbench.results.papers import layout as module

    text = (Path(module.__file__).parent / "mlvicx_3.toml").read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "mlvicx_3.toml"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(UserError, match=said) as caught:
        read_layout(path)
    assert str(path) in str(caught.value)


def test_how_much_of_a_table_is_printed() -> None:
    found = {name: printed_extent(layout_of(name)) for name in layout_names()}
    assert {found[name] for name in layout_names() if name.startswith("ifa")} == {"text only"}
    # Table II has no number for RSNA and VinDr in some rows; the other three print every cell.
    assert [found[f"mlvicx-{number}"] for number in (1, 3, 4)] == ["all cells"] * 3
    assert found["mlvicx-2"] == "240 of 288 cells"


def test_a_protocol_that_the_store_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"--protocol: unknown protocol in this store for ifa-7 'finetune'.*frozen"):
        paper_table(layout_of("ifa-7"), draws("a", [0.7], protocol="frozen"), OURS, choice=Choice(protocol="finetune"))


def test_every_cell_says_what_it_is_a_number_of() -> None:
    grid = paper_table(layout_of("ifa-7"), draws("chess", [0.7, 0.8], protocol="frozen"), OURS)
    (row,) = [row for row in grid.rows if row.encoder == "chess"]
    assert row.entries[0].about == About("chexpert", "default", "frozen", 1.0, "auc", "aaaaaaaa")
    assert row.entries[1].about == About("chexpert", "default", "frozen", 10.0, "auc")
    printed = paper_table(layout_of("mlvicx-1"), [], OURS, choice=Choice(published=True, protocol="frozen")).rows[0]
    told = {entry.about.protocol for entry in printed.entries if entry.published and entry.about}
    assert told == {"finetune"}
