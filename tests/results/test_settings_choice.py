"""One meaning of `--settings`: alone, in tables, in the papers' tables and on a leaderboard."""

from __future__ import annotations

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.leaderboard.board import boards
from cxrbench.results.papers import layout_of, paper_table
from cxrbench.results.papers.notes import Choice
from cxrbench.results.record import Record
from cxrbench.results.settings_choice import of_settings
from cxrbench.results.table import tables

from .stores import record


def stored() -> list[Record]:
    """chexpert under settings a and b, six_class under c alone."""
    return [
        record(encoder="chess", settings_hash="a", metrics={"auc": 0.7}),
        record(encoder="chess", settings_hash="b", metrics={"auc": 0.8}, fingerprint="b"),
        record(encoder="chess", settings_hash="c", metrics={"accuracy": 0.9}, task="six_class"),
    ]


def hashes(records: list[Record]) -> list[str]:
    return [each.settings_hash for each in records]


def test_a_choice_concerns_only_where_its_hashes_are() -> None:
    assert hashes(of_settings(stored(), ["b"])) == ["b", "c"]
    assert hashes(of_settings(stored(), ["a", "c"])) == ["a", "c"]
    assert hashes(of_settings(stored(), [])) == ["a", "b", "c"]


def test_variants_and_protocols_have_hashes_of_their_own() -> None:
    records = [*stored(), record(settings_hash="d", protocol="finetune"), record(settings_hash="e", variant="vgg16")]
    assert hashes(of_settings(records, ["b"])) == ["b", "c", "d", "e"]


def test_an_unknown_hash_is_refused_even_beside_a_known_one() -> None:
    with pytest.raises(UserError, match="--settings: unknown settings hash 'z'"):
        of_settings(stored(), ["b", "z"])


def test_tables_and_boards_choose_alike() -> None:
    shown = tables(stored(), {"chexpert": "auc", "six_class": "accuracy"}, ["b"])
    assert {(each.task, each.settings_hash) for each in shown} == {("chexpert", "b"), ("six_class", "c")}
    (board,) = boards(stored(), ["b"])
    assert {(each.task, each.settings_hash) for each in board.columns} == {("chexpert", "b"), ("six_class", "c")}


def test_a_papers_table_chooses_alike() -> None:
    finetuned = [record(protocol="finetune", settings_hash=each, fingerprint=each) for each in "ab"]
    grid = paper_table(layout_of("ifa-7"), finetuned, {"chexpert"}, choice=Choice(settings=("b",)))
    shown = {entry.about.settings for row in grid.rows for entry in row.entries if entry.about and entry.value}
    assert shown == {"b"}
    elsewhere = record(protocol="finetune", settings_hash="c", task="six_class")
    with pytest.raises(UserError, match="unknown settings hash 'c'"):
        paper_table(layout_of("ifa-7"), [*finetuned, elsewhere], {"chexpert"}, choice=Choice(settings=("c",)))
