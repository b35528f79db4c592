"""Tables I and II of MLVICX filled by their tasks: every cell has a number that the task itself scored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxrbench.data import datasets
from cxrbench.foundation.errors import UserError
from cxrbench.results.papers import layout_of, paper_table
from cxrbench.results.papers.notes import Choice
from cxrbench.results.record import Record
from cxrbench.results.rendering import render
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import tasks

from .stores import record

NAMES = ("nih14", "vindr", "rsna_pneumonia")
SKILL = {"resnet18_scratch": 0.0, "mlvicx": 2.0}


def predictions(task: str, skill: float, seed: int, n: int = 80) -> Predictions:
    """Scores that know `skill` of a truth that is the same for every encoder and draw."""
    source = datasets.get(tasks.get(task).meta.dataset)
    fixed, noise = np.random.default_rng(0), np.random.default_rng(seed)
    count = len(source.labels)
    classes = fixed.integers(count, size=n)
    truth = np.eye(count)[classes] if source.exclusive else (fixed.random((n, count)) < 0.4).astype(float)
    scores = skill * truth + noise.standard_normal((n, count))
    names = [f"s{number:03d}" for number in range(n)]
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names})
    if source.exclusive:
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        table = table.assign(truth=classes, scores=pd.Series(list(scores)), decision=scores.argmax(axis=1))
    else:
        decision = scores > skill / 2
        table = table.assign(
            truth=pd.Series(list(truth)), scores=pd.Series(list(scores)), decision=pd.Series(list(decision))
        )
    return Predictions(table, source.labels, source.exclusive)


def records() -> list[Record]:
    """Two encoders at every planned fraction of the three tasks, both protocols, three replicates."""
    made = []
    for name in NAMES:
        meta = tasks.get(name).meta
        for encoder, skill in SKILL.items():
            for replicate in range(3):
                metrics = tasks.get(name).score(predictions(name, skill, seed=replicate))
                made += [
                    record(
                        task=name,
                        encoder=encoder,
                        protocol=protocol,
                        fraction=fraction,
                        replicate=replicate,
                        metrics=metrics,
                        fingerprint=f"{name}{encoder}{protocol}{fraction:g}{replicate}",
                        settings_hash=f"{name}{protocol}",
                        weights={"sha256": encoder},
                        dataset={"name": name},
                    )
                    for protocol in meta.protocols
                    for fraction in meta.replicates
                ]
    return made


@pytest.mark.parametrize("name", ["mlvicx-1", "mlvicx-2"])
@pytest.mark.parametrize("published", [False, True])
def test_every_cell_of_our_rows_is_filled(name: str, published: bool) -> None:
    layout = layout_of(name)
    grid = paper_table(layout, records(), tasks.names(), choice=Choice(published=published))
    ours = [row for row in grid.rows if row.encoder in SKILL]
    assert len(ours) == 2 * len(layout.blocks)
    for row in ours:
        cells = [cell for cell, column in zip(row.entries, grid.columns, strict=True) if not column.published]
        assert len(cells) == len(layout.columns) == 16
        assert [cell.text for cell in cells] == [""] * 16
        assert all(cell.value is not None and cell.count == "" for cell in cells)
        assert all(cell.best == (row.encoder == "mlvicx") for cell in cells)
    assert not any("not in this version" in note or "stay blank" in note for note in grid.notes)


def test_numbers_are_the_means_of_what_the_tasks_scored() -> None:
    grid = paper_table(layout_of("mlvicx-2"), records(), tasks.names())
    row = next(row for row in grid.rows if row.encoder == "mlvicx")
    shown = {(column.group, column.title): cell for column, cell in zip(grid.columns, row.entries, strict=True)}
    places = {
        "NIH AUC, mean of 14": ("nih14", "auc"),
        "NIH AUC, mean of 15": ("nih14", "auc_all"),
        "VinDr AUC": ("vindr", "auc"),
        "RSNA accuracy": ("rsna_pneumonia", "accuracy"),
    }
    for group, (task, metric) in places.items():
        scored = [tasks.get(task).score(predictions(task, 2.0, seed))[metric] for seed in range(3)]
        assert shown[group, "10 %"].value == pytest.approx(np.mean(np.array(scored, dtype=float)))


def test_a_row_can_be_given_to_another_encoder() -> None:
    choice = Choice(encoders={"BYOL": "resnet18_scratch", "Rand. Init": "mlvicx", "MLVICX": ""})
    with pytest.raises(UserError, match="--row MLVICX="):
        paper_table(layout_of("mlvicx-2"), records(), tasks.names(), choice=choice)
    mapped = [
        each if each.encoder != "mlvicx" else record(**{**vars(each), "encoder": "mine", "weights": {"sha256": "mine"}})
        for each in records()
    ]
    grid = paper_table(layout_of("mlvicx-2"), mapped, tasks.names(), choice=Choice(encoders={"MLVICX": "mine"}))
    row = next(row for row in grid.rows if row.label == "MLVICX")
    assert (row.encoder, row.entries[0].best) == ("mine", True)
    assert any("Rows as mapped by --row: MLVICX = mine." in note for note in grid.notes)


@pytest.mark.parametrize("form", ["markdown", "latex", "csv"])
def test_each_form_shows_ours_beside_the_papers(form: str) -> None:
    grid = paper_table(layout_of("mlvicx-2"), records(), tasks.names(), choice=Choice(published=True))
    row = next(row for row in grid.rows if row.encoder == "mlvicx")
    text = render([grid], form)
    assert f"{row.entries[0].value:.3f}"[:5] in text
    # MLVICX's printed 0.948 for VinDr, fine-tuned on all patients.
    assert "0.948" in text


def test_the_paper_prints_no_test_of_its_second_table_and_the_pool_t_decides() -> None:
    layout = layout_of("mlvicx-2")
    tests = {(place.fraction, place.paper_test, place.deciding_test) for place in layout.places()}
    assert tests == {(1.0, "", "pool t"), (10.0, "", "pool t"), (30.0, "", "pool t"), (100.0, "", "")}
