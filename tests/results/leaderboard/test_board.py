"""What stands on a board: means by hand, completeness, and what is never put together."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.results.leaderboard.board import boards

from .conftest import grid_of, metric_of, trials


def test_a_column_is_a_task_variant_and_fraction_with_mean_and_sd_over_replicates() -> None:
    values = [0.70, 0.74, 0.81]
    records = [*trials("x", "b", values, fraction=10.0), *trials("x", "a", [0.9], variant="full")]
    (board,) = boards(records, metric_of=metric_of)
    assert [column.name for column in board.columns] == ["a full 100 %", "b 10 %"]
    cell = board.cells["x", 1].cell
    assert (cell.mean, cell.sd) == (pytest.approx(statistics.mean(values)), pytest.approx(statistics.stdev(values)))
    assert (cell.defined, cell.replicates, board.columns[1].replicates) == (3, 3, 3)


def test_a_generator_is_read_once_and_the_metric_alone_is_kept() -> None:
    records = trials("x", "a", [0.5]) + trials("y", "a", [0.25])
    records = [replace(one, metrics={**one.metrics, "auc/Edema": 0.1}) for one in records]
    (board,) = boards(iter(records), metric_of=metric_of)
    assert board.values().tolist() == [[0.5], [0.25]]


def test_protocols_and_kinds_of_data_never_share_a_board() -> None:
    records = [
        one
        for synthetic in (True, False)
        for protocol in ("finetune", "frozen")
        for one in trials("x", "a", [0.5], synthetic=synthetic, protocol=protocol)
    ]
    found = [(board.synthetic, board.protocol) for board in boards(records, metric_of=metric_of)]
    assert found == [(False, "frozen"), (False, "finetune"), (True, "frozen"), (True, "finetune")]


def test_what_an_encoder_lacks_is_named() -> None:
    records = [
        *trials("all", "a", [0.5, 0.6]),
        *trials("all", "b", [0.5]),
        *trials("few", "a", [0.5]),
        *trials("few", "b", [None]),
        *trials("none", "b", [0.4]),
    ]
    (board,) = boards(records, metric_of=metric_of)
    assert board.missing("all") == ()
    assert board.missing("few") == ("a 100 % (1 of 2 replicates)", "b 100 % (undefined)")
    assert board.missing("none") == ("a 100 % (not run)",)


def test_a_replicate_undefined_for_everyone_is_asked_of_no_one() -> None:
    records = trials("x", "a", [0.5, None]) + trials("y", "a", [0.6, None])
    (board,) = boards(records, metric_of=metric_of)
    assert (board.missing("x"), board.missing("y"), board.columns[0].replicates) == ((), (), 1)


def test_a_column_undefined_for_everyone_is_said() -> None:
    records = grid_of({"x": [0.5, None], "y": [0.6, None]}, "ab")
    (board,) = boards(records, metric_of=metric_of)
    assert board.missing("x") == ()
    assert board.notes == ("b 100 %: undefined for every encoder, not ranked",)


def test_cells_of_encoders_that_saw_the_dataset_are_contaminated() -> None:
    weights = {"sha256": "ab", "contamination": ["a_data"]}
    records = trials("x", "a", [0.5], weights=weights) + trials("x", "b", [0.5], weights=weights)
    (board,) = boards([*records, *trials("y", "a", [0.5])], metric_of=metric_of)
    assert {place: one.contaminated for place, one in board.cells.items()} == {
        ("x", 0): True,
        ("x", 1): False,
        ("y", 0): False,
    }


def test_a_mixture_of_settings_is_refused_until_one_is_chosen() -> None:
    records = trials("x", "a", [0.5]) + trials("y", "a", [0.6], settings_hash="other", settings={"image_size": 128})
    records += trials("x", "b", [0.7])
    with pytest.raises(RefusedError, match=r"2 settings: other \(1 trial\), settings-a .*--settings HASH.*image_size"):
        boards(records, metric_of=metric_of)
    (board,) = boards(records, ["other"], metric_of)
    # The choice concerns the task that has it; others stay.
    assert sorted(board.cells) == [("x", 1), ("y", 0)]
    with pytest.raises(UserError, match=r"--settings: unknown settings hash 'otter'; did you mean 'other'"):
        boards(records, ["otter"], metric_of)


def test_one_name_for_two_weights_is_refused() -> None:
    twice = trials("x", "a", [0.5]) + trials("x", "a", [0.6], fingerprint="again")
    with pytest.raises(RefusedError, match="x on a has two trials at 100 %, replicate 0"):
        boards(twice, metric_of=metric_of)
    records = trials("x", "a", [0.5]) + trials("x", "b", [0.6], weights={"sha256": "ffff"})
    with pytest.raises(
        RefusedError, match=r"x stands for several weights: x+ \(a/.*\) and ffff \(b/.*give each a name of its own"
    ):
        boards(records, metric_of=metric_of)


def test_random_weights_may_differ_from_replicate_to_replicate() -> None:
    records = [
        one
        for seed in range(3)
        for one in trials("x", "a", [0.5], weights={"sha256": f"{seed}", "arch": "resnet18", "seed": seed})
    ]
    records = [replace(one, replicate=number) for number, one in enumerate(records)]
    (board,) = boards(records, metric_of=metric_of)
    assert board.weights == {"x": "random, resnet18"}


def test_a_task_that_is_not_registered_is_left_out_with_a_word() -> None:
    gone = trials("x", "gone", [0.5])
    (board,) = boards([*gone, *trials("x", "a", [0.5])], metric_of=metric_of)
    assert (board.tasks, board.notes) == (("a",), ("task gone is not registered here",))
    with pytest.raises(UserError, match="nothing to rank: task gone is not registered here"):
        boards(gone, metric_of=metric_of)


def test_a_row_without_an_encoder_is_not_ranked() -> None:
    alone = trials("mse_alone", "a", [0.9], weights={"sha256": "ab", "arch": "none"})
    (board,) = boards([*alone, *trials("x", "a", [0.5])], metric_of=metric_of)
    assert board.encoders == ("x",)
    assert board.notes == ("mse_alone has no encoder and is not ranked; `cxrbench table` shows it",)
    with pytest.raises(UserError, match="nothing to rank: mse_alone has no encoder"):
        boards(alone, metric_of=metric_of)


def test_notes_of_a_cell_are_those_that_all_trials_share_and_a_count_of_the_others() -> None:
    records = trials("x", "a", [0.5, 0.6], notes=["every trial"])
    records[1] = replace(records[1], notes=["every trial", "this one"])
    (board,) = boards(records, metric_of=metric_of)
    assert board.cells["x", 0].notes == ("every trial", "1 of 2 trials have notes of their own: see record.json")


def test_main_metrics_come_from_the_registered_tasks() -> None:
    (board,) = boards(trials("x", "chexpert", [0.5]))
    column = board.columns[0]
    assert (column.metric, column.higher_is_better) == ("auc", True)
